"""No test writes into the record of whoever runs it, and none fails because the machine is busy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How quickly examples come and pass is the machine's affair. What is said of it in one test counts there alone.
settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[*settings().suppress_health_check, HealthCheck.too_slow],
)
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def _record_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_GUARD_STATE", str(tmp_path_factory.mktemp("state") / "record"))


@pytest.fixture(scope="session", autouse=True)
def _nothing_in_the_home() -> Iterator[None]:
    """Fails the run if the platform's own state directory got a record meanwhile."""
    state = Path.home() / ".local" / "state" / "mcp-guard"
    before = state.exists()
    yield
    assert state.exists() == before, f"a test wrote into {state}"
