"""Story 7: two agents with a token each, under one policy that knows them apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.following import Story
from tests.examples.stage import Stage, executed
from tests.ports import free_port

PORTS = ("8401", "8402")


@pytest.fixture
def stage(root: Path) -> Stage:
    return at_free_ports(root)


def at_free_ports(root: Path) -> Stage:
    """The story at two ports that nobody else uses."""
    stage = Stage.of("07-agent-http", root)
    readme = stage.example / "README.md"
    text = readme.read_text()
    for port in PORTS:
        text = text.replace(f":{port}", f":{free_port()}")
    readme.write_text(text)
    return stage


async def test_the_story_goes_as_it_is_written(stage: Stage) -> None:
    await Story(stage).follow()
    paid = [tool for tool, _ in executed(stage.example / "state" / "bank" / "ledger.jsonl") if tool != "balance"]
    assert paid == ["transfer_money"]
