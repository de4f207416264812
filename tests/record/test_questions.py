"""Questions in the record: whatever happens in whichever order, one yes carries one execution, and verify sees all."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.errors import GuardError, RecordFailed
from mcp_guard.model import Approval, By, Decision, Effect, Reason
from mcp_guard.record import questions, stops
from mcp_guard.record.questions import Asking
from mcp_guard.record.store import Record
from mcp_guard.record.usage import UsageView
from mcp_guard.record.verify import verify
from tests.record.examples import Clock, deny, open_record, raw, request

ASKS = ("policy/say",)
NAMES = ("a-1", "b-2")
NO_LEASE = timedelta()


def asking(entry: str, **changes: object) -> Asking:
    said = {"session": "s1", "digest": "d", "authority": "documents", "pin": "", "asks": ASKS, "tier": By.PERSON}
    return Asking(entry, **{**said, **changes})  # type: ignore[arg-type]


def approval(entry: str) -> Approval:
    return Approval("call", frozenset(ASKS), "documents", "me", entry)


def execute(record: Record, *given_: Approval) -> bool:
    """A call that asks, judged with these: what the passage does. Was it let through?"""

    def judge(view: UsageView) -> Decision:
        found = [one for one in given_ if questions.live(view, one)]
        found += [one] if not found and (one := questions.given(view, asking(""), "call")) is not None else []
        if not found:
            return Decision(Effect.ASK, Reason.NEEDS_APPROVAL)
        return Decision(Effect.ALLOW, approvals=(found[0],))

    return record.step(request(), judge).decision.allowed


STEPS = st.sampled_from(
    [
        *((what, name) for what in ("ask", "approve", "refuse", "withdraw", "use", "let wait") for name in NAMES),
        *((what, "") for what in ("recall", "lapse", "minutes pass", "halt", "resume")),
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_every_execution_has_a_yes_of_its_own(steps: list[tuple[str, str]]) -> None:
    clock = Clock()
    with TemporaryDirectory() as home, open_record(Path(home), clock=clock) as record:
        yes = executed = 0
        for what, name in steps:
            with suppress(GuardError):
                if what == "ask":
                    record.change(lambda moment, name=name: questions.ask(moment, asking(name), NO_LEASE))  # type: ignore[misc]
                elif what == "approve":
                    record.change(lambda moment, name=name: questions.approve(moment, name, "me", By.PERSON))  # type: ignore[misc]
                    yes += 1
                elif what == "refuse":
                    record.change(lambda moment, name=name: questions.refuse(moment, name, "me"))  # type: ignore[misc]
                elif what == "withdraw":
                    record.change(lambda moment, name=name: questions.withdraw(moment, name))  # type: ignore[misc]
                elif what == "let wait":
                    record.change(lambda moment, name=name: questions.let_wait(moment, name))  # type: ignore[misc]
                elif what == "lapse":
                    record.change(questions.lapse)
                elif what == "halt":
                    record.change(lambda moment: stops.halt(moment, "everything", "a test"))
                elif what == "resume":
                    record.change(lambda moment: stops.resume(moment, "everything"))
                elif what == "minutes pass":
                    clock.now += timedelta(minutes=3)
                else:
                    known = {row[0] for row in record.look("SELECT entry FROM questions")}
                    executed += execute(record, *([approval(name)] if name in known else []))
        assert executed <= yes
        assert verify(record.directory) == []


def test_a_yes_is_used_in_the_transaction_that_lets_the_call_through(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.change(lambda moment: questions.ask(moment, asking("a-1"), NO_LEASE))
        record.change(lambda moment: questions.approve(moment, "a-1", "me", By.PERSON))
        assert execute(record, approval("a-1"))
        with pytest.raises(RecordFailed, match="used or is over"):
            record.step(request(), lambda _: Decision(Effect.ALLOW, approvals=(approval("a-1"),)))
        assert record.step(request(), deny).decision.effect is Effect.DENY


@pytest.mark.parametrize("change", ["session", "digest", "authority", "pin", "asks"])
def test_a_yes_is_found_only_for_what_it_was_given_to(tmp_path: Path, change: str) -> None:
    with open_record(tmp_path) as record:
        other = asking("a-1", **{change: ("policy/other",) if change == "asks" else "other"})
        record.change(lambda moment: questions.ask(moment, other, NO_LEASE))
        record.change(lambda moment: questions.approve(moment, "a-1", "me", By.PERSON))
        assert not execute(record)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE questions SET state='approved', valid='9999-01-01T00:00:00.000000Z' WHERE entry='a-1'",
        "UPDATE questions SET until='9999-01-01T00:00:00.000000Z'",
        "UPDATE questions SET digest='another call'",
        "UPDATE questions SET tier=0",
        "DELETE FROM questions",
        "DELETE FROM stops",
        "UPDATE standing SET clauses='{}'",
        "DELETE FROM standing",
        "INSERT INTO stops VALUES ('server:x', 'now', 'me')",
    ],
)
def test_verify_sees_an_answer_that_nobody_gave(tmp_path: Path, statement: str) -> None:
    with open_record(tmp_path) as record:
        record.change(lambda moment: questions.ask(moment, asking("a-1"), NO_LEASE))
        record.change(lambda moment: questions.stand(moment, "a-1", {"call": "x"}, "no", "me", By.PERSON))
        record.change(lambda moment: stops.halt(moment, "everything", "a test"))
        assert verify(record.directory) == []
        with raw(record.directory) as connection:
            connection.execute(statement)
        assert len(verify(record.directory)) >= 1


def test_a_question_is_answered_once_by_whoever_is_first(tmp_path: Path) -> None:
    with open_record(tmp_path) as one, open_record(tmp_path) as other:
        one.change(lambda moment: questions.ask(moment, asking("a-1"), NO_LEASE))
        one.change(lambda moment: questions.refuse(moment, "a-1", "me"))
        with pytest.raises(questions.Settled):
            other.change(lambda moment: questions.approve(moment, "a-1", "you", By.PERSON))
        assert not execute(other)


@pytest.mark.parametrize(("early", "good"), [(timedelta(microseconds=1), True), (timedelta(), False)])
def test_an_answer_at_the_very_end_of_its_time_is_too_late(tmp_path: Path, early: timedelta, good: bool) -> None:
    clock = Clock()
    with open_record(tmp_path, clock=clock) as record:
        record.change(lambda moment: questions.ask(moment, asking("a-1"), NO_LEASE))
        record.change(lambda moment: questions.approve(moment, "a-1", "me", By.PERSON))
        clock.now += questions.APPROVAL_LIFE - early
        assert execute(record, approval("a-1")) is good


@pytest.mark.parametrize(("early", "good"), [(timedelta(microseconds=1), True), (timedelta(), False)])
def test_a_question_at_the_very_end_of_its_time_is_answered_no_more(
    tmp_path: Path, early: timedelta, good: bool
) -> None:
    clock = Clock()
    with open_record(tmp_path, clock=clock) as record:
        record.change(lambda moment: questions.ask(moment, asking("a-1"), NO_LEASE))
        clock.now += questions.QUESTION_LIFE - early
        with nullcontext() if good else pytest.raises(questions.Settled, match="lapsed"):
            record.change(lambda moment: questions.approve(moment, "a-1", "me", By.PERSON))
        assert verify(record.directory) == []
