"""Published servers under a lock: npm and PyPI ones lock and stay, and another version shows as a diff to read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mcp_guard.accepting.stacks import Asked
from tests.accepting.house import House
from tests.cli.commands import guard
from tests.end_to_end.world import PUBLISHED
from tests.guards import Stand

pytestmark = pytest.mark.servers

NOW = PUBLISHED / "node_modules" / "@modelcontextprotocol" / "server-memory" / "dist" / "index.js"
BEFORE = PUBLISHED / "node_modules" / "server-memory-before" / "dist" / "index.js"
TIME = PUBLISHED / "venv" / "bin" / "mcp-server-time"
POLICY = "version: 1\ngrants: [{id: all, tool: 'memory/*', args: any}, {id: time, tool: 'time/*', args: any}]\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    assert BEFORE.is_file() and TIME.is_file(), "the servers aren't installed: make test-servers"
    servers = {
        "memory": {"command": [shutil.which("node"), str(tmp_path / "server.js")]},
        "time": {"command": [str(TIME)]},
    }
    lines = [f"  {name}: {json.dumps(entry)}" for name, entry in servers.items()]
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "guard.yaml").write_text("\n".join(["version: 1", "policy: policy.yaml", "servers:", *lines]))
    start(tmp_path, BEFORE)
    return tmp_path


def start(place: Path, version: Path) -> None:
    """What the same command starts from here on: an update, as a launcher makes it."""
    (place / "server.js").write_text(f"import({json.dumps(version.as_uri())})\n")


async def shown(place: Path) -> set[str]:
    async with Stand(place, POLICY).client(["run", "--config", str(place / "guard.yaml")]) as client:
        await client.initialize()
        return {tool["name"] for tool in (await client.request("tools/list"))["tools"]}


async def test_another_version_is_withheld_shown_in_words_and_accepted_by_locking_it(place: Path) -> None:
    state = place / "state"
    assert guard(state, "lock", cwd=place).returncode == 0
    assert guard(state, "lock", "--check", cwd=place).returncode == 0
    before = (place / "guard.lock").read_text()
    offered = await shown(place)
    assert {"memory__create_entities", "time__get_current_time"} <= offered  # by patterns: they are locked

    start(place, NOW)
    checked = guard(state, "lock", "--check", cwd=place)
    assert checked.returncode == 1
    assert "~ tool create_entities: changed in" in checked.stdout
    assert "time" not in [line.strip() for line in checked.stdout.splitlines()]  # that server is the same
    assert {name.partition("__")[0] for name in await shown(place)} == {"time"}

    assert guard(state, "lock", cwd=place).returncode == 0
    after = (place / "guard.lock").read_text()
    changed = set(after.splitlines()) ^ set(before.splitlines())
    assert 0 < len(changed) < len(after.splitlines())
    assert {name.partition("__")[0] for name in await shown(place)} == {"time"}  # until a person accepts it
    House(place, Asked(config=place / "guard.yaml")).accept()
    assert {"memory__create_entities", "time__get_current_time"} <= await shown(place)
