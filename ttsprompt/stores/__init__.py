"""Where calls are kept: compare-and-set once, one codec, and a small adapter for each database."""
