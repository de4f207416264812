"""A long record goes on in a new file; both are one chain, and so is what retention leaves."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mcp_guard.errors import RecordFailed
from mcp_guard.model import Effect, Outcome
from mcp_guard.record import schema
from mcp_guard.record.closing import Limits, closed_files
from mcp_guard.record.heads import KeptHead
from mcp_guard.record.keys import signing_seed
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.record.signing import Signer
from mcp_guard.record.store import Record
from mcp_guard.record.verify import Report, examine, open_all, told, verify
from tests.record.examples import NOON, SESSION, Clock, allow, at_most, deny, open_record, raw, request

SMALL = Limits(max_size=1)


def again(directory: Path, clock: Clock, limits: Limits = SMALL) -> Record:
    return Record.open(directory, session=SESSION, clock=clock, limits=limits)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def files(tmp_path: Path, clock: Clock) -> Path:
    """Three files, with a budget that is used in each and a day between them."""
    with open_record(tmp_path, clock) as record:
        record.step(request(), at_most(9))
        record.first_sight("bank@1", ["transfer_money"])
        record.checkpoint(Signer(signing_seed(record.directory)))
    for _ in range(2):
        clock.move(days=1)
        with again(record.directory, clock) as record:
            entry = record.step(request(), at_most(9))
            record.finish(entry, Outcome.NOT_SENT, duration_ms=0, refund=True)
            record.step(request(), at_most(9))
            record.checkpoint(Signer(signing_seed(record.directory)))
    return record.directory


def look(directory: Path, *heads: KeptHead) -> Report:
    return examine(*open_all(directory), heads=heads)


def found(directory: Path) -> str:
    return "\n".join(verify(directory))


def test_a_file_that_is_too_large_is_closed_when_a_guard_starts_alone_and_all_is_one_chain(files: Path) -> None:
    assert [path.name for path in closed_files(files)] == ["guard-1-4.db", "guard-5-9.db"]
    assert {path.stat().st_mode & 0o777 for path in closed_files(files)} == {0o600}
    report = look(files)
    assert (report.findings, report.entries, report.chains, report.first, report.last) == ([], 14, 3, 1, 14)
    with open_for_reading(files) as query:
        assert [row.position for row in query.entries(Filter(tool="*"))] == [12, 13]


def test_budgets_and_first_sights_go_on_in_the_new_file(files: Path, clock: Clock) -> None:
    with again(files, clock) as record:
        effects = [record.step(request(), at_most(5)).decision.effect for _ in range(3)]
        assert effects == [Effect.ALLOW, Effect.ALLOW, Effect.DENY]
        assert record.first_sight("bank@1", ["other"]) == {"transfer_money"}
    assert found(files) == ""


def test_a_closed_file_can_be_looked_through(files: Path) -> None:
    with open_for_reading(file=closed_files(files)[0]) as query:
        assert [row.position for row in query.entries(Filter(tool="*"))] == [2]
        assert query.counts("effect", Filter(tool="*")) == {"allow": 1}
    assert not (files / "index.db").exists()


def test_a_file_that_another_guard_has_open_is_not_closed(tmp_path: Path, clock: Clock) -> None:
    with open_record(tmp_path, clock) as one, again(one.directory, clock) as two:
        assert closed_files(one.directory) == []
        two.step(request(), deny)
        one.step(request(), deny)
    assert found(one.directory) == ""


def test_a_file_that_somebody_reads_is_not_closed(tmp_path: Path, clock: Clock) -> None:
    with open_record(tmp_path, clock) as record:
        record.step(request(), deny)
    with open_for_reading(record.directory), again(record.directory, clock) as record:
        assert closed_files(record.directory) == []
    assert found(record.directory) == ""


def test_a_small_file_is_not_closed(tmp_path: Path, clock: Clock) -> None:
    open_record(tmp_path, clock).close()
    again(tmp_path / "state", clock, Limits(max_size=10_000_000)).close()
    assert closed_files(tmp_path / "state") == []


@pytest.mark.parametrize("step", ["link", "rename"])
def test_a_closing_that_was_cut_short_is_completed_by_the_next_start(
    files: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("cut short")

    with monkeypatch.context() as patch:
        patch.setattr("os.link" if step == "link" else "pathlib.Path.rename", fail)
        with pytest.raises(RecordFailed, match="can't close"):
            again(files, clock)
    assert (look(files).findings, look(files).last) == ([], 14)
    with again(files, clock) as record:
        record.step(request(), deny)
    assert [path.name for path in closed_files(files)][-1] == "guard-10-14.db"
    assert (look(files).findings, look(files).last) == ([], 16)


def change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()


CHANGES: dict[str, Callable[[Path], object]] = {
    "an entry of a closed file": lambda d: change(closed_files(d)[0], "DELETE FROM entries WHERE position=3"),
    "the end of a closed file": lambda d: change(closed_files(d)[1], "DELETE FROM entries WHERE position=9"),
    "a budget in a closed file": lambda d: change(closed_files(d)[0], "UPDATE usage SET calls=0"),
    "where it goes on from": lambda d: change(d / "guard.db", "UPDATE carried SET hash=randomblob(32)"),
    "that it goes on": lambda d: change(d / "guard.db", "DELETE FROM carried"),
    "a closed file in between": lambda d: closed_files(d)[1].unlink(),
    "the first closed file": lambda d: closed_files(d)[0].unlink(),
    "a closed file put in the place of another": lambda d: os.replace(*reversed(closed_files(d))),  # noqa: PTH105
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_is_changed_or_taken_away_is_found(files: Path, what: str) -> None:
    CHANGES[what](files)
    assert verify(files) != [], what


def test_retention_removes_whole_files_after_saying_so_and_the_rest_is_still_one_chain(
    files: Path, clock: Clock
) -> None:
    kept = KeptHead(4, entry_hash_at(closed_files(files)[0], 4))
    late = KeptHead(9, entry_hash_at(closed_files(files)[1], 9))
    clock.now = NOON + timedelta(days=90, hours=1)
    limits = Limits(retention=timedelta(days=90))
    again(files, clock, limits).close()
    assert [path.name for path in closed_files(files)] == ["guard-5-9.db"]
    report = look(files, kept, late)
    assert (report.findings, report.first, report.unseen_heads) == ([], 5, 1)
    assert any("aren't here" in line for line in told(report))
    with open_for_reading(files) as query:
        assert [row.body["data"] for row in query.entries(Filter(kind="retired"))] == [{"files": ["guard-1-4.db"]}]
    clock.move(days=90)
    again(files, clock, limits).close()
    assert (closed_files(files), look(files).findings, look(files).first) == ([], [], 10)


def entry_hash_at(path: Path, position: int) -> str:
    connection = schema.open_file_for_reading(path)
    row = connection.execute("SELECT hash FROM entries WHERE position=?", (position,)).fetchone()
    connection.close()
    return str(bytes(row[0]).hex())


def test_a_change_after_files_were_removed_is_still_found(files: Path, clock: Clock) -> None:
    clock.now = NOON + timedelta(days=90, hours=1)
    again(files, clock, Limits(retention=timedelta(days=90))).close()
    with raw(files) as connection:
        connection.execute("UPDATE chains SET head=randomblob(32) WHERE number=1")  # of the file that is gone
    assert found(files) != ""


def test_a_name_that_looks_closed_and_is_no_record_is_not_removed(files: Path, clock: Clock) -> None:
    closed_files(files)[0].unlink()
    (files / "guard-1-4.db").write_bytes(b"somebody's")
    with pytest.raises(RecordFailed):
        again(files, clock, Limits(retention=timedelta(seconds=1)))
    assert (files / "guard-1-4.db").read_bytes() == b"somebody's"


def test_the_new_file_takes_calls_as_the_old_one_did(files: Path, clock: Clock) -> None:
    with again(files, clock) as one, again(files, clock) as two:
        for record in (one, two, one):
            record.finish(record.step(request(), allow()), Outcome.OK, duration_ms=1)
    assert found(files) == ""
