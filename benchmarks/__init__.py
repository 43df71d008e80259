"""What the speed figures come from: the service and its floors, measured in turn on one machine. Not deployed."""
