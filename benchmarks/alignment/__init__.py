"""Does the same call pass when it was granted, and stop when it was not? AgentDojo's tasks say, without a model.

`suites.py` knows AgentDojo (an MIT-licensed package of ETH Zurich), `zygote.py` and `server.py` make each suite a real
MCP server, `driver.py` plays one run through a real guard, `baselines.py` plays it through other rules, `metrics.py`
counts, `report.py` writes `docs/alignment.md`.
"""
