"""Who has people called: asks the service, and receives its callbacks."""
