"""Story 5: a TOML file with comments, which its client changes before the guard is taken out again."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from mcp.client.stdio import StdioServerParameters

from tests.examples.following import Story, stdio
from tests.examples.stage import Stage, executed


def codex(stage: Stage) -> StdioServerParameters:
    entry = tomllib.loads((stage.home / ".codex" / "config.toml").read_text())["mcp_servers"]["mcp-guard"]
    return stdio(stage, entry["command"], entry["args"], entry.get("env", {}))


@pytest.fixture
def stage(root: Path) -> Stage:
    return Stage.of("05-codex", root)


async def test_the_story_goes_as_it_is_written(stage: Stage) -> None:
    await Story(stage, codex).follow()
    paid = [arguments for tool, arguments in executed(stage.home / "state" / "bank" / "ledger.jsonl") if arguments]
    assert [(one["recipient"], one["amount"]) for one in paid] == [
        ("NL70TEST0112233445", 48.6),
        ("NL68TEST0223344556", 100),
    ]
