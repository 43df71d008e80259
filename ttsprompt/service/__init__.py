"""Use cases: what the service does for callers and for Vonage. All I/O goes through `ports`."""
