"""Sending the outcome to its receiver: a signed request to a public address."""
