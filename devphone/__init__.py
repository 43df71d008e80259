"""Vonage's side of a call on this machine, with a scripted callee. Never deployed, knows nothing of `ttsprompt`."""
