"""All that Vonage says and wants: its Voice API, errors, webhooks, signatures, tokens and languages."""
