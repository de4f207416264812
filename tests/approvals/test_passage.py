"""What a guard with an approver makes of asks: read from the server's requests and from the record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.approvals import asking
from mcp_guard.approvals.port import Answered, Question
from mcp_guard.model import Approval, Effect, Reason
from mcp_guard.record.shown import why
from tests.guards import RecordingDownstream, Scene, decision_in, tool
from tests.patience import PATIENCE
from tests.policy.scene import policy

ASKING = """version: 1
grants: [{id: say, tool: raw/echo, args: {text: any}, ask: true, budget: {calls: 2}}]
deny: [{id: never, tool: raw/echo, args: {text: poison}}]
"""
NOTHING: Callable[[], None] = lambda: None  # noqa: E731 - nothing to withdraw


class Agreeing:
    """Says yes at once, and keeps what it was asked."""

    def __init__(self) -> None:
        self.questions: list[Question] = []

    def ask(self, question: Question, answered: Answered) -> Callable[[], None]:
        self.questions.append(question)
        answered(question.yes("a test"))
        return NOTHING


class Repeating(Agreeing):
    """Gives its first approval again and again."""

    def ask(self, question: Question, answered: Answered) -> Callable[[], None]:
        self.questions.append(question)
        answered(self.questions[0].yes("a test"))
        return NOTHING


class Forging:
    """Answers with an approval in which one part was exchanged."""

    def __init__(self, **changes: object) -> None:
        self.changes = changes

    def ask(self, question: Question, answered: Answered) -> Callable[[], None]:
        answered(replace(question.yes("a test"), **self.changes))  # type: ignore[arg-type]
        return NOTHING


class Failing:
    """Raises instead of asking."""

    def ask(self, question: Question, answered: Answered) -> Callable[[], None]:
        raise ZeroDivisionError("a secret: hunter2")


class Pondering:
    """Answers when it is told to, however late; knows whether it was withdrawn."""

    def __init__(self) -> None:
        self.asked: list[tuple[Question, Answered]] = []
        self.withdrawn = 0

    def ask(self, question: Question, answered: Answered) -> Callable[[], None]:
        self.asked.append((question, answered))
        return self._withdraw

    def _withdraw(self) -> None:
        self.withdrawn += 1

    def agree(self) -> None:
        question, answered = self.asked[-1]
        answered(question.yes("a test"))


def scene(directory: Path, text: str = ASKING) -> Scene:
    return Scene(directory, policy=text, servers=[RecordingDownstream(tools=[tool("echo", text={"type": "string"})])])


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0)


async def test_nobody_is_asked_unless_there_is_somebody(tmp_path: Path) -> None:
    with scene(tmp_path) as alone:
        answer = await alone.call("echo", {"text": "x"})
        assert decision_in(answer["result"])["reason"] == Reason.NEEDS_APPROVAL
        assert alone.servers[0].calls == []
        assert [row.effect for row in alone.rows()] == ["ask"]


async def test_an_approved_call_is_sent_once_and_the_entry_says_by_whom(tmp_path: Path) -> None:
    with scene(tmp_path) as asked:
        asked.guard.approver = Agreeing()
        answer = await asked.call("echo", {"text": "x"})
        assert "isError" not in answer["result"]
        assert [params["arguments"] for params in asked.servers[0].calls] == [{"text": "x"}]
        asking_entry, allowed = asked.rows()
        assert (asking_entry.effect, allowed.effect) == ("ask", "allow")
        (approval,) = allowed.body["approvals"]
        assert (approval["by"], approval["asks"]) == ("a test", ["policy/say"])
        assert approval["answers"] == asking_entry.id
        assert why(allowed) == "policy/say, approved by a test"
        assert "x" not in str(approval.values())


async def test_an_approved_call_is_charged_and_a_spent_budget_still_refuses(tmp_path: Path) -> None:
    with scene(tmp_path) as asked:
        asked.guard.approver = Agreeing()
        reasons = []
        for _ in range(3):
            answer = (await asked.call("echo", {"text": "x"}))["result"]
            reasons.append(decision_in(answer)["reason"] if answer.get("isError") else None)
        assert reasons == [None, None, Reason.BUDGET_SPENT]
        assert len(asked.servers[0].calls) == 2


async def test_a_deny_is_never_asked_about(tmp_path: Path) -> None:
    with scene(tmp_path) as asked:
        asked.guard.approver = approver = Agreeing()
        await asked.call("echo", {"text": "poison"})
        assert approver.questions == [] and asked.servers[0].calls == []


async def test_one_approval_carries_one_execution(tmp_path: Path) -> None:
    with scene(tmp_path) as asked:
        asked.guard.approver = Repeating()
        first = await asked.call("echo", {"text": "x"})
        second = await asked.call("echo", {"text": "x"})
        assert "isError" not in first["result"] and second["result"]["isError"]
        assert len(asked.servers[0].calls) == 1


@pytest.mark.parametrize(
    "changes",
    [{"call": "0" * 64}, {"authority": "0" * 64}, {"asks": frozenset({"policy/other"})}, {"answers": "0-0"}],
    ids=str,
)
async def test_an_approval_of_something_else_is_a_no(tmp_path: Path, changes: dict[str, object]) -> None:
    with scene(tmp_path) as asked:
        asked.guard.approver = Forging(**changes)
        assert (await asked.call("echo", {"text": "x"}))["result"]["isError"]
        assert asked.servers[0].calls == []


async def test_an_answer_that_is_no_approval_is_a_no(tmp_path: Path) -> None:
    with scene(tmp_path) as asked:
        asked.guard.approver = approver = Pondering()
        _, answer = asked.start("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        await until(lambda: bool(approver.asked))
        yes: Any = True
        approver.asked[0][1](yes)
        async with asyncio.timeout(PATIENCE):
            assert (await answer)["result"]["isError"]
        assert asked.servers[0].calls == []


async def test_an_approver_that_fails_has_said_no(tmp_path: Path) -> None:
    with scene(tmp_path) as asked:
        asked.guard.approver = Failing()
        answer = await asked.call("echo", {"text": "x"})
        assert decision_in(answer["result"])["reason"] == Reason.NEEDS_APPROVAL
        assert asked.servers[0].calls == []


async def test_an_approver_that_is_late_has_said_no_and_is_told_that_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "PATIENCE", 0.0)
    with scene(tmp_path) as asked:
        asked.guard.approver = approver = Pondering()
        assert (await asked.call("echo", {"text": "x"}))["result"]["isError"]
        approver.agree()
        assert approver.withdrawn == 1 and asked.servers[0].calls == []


async def test_a_call_that_the_client_gave_up_is_not_made_when_the_yes_comes(tmp_path: Path) -> None:
    with scene(tmp_path) as asked:
        asked.guard.approver = approver = Pondering()
        exchange, answer = asked.start("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        await until(lambda: bool(approver.asked))
        exchange.cancel()
        approver.agree()
        assert approver.withdrawn == 1 and not answer.done()
        assert asked.servers[0].calls == [] and [row.effect for row in asked.rows()] == ["ask"]


async def test_a_deny_that_was_loaded_while_the_person_was_reading_wins(tmp_path: Path) -> None:
    with scene(tmp_path) as asked:
        asked.guard.approver = approver = Pondering()
        _, answer = asked.start("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        await until(lambda: bool(approver.asked))
        stopped = policy(
            "grants: [{id: say, tool: raw/echo, args: any, ask: true}]\ndeny: [{id: stop, tool: raw/echo}]"
        )
        asked.guard.authority = replace(asked.guard.authority, layers=(stopped,))
        approver.agree()
        async with asyncio.timeout(PATIENCE):
            refused = (await answer)["result"]
        assert decision_in(refused)["reason"] == Reason.DENIED
        assert asked.servers[0].calls == []


async def test_what_is_asked_is_the_whole_call_and_every_rule_that_asks(tmp_path: Path) -> None:
    with scene(tmp_path, ASKING + "ask: [{id: long, tool: raw/echo, args: {text: any}}]\n") as asked:
        asked.guard.approver = approver = Agreeing()
        await asked.call("echo", {"text": "x"}, _meta={"progressToken": 7})
        (question,) = approver.questions
        assert question.call.arguments == {"text": "x"}
        assert {rule.key for rule in question.rules} == {"policy/say", "policy/long"}
        assert question.rules[0].effect is Effect.ASK
        assert isinstance(question.yes("a test"), Approval)
        assert len(asked.servers[0].calls) == 1
