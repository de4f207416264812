"""The tests that need AgentDojo run where it is installed: `make alignment-subset`. The others run everywhere."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = (
    [] if find_spec("agentdojo") else ["test_suites.py", "test_runs.py", "test_guarded.py", "test_report.py"]
)
