"""What `python -m devphone` does, and how that looks on a terminal."""
