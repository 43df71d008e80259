"""The page: its files, the stream it listens to, and what its buttons do."""
