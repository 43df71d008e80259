"""The outside world: implementations of `ports`, and nothing that decides."""
