"""One HTTP request phones a person, speaks a message, asks for a PIN and reports the outcome to a webhook."""

__version__ = "1.0.0"
