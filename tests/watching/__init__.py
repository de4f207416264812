"""Breaker, scanners, monitor and telemetry at work: what they do to calls, read from the servers and the record."""
