"""A stand-in for Google Cloud on the loopback: stateful, with a clock of its own, and as awkward as the real one.

gcloud and curl run unchanged: both are told to use this program as their HTTPS proxy and to trust its certificate, so
that every request that would leave the machine arrives here under its true host name. What is not known here is
refused and noted, so a test fails where a script asks for something that nobody has thought about.
"""
