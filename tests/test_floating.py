"""Commands that leave the version open, and the line that is offered instead."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from mcp_guard.floating import floating, in_words, pinned_line
from mcp_guard.server_spec import ServerSpec


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with what `npx` and `uvx` keep there: two versions of one package, the later one put there later."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("NPM_CONFIG_CACHE", "UV_CACHE_DIR"):
        monkeypatch.delenv(variable, raising=False)
    for number, version in enumerate(("1.0.0", "1.2.0")):
        package = tmp_path / f".npm/_npx/{number}/node_modules/@scope/server/package.json"
        package.parent.mkdir(parents=True)
        package.write_text(json.dumps({"version": version}))
        os.utime(package, (number, number))
    (tmp_path / ".cache/uv/archive-v0/x/mcp_server_time-2.1.dist-info").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (["npx", "-y", "@scope/server", "."], ["npx", "-y", "@scope/server@1.2.0", "."]),
        (["npx", "-y", "@scope/server@latest", "."], ["npx", "-y", "@scope/server@1.2.0", "."]),
        (["uvx", "mcp-server-time", "--city", "x"], ["uvx", "mcp-server-time==2.1", "--city", "x"]),
        (["uvx", "--from", "mcp_server.time", "x"], ["uvx", "--from", "mcp_server.time==2.1", "x"]),
        (["npx", "-y", "never-started-here"], None),
    ],
)
def test_the_version_that_was_started_last_is_offered(
    machine: Path, command: list[str], line: list[str] | None
) -> None:
    spec = ServerSpec("s", tuple(command), cwd=str(machine))
    assert floating(spec) is not None
    assert yaml.safe_load(pinned_line(spec)) == line
    assert "any later one is started" in in_words(spec)


@pytest.mark.parametrize(
    "command",
    [["npx", "-y", "@scope/server@1.0.0"], ["uvx", "mcp-server-time==2.1"], ["/bin/server"], ["python", "s.py"]],
)
def test_what_names_a_version_or_no_package_is_left_alone(machine: Path, command: list[str]) -> None:
    assert in_words(ServerSpec("s", tuple(command), cwd=str(machine))) == ""


def test_a_version_that_is_no_version_is_not_offered(machine: Path) -> None:
    """Whoever writes into a cache must not write into a command."""
    for file in machine.glob(".npm/_npx/*/node_modules/@scope/server/package.json"):
        file.write_text(json.dumps({"version": "1.0.0 --registry=evil"}))
    assert pinned_line(ServerSpec("s", ("npx", "@scope/server"), cwd=str(machine))) == ""
