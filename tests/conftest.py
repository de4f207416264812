"""No test writes into the record of whoever runs it."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _record_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_GUARD_STATE", str(tmp_path_factory.mktemp("state") / "record"))


@pytest.fixture(scope="session", autouse=True)
def _nothing_in_the_home(request: pytest.FixtureRequest) -> None:
    """Fails the run if the platform's own state directory got a record meanwhile."""
    state = Path.home() / ".local" / "state" / "mcp-guard"
    before = state.exists()
    request.addfinalizer(lambda: pytest.fail(f"a test wrote into {state}") if state.exists() != before else None)
