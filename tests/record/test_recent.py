"""What a guard needn't read again: nothing while it is alone, everything that somebody else may have changed."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.errors import RecordFailed
from mcp_guard.model import Charge, Decision, Effect, Outcome
from mcp_guard.record import recent, stops
from mcp_guard.record.entries import Entry
from mcp_guard.record.stops import Stops
from mcp_guard.record.store import Record
from mcp_guard.record.usage import UsageView, used
from mcp_guard.record.verify import verify
from tests.record.examples import DENIED, PAY, SESSION, open_record, raw, request

OTHER = "07e3"
ACTS = ("call", "call", "call", "finish", "refund", "refuse", "fail", "clear", "halt", "resume", "edit")


class Judge:
    """Allows, if what the view says is what the tables hold at this moment."""

    def __init__(self, fails: bool = False) -> None:
        self.stops = Stops()
        self.fails = fails

    def __call__(self, view: UsageView) -> Decision:
        for session in (SESSION, OTHER):
            assert view.used(PAY.key, session) == used(view.connection, session, PAY.key)
        assert self.stops.at(view) == stops.stopped(view.connection)
        charges: tuple[Charge, ...] = (Charge(PAY.key, 1, {"amount": Decimal("1.5")}),)
        if self.fails:  # once the first is charged
            charges += (Charge("policy/other", -1),)
        return Decision(Effect.ALLOW, rules=(PAY,), charges=charges, gives=frozenset({"untrusted", "web"}))


class Guards:
    """Two guards over one record, in whose tables a third hand edits."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self.records = [stack.enter_context(open_record(directory)) for _ in range(2)]
        self.judges = [Judge(), Judge()]
        self.open: list[tuple[Record, Entry]] = []
        self.edited = False

    def act(self, who: int, what: str, session: str) -> None:
        record = self.records[who]
        match what:
            case "call":
                self.open.append((record, record.step(request(session=session), self.judges[who])))
            case "finish" | "refund" if self.open:
                by, entry = self.open.pop()
                outcome = Outcome.OK if what == "finish" else Outcome.NOT_SENT
                by.finish(entry, outcome, duration_ms=1, refund=what == "refund")
            case "refuse":
                record.refuse(request(session=session), DENIED)
            case "fail":
                self.judges[who].fails = True
                with suppress(RecordFailed):
                    record.step(request(session=session), self.judges[who])
                self.judges[who].fails = False
            case "clear":
                record.clear_labels(session, "somebody")
            case "halt":
                record.change(lambda moment: stops.halt(moment, "everything", "why"))
            case "resume":
                record.change(lambda moment: stops.resume(moment, "everything"))
            case "edit":
                self.edited = True
                with raw(self.directory / "state") as connection:
                    connection.execute("UPDATE usage SET calls = calls + 7")

    def check(self) -> None:
        with raw(self.directory / "state") as connection:
            for session in (SESSION, OTHER):
                query = "SELECT label FROM labels WHERE session=?"
                stored = {label for (label,) in connection.execute(query, (session,))}
                if self.open and self.open[-1][1].session == session:
                    assert stored == {"untrusted", "web"}


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from(ACTS), st.sampled_from([SESSION, OTHER])), min_size=15, max_size=30
    )
)
def test_a_judge_is_always_shown_what_is_stored_whoever_wrote_it(acts: list[tuple[int, str, str]]) -> None:
    with TemporaryDirectory() as directory, ExitStack() as stack:
        guards = Guards(Path(directory), stack)
        for who, what, session in acts:
            guards.act(who, what, session)
            if what == "call":
                guards.check()
        assert guards.edited or verify(guards.records[0].directory) == []


def test_a_guard_that_is_alone_reads_no_table_twice(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        judges = Judge()
        decision = Decision(Effect.ALLOW, rules=(PAY,), charges=(Charge(PAY.key),), gives=frozenset({"web"}))

        def allow(view: UsageView) -> Decision:
            view.used(PAY.key)
            judges.stops.at(view)
            return decision

        asked: list[str] = []
        for _ in range(3):
            asked.clear()
            record._writer.connection.set_trace_callback(asked.append)
            record.finish(record.step(request(), allow), Outcome.OK, duration_ms=1)
        assert [one for one in asked if one.startswith("SELECT") or "labels" in one] == []
        assert len([one for one in asked if one == "PRAGMA data_version"]) == 2  # once in each transaction


def test_a_label_that_was_cleared_elsewhere_is_set_again_by_the_next_answer(tmp_path: Path) -> None:
    decision = Decision(Effect.ALLOW, rules=(PAY,), gives=frozenset({"web"}))
    with open_record(tmp_path) as record, open_record(tmp_path) as other:
        first = record.step(request(), lambda _: decision)
        other.clear_labels(SESSION, "somebody")
        record.finish(first, Outcome.OK, duration_ms=1)
        assert record.labels(SESSION) == {"web"}


def test_only_so_many_accounts_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST", 5)
    with open_record(tmp_path) as record:
        for number in range(12):
            record.step(request(session=f"{number}"), Judge())
            assert len(record._writer.recent.usage) <= 5
            assert len(record._writer.recent.labels) <= 5
