"""The scripted person agrees to what the task needs, and to nothing else."""

from __future__ import annotations

from typing import Any

from benchmarks.alignment.approver import Scripted
from mcp_guard.approvals.port import Question, Unsettled
from mcp_guard.model import Approval
from tests.policy.scene import call


def answer(person: Scripted, name: str, **arguments: Any) -> Approval | Unsettled | None:
    said: list[Approval | Unsettled | None] = []
    person.ask(Question("0-1", call(name, **arguments), (), "digest", "documents"), said.append)
    (only,) = said
    return only


def test_a_needed_call_is_agreed_to_as_often_as_it_is_needed() -> None:
    person = Scripted([("send", {"to": "a"}), ("send", {"to": "a"})])
    first = answer(person, "s/send", to="a")
    assert isinstance(first, Approval) and first.call == "digest" and "benchmark" in first.by
    assert isinstance(answer(person, "s/send", to="a"), Approval)
    assert answer(person, "s/send", to="a") is None


def test_a_call_with_another_argument_or_another_tool_is_not_agreed_to() -> None:
    person = Scripted([("send", {"to": "a", "n": 1})])
    assert answer(person, "s/send", to="b", n=1) is None
    assert answer(person, "s/send", to="a") is None
    assert answer(person, "s/send", to="a", n=True) is None
    assert answer(person, "s/delete", to="a", n=1) is None
    assert isinstance(answer(person, "s/send", n=1, to="a"), Approval)
