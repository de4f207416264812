"""Story 3: what a cloned repository brings is guarded by documents outside of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mcp.client.stdio import StdioServerParameters

from tests.examples.following import Story, stdio
from tests.examples.stage import Stage, executed


def cursor(stage: Stage) -> StdioServerParameters:
    (entry,) = json.loads((stage.home / "shop" / ".cursor" / "mcp.json").read_text())["mcpServers"].values()
    return stdio(stage, entry["command"], entry["args"], entry.get("env", {}))


@pytest.fixture
def stage(root: Path) -> Stage:
    return Stage.of("03-cursor", root)


async def test_the_story_goes_as_it_is_written(stage: Stage) -> None:
    await Story(stage, cursor).follow()
    docs = stage.home / "shop" / "docs"
    assert executed(stage.home / "state" / "files" / "ledger.jsonl") == [
        ("list_directory", {"path": str(docs)}),
        ("read_text_file", {"path": str(docs / "opening.md")}),
    ]
    assert not (stage.home / "state" / "web").exists(), "what the repository's own guard would have started"


async def test_the_guards_documents_stay_out_of_the_clone(stage: Stage) -> None:
    await Story(stage, cursor).follow()
    brought = {path.relative_to(stage.example / "home") for path in (stage.example / "home").rglob("*")}
    there = {path.relative_to(stage.home) for path in (stage.home / "shop").rglob("*")}
    assert there <= brought
