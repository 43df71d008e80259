"""Functions that do the least."""
