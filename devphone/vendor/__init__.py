"""Vonage: its API, its rules, its webhooks, and a call as it sees it."""
