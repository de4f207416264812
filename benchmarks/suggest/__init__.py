"""What `mcp-guard suggest` makes of the examples: `python -m benchmarks.suggest`."""
