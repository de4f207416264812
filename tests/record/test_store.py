"""What the writer promises: one transaction, recorded before done, and nothing half."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from mcp_guard.errors import RecordBusy, RecordFailed
from mcp_guard.model import Charge, Decision, Outcome
from mcp_guard.record.entries import Entry
from mcp_guard.record.query import Filter, Row, open_for_reading
from mcp_guard.record.schema import Durability, open_for_writing
from mcp_guard.record.usage import UsageView
from mcp_guard.record.verify import verify
from tests.record.examples import DENIED, NOON, PAY, Clock, allow, bodies, deny, never, open_record, raw, request


def rows(directory: Path) -> list[Row]:
    with open_for_reading(directory) as query:
        return list(query.entries(Filter()))


def test_a_decision_is_in_the_file_before_step_returns(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        entry = record.step(request(), allow())
        assert rows(record.directory)[-1].id == entry.id


def test_an_entry_prints_as_chain_and_place(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        entries = [record.step(request(), allow()) for _ in range(2)]
        assert [str(entry) for entry in entries] == [f"{record.chain[:8]}-1", f"{record.chain[:8]}-2"]


def test_what_was_asked_and_decided_can_be_read_back(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(target="wire", shape={"to": "string"}, digest="d9"), deny)
        row = rows(record.directory)[-1]
    assert (row.principal, row.client, row.name, row.effect) == ("alice", "assistant", "bank/wire", "deny")
    assert (row.reason, row.rules) == ("denied", ("policy/no-egress",))
    assert (row.body["shape"], row.body["digest"], row.body["authority"]) == ({"to": "string"}, "d9", "a1")
    assert row.body["rules"] == [{"key": "policy/no-egress", "effect": "deny", "at": "policy.yaml:30:3"}]


def test_the_judge_is_asked_exactly_once(tmp_path: Path) -> None:
    asked: list[UsageView] = []

    def judge(facts: UsageView) -> Decision:
        asked.append(facts)
        return DENIED

    with open_record(tmp_path) as record:
        record.step(request(), judge)
    assert len(asked) == 1


def test_a_judge_that_raises_leaves_no_trace_and_the_next_call_is_recorded(tmp_path: Path) -> None:
    def judge(_: UsageView) -> Decision:
        raise LookupError("a defect")

    with open_record(tmp_path) as record:
        with pytest.raises(LookupError, match="a defect"):
            record.step(request(), judge)
        assert len(rows(record.directory)) == 1
        assert record.step(request(), allow()).seq == 1
        assert verify(record.directory) == []


def test_a_judge_that_writes_to_the_record_is_refused_and_nothing_of_it_stays(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:

        def judge(_: UsageView) -> Decision:
            record.note("loaded", {})
            return DENIED

        with pytest.raises(RecordFailed, match="being judged"):
            record.step(request(), judge)
        assert len(bodies(record.directory)) == 1


def test_while_another_holds_the_lock_a_step_fails_at_once_and_judges_nothing(tmp_path: Path) -> None:
    with open_record(tmp_path) as one, open_record(tmp_path) as two:

        def judge(_: UsageView) -> Decision:
            with pytest.raises(RecordBusy):
                two.step(request(), never)
            return DENIED

        one.step(request(), judge)
        assert two.step(request(), deny).decision == DENIED
        assert verify(one.directory) == []


def test_an_outcome_is_filed_with_its_decision(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        entry = record.step(request(), allow())
        record.finish(entry, Outcome.TOOL_ERROR, duration_ms=12.345, note="the server said no")
        row = rows(record.directory)[-1]
    assert (row.id, row.outcome, row.duration_ms, row.note) == (entry.id, "tool_error", 12.345, "the server said no")


def test_a_second_outcome_is_refused_and_the_first_stays(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        entry = record.step(request(), allow(Charge(PAY.key)))
        record.finish(entry, Outcome.OK, duration_ms=1)
        with pytest.raises(RecordFailed, match="finished already"):
            record.finish(entry, Outcome.NOT_SENT, duration_ms=1, refund=True)
        assert rows(record.directory)[-1].outcome == "ok"
        assert verify(record.directory) == []
        assert record.step(request(), allow()).seq == 3


def test_a_refusal_has_no_outcome(tmp_path: Path) -> None:
    with open_record(tmp_path) as record, pytest.raises(ValueError, match="allowed call"):
        record.finish(record.step(request(), deny), Outcome.OK, duration_ms=1)


def test_the_call_of_another_process_cannot_be_finished(tmp_path: Path) -> None:
    with open_record(tmp_path) as one, open_record(tmp_path) as two:
        entry = one.step(request(), allow())
        with pytest.raises(ValueError, match="of this process"):
            two.finish(entry, Outcome.OK, duration_ms=1)


def test_a_refusal_before_judgement_can_stand_for_many(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.refuse(request(), DENIED, count=12)
        assert rows(record.directory)[-1].count == 12


@pytest.mark.parametrize("count", [0, -1])
def test_a_refusal_of_no_call_is_no_entry(tmp_path: Path, count: int) -> None:
    with open_record(tmp_path) as record, pytest.raises(ValueError, match="one or more"):
        record.refuse(request(), DENIED, count=count)


def test_nothing_is_allowed_without_a_judgement(tmp_path: Path) -> None:
    with open_record(tmp_path) as record, pytest.raises(ValueError, match="without a judgement"):
        record.refuse(request(), allow()(None))  # type: ignore[arg-type]


def test_time_never_runs_back_even_between_processes(tmp_path: Path) -> None:
    slow, fast = Clock(NOON), Clock(NOON + timedelta(hours=1))
    seen: list[datetime] = []

    def judge(facts: UsageView) -> Decision:
        seen.append(facts.now)
        return DENIED

    with open_record(tmp_path, slow) as one, open_record(tmp_path, fast) as two:
        two.step(request(), judge)
        entry = one.step(request(), judge)
    assert seen == [fast.now, fast.now]
    assert entry.time == fast.now


def test_time_is_kept_in_utc_whatever_zone_the_clock_speaks(tmp_path: Path) -> None:
    east = datetime(2026, 12, 31, 14, tzinfo=timezone(timedelta(hours=2)))
    with open_record(tmp_path, Clock(east)) as record:
        assert record.step(request(), deny).time.tzinfo == UTC
        assert rows(record.directory)[-1].body["time"] == "2026-12-31T12:00:00.000000Z"


def test_a_clock_without_a_zone_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="time zone"):
        open_record(tmp_path, lambda: datetime(2026, 12, 31))
    assert list(tmp_path.iterdir()) == []


def test_the_tools_of_first_sight_never_grow(tmp_path: Path) -> None:
    with open_record(tmp_path) as one, open_record(tmp_path) as two:
        assert one.first_sight("web@1", ["fetch", "fetch", "post"]) == {"fetch", "post"}
        assert two.first_sight("web@1", ["fetch", "post", "exec"]) == {"fetch", "post"}
        assert two.first_sight("web@2", ["exec"]) == {"exec"}
        assert verify(one.directory) == []


def test_a_server_first_seen_without_tools_counts_as_seen(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        assert record.first_sight("web@1", []) == frozenset()
        assert record.first_sight("web@1", ["exec"]) == frozenset()


def test_a_tool_name_too_long_to_keep_is_not_known_at_first_sight(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        assert record.first_sight("web@1", ["fetch", "x" * 257, "\ud800"]) == {"fetch"}


def test_durations_run_from_the_first_use_in_any_process(tmp_path: Path) -> None:
    clock = Clock()
    with open_record(tmp_path, clock) as one, open_record(tmp_path, clock) as two:
        first = one.started("mandate-1")
        clock.move(minutes=5)
        assert (two.started("mandate-1"), two.started("mandate-2")) == (NOON, NOON + timedelta(minutes=5))
        assert first == NOON
        assert verify(one.directory) == []


@pytest.mark.parametrize("key", ["", "x" * 257, "a\nb"])
def test_a_key_that_could_not_be_found_again_is_refused(tmp_path: Path, key: str) -> None:
    with open_record(tmp_path) as record:
        with pytest.raises(ValueError, match="256"):
            record.started(key)
        with pytest.raises(ValueError, match="256"):
            record.first_sight(key, [])


def test_durability_is_what_sqlite_is_told(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        found: dict[Durability, int] = {}
        levels: tuple[Durability, ...] = ("process", "disk")
        for durability in levels:
            connection = open_for_writing(record.directory, durability)
            found[durability] = connection.execute("PRAGMA synchronous").fetchone()[0]
            connection.close()
    assert found == {"process": 1, "disk": 2}


def test_an_entry_says_when_it_was_written(tmp_path: Path) -> None:
    clock = Clock()
    with open_record(tmp_path, clock) as record:
        clock.move(seconds=1.5)
        entry: Entry = record.step(request(), deny)
        with raw(record.directory) as connection:
            stored = connection.execute("SELECT time FROM entries WHERE position=?", (entry.position,)).fetchone()[0]
    assert (entry.time, stored) == (clock.now, "2026-12-31T12:00:01.500000Z")
