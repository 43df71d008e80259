"""One module for each target; each gives rows."""
