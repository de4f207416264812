"""Story 2: Claude Desktop starts the guard with the PATH of a desktop, and the server is found by its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mcp.client.stdio import StdioServerParameters

from tests.examples.following import Story, stdio
from tests.examples.stage import Stage, executed

FILE = Path(".config") / "Claude" / "claude_desktop_config.json"


def claude_desktop(stage: Stage) -> StdioServerParameters:
    (entry,) = json.loads((stage.home / FILE).read_text())["mcpServers"].values()
    return stdio(stage, entry["command"], entry["args"], entry["env"], path="/usr/bin:/bin")


@pytest.fixture
def stage(root: Path) -> Stage:
    return Stage.of("02-claude-desktop", root)


async def test_the_story_goes_as_it_is_written(stage: Stage) -> None:
    await Story(stage, claude_desktop).follow()
    assert executed(stage.home / "state" / "mail" / "ledger.jsonl") == [
        ("search", {"query": "budget"}),
        ("read_email", {"id": "m1"}),
    ]
    assert (stage.home / FILE).read_bytes() == (stage.example / "home" / FILE).read_bytes()
