"""What looking at answers costs: `python -m benchmarks.inspection`."""
