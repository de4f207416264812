"""Answers that cross with something else: for one yes there is at most one execution, and a no holds."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from mcp_guard.errors import GuardError
from mcp_guard.model import By
from mcp_guard.policy.document import Authority
from tests.approvals.room import ASKING, Room, answer_of
from tests.approvals.test_in_band import ACCEPT, modern, retry
from tests.guards import decision_in
from tests.patience import PATIENCE
from tests.policy.scene import policy

RULES = ASKING.partition("\n")[2]


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (RULES + "deny: [{id: never, tool: raw/echo}]\n", "denied"),
        (RULES.replace("tool: raw/echo", "tool: raw/other"), "no_grant"),
        (RULES.replace("calls: 50", "calls: 49"), "needs_approval"),  # it asks as before, in other documents
    ],
)
@pytest.mark.parametrize("first", ["the yes", "the documents"])
async def test_a_yes_that_crosses_with_other_documents_carries_nothing(
    tmp_path: Path, first: str, rules: str, reason: str
) -> None:
    room = Room(tmp_path)
    _, answer = await room.start(text="hi")
    steps: list[Any] = [room.approve, lambda: room.scene.guard.bind(Authority((policy(rules),)), None, {})]
    for step in steps if first == "the yes" else reversed(steps):
        step()
    assert decision_in((await answer_of(answer))["result"])["reason"] == reason
    assert room.executed() == 0
    assert room.verified() == []


async def test_of_many_who_answer_at_once_exactly_one_has_answered(tmp_path: Path) -> None:
    room = Room(tmp_path)
    _, answer = await room.start(text="hi")
    (one,) = room.waiting()
    together = Barrier(6)

    def say(number: int) -> str:
        with room.desk() as desk:
            together.wait(PATIENCE)
            with suppress(GuardError):
                if number % 2:
                    desk.refuse(one, f"no {number}")
                else:
                    desk.approve(one, f"yes {number}", By.PERSON)
                return "no" if number % 2 else "yes"
        return ""

    with ThreadPoolExecutor(6) as desks:
        said = [word for word in desks.map(say, range(6)) if word]
    assert len(said) == 1
    refused = (await answer_of(answer))["result"].get("isError", False)
    assert (refused, room.executed()) == ((True, 0) if said == ["no"] else (False, 1))
    assert room.verified() == []


async def test_two_guards_that_are_asked_the_same_have_one_execution_for_one_yes(tmp_path: Path) -> None:
    rooms = [Room(tmp_path, wait=0.01), Room(tmp_path, wait=0.01)]
    assert decision_in((await rooms[0].call(text="hi"))["result"])["kind"] == "pending"
    rooms[0].approve()
    answers = [(await room.start(text="hi"))[1] for room in rooms]
    found = [(await answer_of(answer))["result"].get("isError", False) for answer in answers]
    assert sorted(found) == [False, True]
    assert sum(room.executed() for room in rooms) == 1
    assert rooms[0].verified() == []


async def test_a_yes_that_crosses_with_the_end_of_the_wait_is_good_for_the_call_or_its_repetition(
    tmp_path: Path,
) -> None:
    room = Room(tmp_path, wait=0.0)
    _, answer = await room.start(text="hi")
    room.approve()  # before the loop runs again: both are due at once
    if (await answer_of(answer))["result"].get("isError"):
        assert not (await room.call(text="hi"))["result"].get("isError")
    assert room.executed() == 1
    assert decision_in((await room.call(text="hi"))["result"])["kind"] == "pending"
    assert room.verified() == []


async def test_of_two_retries_that_accept_at_once_one_is_sent(tmp_path: Path) -> None:
    room = modern(tmp_path)
    state = (await retry(room))["result"]["requestState"]
    async with asyncio.timeout(PATIENCE):
        answers = await asyncio.gather(
            *(retry(room, requestState=state, inputResponses=ACCEPT) for _ in range(2)), return_exceptions=False
        )
    assert sorted("error" in answer for answer in answers) == [False, True]
    assert room.executed() == 1
    assert room.states() == ["used"]
