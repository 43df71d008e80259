"""The phone, the service and the Firestore emulator, each running for as long as it is needed."""
