"""A thousand questions wait: what a person looks at, and what they answer, costs what is shown of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mcp_guard.approvals import binding, slips
from mcp_guard.approvals.port import Question
from mcp_guard.cli.approvals import approvals
from mcp_guard.console.pages import now, questions
from mcp_guard.model import By, Call, Effect, RuleRef
from mcp_guard.policy.approved import call_digest
from mcp_guard.record import questions as kept
from tests.approvals.room import Room, answer_of
from tests.console.visitor import Visitor

MANY = 1000


@pytest.fixture
def crowded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    """A room in which so many questions of other sessions wait, each with what it is about."""
    room = Room(tmp_path)
    rule = RuleRef("policy", "say", Effect.ASK, "policy.yaml", 2, 10)
    with monkeypatch.context() as quick:
        quick.setattr(os, "fsync", lambda _: None)
        room.scene.record.change(lambda moment: _ask_many(room, moment, rule))
    return room


def _ask_many(room: Room, moment: Any, rule: RuleRef) -> None:
    for number in range(MANY):
        call = Call("local:me", "tools/call", "raw", "echo", {"name": "echo", "arguments": {"text": f"no {number}"}})
        question = Question(f"f-{number}", call, (rule,), call_digest(call), "a", session=f"s{number // 10}")
        slips.write(room.directory, question)
        kept.ask(moment, binding.asking(question, room.scene.record.key), timedelta())


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions whose files were read."""
    found: list[str] = []
    reading: Callable[..., slips.Slip] = slips.read

    def noting(directory: Path, entry: str, digest: str, key: bytes) -> slips.Slip:
        found.append(entry)
        return reading(directory, entry, digest, key)

    monkeypatch.setattr(slips, "read", noting)
    return found


async def test_pages_show_some_and_lead_to_all(crowded: Room, read: list[str]) -> None:
    visitor = await Visitor(crowded.directory).log_in()
    read.clear()
    page = (await visitor.get("/now")).text
    assert len(read) == now.OLDEST and f"All {MANY} questions" in page and f"({MANY} waiting)" in page
    read.clear()
    seen: list[Any] = []
    path = "/approvals"
    while path:
        page = (await visitor.get(path)).text
        shown = re.findall(r"Read question ([\w-]+)<", page)
        assert len(shown) <= questions.SIZE
        seen += shown
        further = re.search(r'href="(/approvals\?skip=[0-9]+)">The next', page)
        path = further[1] if further else ""
    assert sorted(seen) == sorted(f"f-{number}" for number in range(MANY))
    assert len(read) == MANY
    assert (await visitor.get("/approvals?skip=x")).status == 400


async def test_a_question_behind_a_thousand_others_is_found_and_answered_by_itself(
    crowded: Room, read: list[str]
) -> None:
    _, answer = await crowded.start(text="hi")
    with crowded.desk() as desk:
        assert desk.how_many() == MANY + 1
        (mine,) = [entry for entry in crowded.values_kept() if not entry.startswith("f-")]
        assert mine not in [one.entry for one in desk.waiting()]
        desk.approve(desk.one(mine), "a test", By.PERSON)
    assert not (await answer_of(answer))["result"].get("isError")
    assert read == [mine]
    assert crowded.verified() == []


async def test_the_terminal_lists_every_one_in_a_line(crowded: Room) -> None:
    await crowded.start(text="hi")
    listed = CliRunner().invoke(approvals, ["list", "--state", str(crowded.directory)])
    assert len(re.findall(r'raw/echo \{"text"', listed.stdout)) == MANY + 1
    assert f"{MANY + 1} waiting" in listed.stderr
