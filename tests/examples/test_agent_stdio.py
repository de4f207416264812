"""Story 6: an agent reads a refusal as data and leaves the rest to a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.following import Story
from tests.examples.stage import Stage, executed


@pytest.fixture
def stage(root: Path) -> Stage:
    return Stage.of("06-agent-stdio", root)


async def test_the_story_goes_as_it_is_written(stage: Stage) -> None:
    await Story(stage).follow()
    sent = [arguments for tool, arguments in executed(stage.example / "state" / "mail" / "ledger.jsonl")]
    assert [one["to"] for one in sent if "to" in one] == [["tomas.berg@example.com"]]
    written = executed(stage.example / "state" / "files" / "ledger.jsonl")
    assert [(tool, Path(arguments["path"]).name) for tool, arguments in written] == [("write_file", "draft.md")]
