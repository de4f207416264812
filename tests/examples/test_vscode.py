"""Story 4: VS Code fills in a secret that no file has, and the server behind the guard gets it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from mcp.client.stdio import StdioServerParameters

from tests.examples.following import Story, stdio
from tests.examples.stage import Stage, executed

PIN = "2580"


def vscode(stage: Stage) -> StdioServerParameters:
    """Reads JSON with comments, and fills in what it has asked its user for."""
    text = (stage.home / ".config" / "Code" / "User" / "mcp.json").read_text()
    (entry,) = json.loads(re.sub(r"(?m)^\s*//.*$", "", text))["servers"].values()
    env = {name: value.replace("${input:bank-pin}", PIN) for name, value in entry["env"].items()}
    return stdio(stage, entry["command"], entry["args"], env)


@pytest.fixture
def stage(root: Path) -> Stage:
    return Stage.of("04-vscode", root)


async def test_the_story_goes_as_it_is_written(stage: Stage) -> None:
    await Story(stage, vscode).follow()
    assert executed(stage.home / "state" / "bank" / "ledger.jsonl") == [
        ("balance", {}),
        ("list_transactions", {"limit": 2}),
    ]
    before = stage.example / "home" / ".config" / "Code" / "User" / "mcp.json"
    assert (stage.home / ".config" / "Code" / "User" / "mcp.json").read_bytes() == before.read_bytes()


async def test_no_file_that_the_guard_or_vscode_wrote_has_the_pin(stage: Stage) -> None:
    await Story(stage, vscode).follow()
    written = [path for place in (".config", ".local") for path in (stage.home / place).rglob("*") if path.is_file()]
    assert any(path.name == "guard.db" for path in written)
    assert [path for path in written if PIN.encode() in path.read_bytes()] == []
