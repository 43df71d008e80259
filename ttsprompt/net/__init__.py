"""What is true of any peer: which addresses and URLs are public, and an exchange that is over in time."""
