"""What a session has seen: bounded, bound to its entries, and said to be changed when it was."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from mcp_guard.history.index import CARRIED, TRUSTED, Row
from mcp_guard.model import Outcome
from mcp_guard.record import sightings
from mcp_guard.record.entries import Entry
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.record.room import RESERVE, STEP, NoRoom
from mcp_guard.record.sightings import Sightings
from mcp_guard.record.store import Record
from mcp_guard.record.verify import verify
from tests.record.examples import allow, open_record, request


def unit(number: int) -> bytes:
    return number.to_bytes(16)


def gains(*numbers: int) -> list[Row]:
    return [Row(unit(number), "a/b", "", TRUSTED) for number in numbers]


def carries(record: Record, *numbers: int) -> Entry:
    def judge(view: object) -> object:
        view.carried = [Row(unit(number), "", "", CARRIED) for number in numbers]  # type: ignore[attr-defined]
        return allow()(view)  # type: ignore[arg-type]

    return record.step(request(), judge)  # type: ignore[arg-type]


def seen(record: Record) -> Sightings:
    return Sightings(record._writer.connection, request().session)


def test_rows_come_with_the_outcome_or_not_at_all(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        entry = record.step(request(), allow())
        record.saw(entry, lambda rows: gains(1))
        record.finish(entry, Outcome.OK, duration_ms=1, seen=lambda rows: gains(2))
        with pytest.raises(Exception, match="finished already"):
            record.finish(entry, Outcome.OK, duration_ms=1, seen=lambda rows: gains(3))
        assert [bool(seen(record).at(unit(number))) for number in (1, 2, 3)] == [True, True, False]
    assert verify(record.directory) == []


def test_the_oldest_gains_fall_out_and_what_was_carried_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sightings, "MAX_GAINED", 4)
    with open_record(tmp_path) as record:
        entry = carries(record, 1, 2, 3)
        for numbers in ((10, 11), (12, 13), (14,)):
            record.saw(entry, lambda rows, numbers=numbers: gains(*numbers))  # type: ignore[misc]
        kept = [number for number in (1, 2, 3, 10, 11, 12, 13, 14) if seen(record).at(unit(number))]
        assert kept == [1, 2, 3, 12, 13, 14]
        assert seen(record).forgotten
    assert verify(record.directory) == []


def test_when_what_was_carried_is_full_everything_counts_as_carried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sightings, "MAX_CARRIED", 2)
    with open_record(tmp_path) as record:
        for numbers in ((1, 2), (3,), (4,)):
            carries(record, *numbers)
        assert [row.kind for row in seen(record).at(record.digests.everything)] == [CARRIED]
    assert verify(record.directory) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sightings SET kind=0 WHERE kind=3",
        "DELETE FROM sightings WHERE kind=3",
        "DELETE FROM sightings",
        "UPDATE sightings SET tool='c/d' WHERE kind=0",
        "INSERT INTO sightings SELECT session, x'00', tool, field, kind, position FROM sightings LIMIT 1",
        "INSERT INTO sightings VALUES ('s', x'00', 'a/b', '', 0, 1)",
        "UPDATE sighted SET carried=0",
        "UPDATE sightings SET session='other'",
    ],
)
def test_a_changed_row_is_found(tmp_path: Path, statement: str) -> None:
    with open_record(tmp_path) as record:
        entry = carries(record, 1, 2)
        record.saw(entry, lambda rows: gains(3, 4))
        assert verify(record.directory) == []
        record._writer.connection.execute(statement)
    assert any("was seen" in one for one in verify(record.directory))


def without_room(record: Record) -> None:
    room = record._writer.room
    assert room is not None
    room._allocate, room._allocated = lambda _descriptor, _length: errno.ENOSPC, 0


def test_without_room_for_its_rows_an_outcome_is_kept_as_withheld(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        entries = [record.step(request(), allow()) for _ in range(2)]
        without_room(record)
        with pytest.raises(NoRoom):
            record.saw(entries[0], lambda rows: gains(1))
        assert not record.finish(entries[0], Outcome.OK, duration_ms=1, seen=lambda rows: gains(2))
        assert record.finish(entries[1], Outcome.OK, duration_ms=1, seen=lambda rows: [])
        assert not seen(record).at(unit(1)) and not seen(record).at(unit(2))
        with open_for_reading(record.directory) as query:
            assert [row.outcome for row in query.entries(Filter(tool="*"))] == ["withheld", "ok"]
    assert verify(record.directory) == []


def test_a_call_that_carries_much_needs_room_for_that_beside_the_room_for_outcomes(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        room = record._writer.room
        assert room is not None
        allocate, most = room._allocate, RESERVE + STEP
        room._allocate = lambda descriptor, length: errno.ENOSPC if length > most else allocate(descriptor, length)
        assert carries(record, *range(10)).decision.allowed
        with pytest.raises(NoRoom):
            carries(record, *range(10, 2000))
        assert not seen(record).at(unit(10))
