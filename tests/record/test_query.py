"""Reading the record: filters, counts, and what is new."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mcp_guard.errors import RecordFailed
from mcp_guard.model import Decision, Effect, Outcome, Reason
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Exercise, Filter, Query, Row, open_for_reading
from mcp_guard.record.store import Record
from tests.record.examples import NOON, PAY, Clock, allow, deny, open_record, raw, request

ASK = Decision(Effect.ASK, Reason.NEEDS_APPROVAL, rules=(PAY,))


def fill(place: Path) -> Path:
    """One entry a minute, from noon on."""
    clock = Clock()
    with open_record(place, clock) as record:
        for server, target, session, judge in [
            ("bank", "transfer_money", "5e55101", allow()),
            ("bank", "list_payees", "5e55101", deny),
            ("web", "fetch", "0a0b0c", lambda _: ASK),
            ("files", "a/b/Read_File", "0a0b0c", allow()),
        ]:
            clock.move(minutes=1)
            record.step(request(server=server, target=target, session=session), judge)
        clock.move(minutes=1)
        record.note("server_exited", {"server": "web"})
    return record.directory


def names(directory: Path, wanted: Filter) -> list[str]:
    with open_for_reading(directory) as query:
        return [row.name or row.kind.value for row in query.entries(wanted)]


EVERYTHING = ["opened", "bank/transfer_money", "bank/list_payees", "web/fetch", "files/a/b/Read_File", "server_exited"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), EVERYTHING),
        (Filter(limit=2), EVERYTHING[-2:]),
        (Filter(limit=99), EVERYTHING),
        (Filter(denied=True), ["bank/list_payees", "web/fetch"]),
        (Filter(denied=True, limit=1), ["web/fetch"]),
        (Filter(tool="bank/*"), ["bank/transfer_money", "bank/list_payees"]),
        (Filter(tool="BANK/*_Money"), ["bank/transfer_money"]),
        (Filter(tool="fetch"), ["web/fetch"]),
        (Filter(tool="*"), EVERYTHING[1:5]),
        (Filter(tool="files/a/b/read_file"), ["files/a/b/Read_File"]),
        (Filter(tool="bank/list.payees"), []),
        (Filter(tool="bank/[lt]*"), []),
        (Filter(server="web"), ["web/fetch", "server_exited"]),
        (Filter(session="0a0b"), ["web/fetch", "files/a/b/Read_File"]),
        (Filter(since=NOON + timedelta(minutes=4)), EVERYTHING[4:]),
        (Filter(since=NOON + timedelta(minutes=4), server="bank"), []),
    ],
)
def test_a_filter_leaves_what_was_asked_for_oldest_first(tmp_path: Path, wanted: Filter, expected: list[str]) -> None:
    assert names(fill(tmp_path), wanted) == expected


def test_counts_say_what_was_exercised_and_what_was_refused_in_its_name(tmp_path: Path) -> None:
    directory = fill(tmp_path)
    with open_record(tmp_path, Clock(NOON + timedelta(hours=1))) as record:
        record.refuse(request(), Decision(Effect.DENY, Reason.BUDGET_SPENT, rules=(PAY,)), count=5)
    with open_for_reading(directory) as query:
        assert query.exercised() == {
            "policy/pay": Exercise(allowed=2, refused=6, last=NOON + timedelta(hours=1)),
            "policy/no-egress": Exercise(allowed=0, refused=1, last=NOON + timedelta(minutes=2)),
        }
        only = query.exercised(Filter(session="0a0b", limit=1))
        assert only == {"policy/pay": Exercise(allowed=1, refused=1, last=NOON + timedelta(minutes=4))}


def test_news_are_new_calls_and_calls_that_were_finished_since(tmp_path: Path) -> None:
    def news(query: Query, after: int) -> tuple[list[tuple[str, str]], int]:
        rows, position = query.news(Filter(tool="*"), after)
        return [(row.target, row.outcome) for row in rows], position

    with open_record(tmp_path) as record, open_for_reading(record.directory) as query:
        slow = record.step(request(target="slow"), allow())
        found, position = news(query, 0)
        assert found == [("slow", "")]
        quick = record.step(request(target="quick"), allow())
        record.finish(quick, Outcome.OK, duration_ms=1)
        found, position = news(query, position)
        assert found == [("quick", "ok")]
        record.note("loaded", {})
        found, position = news(query, position)
        assert found == []
        record.finish(slow, Outcome.ERROR, duration_ms=1)
        found, position = news(query, position)
        assert found == [("slow", "error")]
        assert news(query, position) == ([], position)


def test_news_begin_with_the_newest_entries(tmp_path: Path) -> None:
    with open_for_reading(fill(tmp_path)) as query:
        rows, position = query.news(Filter(limit=2), 0)
    assert [row.kind for row in rows] == [EntryKind.DECISION, EntryKind.SERVER_EXITED]
    assert position == 6


def test_the_version_changes_when_another_process_writes_and_only_then(tmp_path: Path) -> None:
    with open_record(tmp_path) as record, open_for_reading(record.directory) as query:
        before = query.version()
        assert query.version() == before
        record.step(request(), deny)
        assert query.version() != before


def test_a_record_that_was_replaced_is_not_followed_any_more(tmp_path: Path) -> None:
    with open_for_reading(fill(tmp_path)) as query:
        shutil.copy2(tmp_path / "state" / "guard.db", tmp_path / "copy")
        (tmp_path / "copy").rename(tmp_path / "state" / "guard.db")
        with pytest.raises(RecordFailed, match="replaced"):
            query.version()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    with open_for_reading(fill(tmp_path)) as query, pytest.raises(sqlite3.OperationalError, match="readonly"):
        query._connection.execute("DELETE FROM entries")


def test_a_reader_does_not_stand_in_the_way_of_a_writer(tmp_path: Path) -> None:
    with open_record(tmp_path) as record, open_for_reading(record.directory) as query:
        reading = query.entries(Filter())
        first: Row = next(reading)
        record.step(request(), deny)
        assert first.kind is EntryKind.OPENED


def test_reading_leaves_the_evidence_as_it_is(tmp_path: Path) -> None:
    directory = fill(tmp_path)
    before = (directory / "guard.db").read_bytes()
    names(directory, Filter())
    assert (directory / "guard.db").read_bytes() == before


def test_where_nothing_is_recorded_there_is_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(RecordFailed, match="not there"):
        open_for_reading(tmp_path / "nowhere")
    tmp_path.chmod(0o700)
    with pytest.raises(RecordFailed, match="nothing is recorded"):
        open_for_reading(tmp_path)


@pytest.mark.parametrize("body", [b"no json", b"[]", b"{}", b'{"chain": 5}'])
def test_an_entry_that_was_changed_is_named_not_crashed_over(tmp_path: Path, body: bytes) -> None:
    directory = fill(tmp_path)
    with raw(directory) as connection:
        connection.execute("UPDATE entries SET body=? WHERE position=3", (body,))
    with pytest.raises(RecordFailed, match="entry 3 can't be read"):
        names(directory, Filter())


def test_a_filter_of_the_since_kind_takes_any_zone(tmp_path: Path) -> None:
    directory = fill(tmp_path)
    wanted = Filter(since=(NOON + timedelta(minutes=4)).astimezone())
    assert names(directory, wanted) == names(directory, replace(wanted, since=NOON + timedelta(minutes=4)))


def test_the_default_place_is_read_when_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_GUARD_STATE", str(tmp_path / "named"))
    Record.open(session="s", clock=Clock()).close()
    with open_for_reading() as query:
        assert query.last() == 1
