"""Published servers under a lock: npm and PyPI ones lock and stay, and another version shows as a diff to read."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from mcp_guard.accepting.stacks import Asked
from tests.accepting.house import House
from tests.cli.commands import guard
from tests.end_to_end.world import PUBLISHED
from tests.guards import Stand

pytestmark = pytest.mark.servers

TIME = PUBLISHED / "venv" / "bin" / "mcp-server-time"
POLICY = "version: 1\ngrants: [{id: all, tool: 'it/*', args: any}, {id: time, tool: 'time/*', args: any}]\n"


@dataclass(frozen=True)
class Update:
    """Two versions of one server, the program that starts them, a line of its script, and what the diff says."""

    before: Path
    now: Path
    program: str
    script: str
    tool: str
    says: tuple[str, ...]


MODULES = PUBLISHED / "node_modules"
NPM = Update(
    MODULES / "server-memory-before" / "dist" / "index.js",
    MODULES / "@modelcontextprotocol" / "server-memory" / "dist" / "index.js",
    "node",
    "import({})",
    "create_entities",
    ("~ tool create_entities: changed in",),
)
PYPI = Update(
    PUBLISHED / "venv-before" / "bin" / "mcp-server-git",
    PUBLISHED / "venv" / "bin" / "mcp-server-git",
    "sh",
    "exec {}",
    "git_log",
    ("- tool git_init: gone", "~ tool git_log: changed in", "looser: takes `start_timestamp`, which it did not"),
)


@pytest.fixture
def place(tmp_path: Path, update: Update) -> Path:
    there = (TIME, update.before, update.now)
    assert all(one.is_file() for one in there), "the servers aren't installed: make test-servers"
    servers = {
        "it": {"command": [shutil.which(update.program), str(tmp_path / "start")]},
        "time": {"command": [str(TIME)]},
    }
    lines = [f"  {name}: {json.dumps(entry)}" for name, entry in servers.items()]
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "guard.yaml").write_text("\n".join(["version: 1", "policy: policy.yaml", "servers:", *lines]))
    start(tmp_path, update, update.before)
    return tmp_path


def start(place: Path, update: Update, version: Path) -> None:
    """What the same command starts from here on: an update, as a launcher makes it."""
    (place / "start").write_text(update.script.format(json.dumps(str(version))) + "\n")


async def shown(place: Path) -> set[str]:
    async with Stand(place, POLICY).client(["run", "--config", str(place / "guard.yaml")]) as client:
        await client.initialize()
        return {tool["name"] for tool in (await client.request("tools/list"))["tools"]}


@pytest.mark.parametrize("update", [NPM, PYPI], ids=["npm", "pypi"])
async def test_another_version_is_withheld_shown_in_words_and_accepted_by_locking_it(
    place: Path, update: Update
) -> None:
    state = place / "state"
    assert guard(state, "lock", cwd=place).returncode == 0
    assert guard(state, "lock", "--check", cwd=place).returncode == 0
    before = (place / "guard.lock").read_text()
    offered = await shown(place)
    assert {f"it__{update.tool}", "time__get_current_time"} <= offered  # by patterns: they are locked

    start(place, update, update.now)
    checked = guard(state, "lock", "--check", cwd=place)
    assert checked.returncode == 1
    assert [said for said in update.says if said not in checked.stdout] == [], checked.stdout
    assert "time" not in [line.strip() for line in checked.stdout.splitlines()]  # that server is the same
    assert {name.partition("__")[0] for name in await shown(place)} == {"time"}

    assert guard(state, "lock", cwd=place).returncode == 0
    after = (place / "guard.lock").read_text()
    changed = set(after.splitlines()) ^ set(before.splitlines())
    assert 0 < len(changed) < len(after.splitlines())
    assert {name.partition("__")[0] for name in await shown(place)} == {"time"}  # until a person accepts it
    House(place, Asked(config=place / "guard.yaml")).accept()
    assert {f"it__{update.tool}", "time__get_current_time"} <= await shown(place)
