"""Which files are a record, and what SQLite's errors mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_guard.errors import GuardError, InputError, RecordBusy, RecordFailed
from mcp_guard.model import Outcome
from mcp_guard.record import schema
from mcp_guard.record.store import Record
from mcp_guard.record.verify import verify
from tests.record.examples import Clock, allow, deny, never, open_record, raw, request


def no_more_room(record: Record) -> None:
    connection = record._writer.connection
    connection.execute(f"PRAGMA max_page_count={connection.execute('PRAGMA page_count').fetchone()[0]}")


def room_again(record: Record) -> None:
    record._writer.connection.execute("PRAGMA max_page_count=1000000")


def fill(record: Record) -> None:
    for _ in range(10_000):
        record.step(request(), allow())


def test_a_record_of_a_newer_guard_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with open_record(tmp_path) as record, raw(record.directory) as connection:
        connection.execute(f"PRAGMA user_version={schema.VERSION + 1}")
    with pytest.raises(RecordFailed, match="update mcp-guard"):
        open_record(tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER forget AFTER INSERT ON usage BEGIN DELETE FROM usage; END",
        "CREATE VIEW more AS SELECT * FROM usage",
        "ALTER TABLE usage ADD COLUMN more",
        "DROP INDEX one_outcome",
    ],
)
def test_a_record_whose_tables_were_altered_is_refused(tmp_path: Path, statement: str) -> None:
    with open_record(tmp_path) as record, raw(record.directory) as connection:
        connection.execute(statement)
    with pytest.raises(RecordFailed, match="as the guard made them"):
        open_record(tmp_path)
    with pytest.raises(RecordFailed, match="as the guard made them"):
        verify(record.directory)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    content = b"not a database, but long enough to be taken for one" * 20
    (tmp_path / "state").mkdir(mode=0o700)
    path = tmp_path / "state" / "guard.db"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(RecordFailed, match="damaged or no record"):
        open_record(tmp_path)
    assert path.read_bytes() == content


def test_a_start_that_was_cut_short_is_completed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "guard.db").touch(mode=0o600)
    with pytest.raises(RecordFailed, match="start the guard once"):
        verify(tmp_path / "state")
    with open_record(tmp_path) as record:
        assert verify(record.directory) == []


def test_a_durability_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`process` or `disk`"):
        Record.open(tmp_path / "state", session="s", clock=Clock(), durability="none")  # type: ignore[arg-type]


def test_a_full_disk_is_no_call_and_the_record_goes_on_once_there_is_room(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        no_more_room(record)
        with pytest.raises(RecordFailed, match="make room"):
            fill(record)
        room_again(record)
        record.step(request(), allow())
        assert verify(record.directory) == []


def test_a_full_disk_refuses_the_outcome_and_takes_it_later(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        entry = record.step(request(), allow())
        no_more_room(record)
        with pytest.raises(RecordFailed, match="make room"):
            fill(record)
        with pytest.raises(RecordFailed, match="make room"):
            record.finish(entry, Outcome.OK, duration_ms=1, note="x" * 256)
        room_again(record)
        record.finish(entry, Outcome.OK, duration_ms=1)
        assert verify(record.directory) == []


def test_a_read_only_record_is_no_call(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record._writer.connection.execute("PRAGMA query_only=1")
        with pytest.raises(RecordFailed, match="read-only"):
            record.step(request(), deny)
        record._writer.connection.execute("PRAGMA query_only=0")
        assert record.step(request(), deny).seq == 1


def test_a_lock_that_is_held_is_busy_and_not_waited_for(tmp_path: Path) -> None:
    with open_record(tmp_path) as record, raw(record.directory) as other:
        assert record._writer.connection.execute("PRAGMA busy_timeout").fetchone() == (0,)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordBusy):
            record.step(request(), never)
        other.execute("ROLLBACK")
        assert record.step(request(), deny).seq == 1


def test_a_start_takes_turns_and_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_START_PAUSE", 0)
    answers: list[GuardError | None] = [RecordBusy("one"), RecordBusy("two"), None]

    def action() -> str:
        if (error := answers.pop(0)) is not None:
            raise error
        return "opened"

    assert schema.patiently(action) == "opened"
    answers = [RecordBusy("still")] * 1000
    with pytest.raises(RecordBusy):
        schema.patiently(action)
    answers = [RecordFailed("broken")]
    with pytest.raises(RecordFailed):
        schema.patiently(action)


def as_version_1(directory: Path) -> None:
    """The record as a guard of version 1 would have left it."""
    with raw(directory) as connection:
        for name in set(schema.TABLES) - schema.FIRST_TABLES:
            connection.execute(f"DROP TABLE IF EXISTS {name}")
        texts = connection.execute("SELECT position, body FROM entries WHERE seq = 0").fetchall()
        for position, text in texts:
            connection.execute(
                "UPDATE entries SET body=? WHERE position=?", (bytes(text).replace(b'"format":2,', b""), position)
            )
        connection.execute("PRAGMA user_version=1")


@pytest.fixture
def one_more_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(schema.TABLES, "one_more", "CREATE TABLE one_more (word TEXT)")


@pytest.mark.usefixtures("one_more_table")
def test_a_record_of_version_1_gets_the_tables_that_it_lacks_and_keeps_its_entries(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(), allow())
    as_version_1(record.directory)
    with schema.open_for_reading(record.directory) as reading:
        assert reading.execute("SELECT count(*) FROM one_more").fetchone() == (0,)
        assert reading.execute("SELECT count(*) FROM entries").fetchone()[0] >= 2
    reading.close()
    with open_record(tmp_path) as record, raw(record.directory) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
        assert set(dict(connection.execute("SELECT name, 1 FROM sqlite_master WHERE sql IS NOT NULL"))) == set(
            schema.TABLES
        )
        assert connection.execute("SELECT count(*) FROM entries WHERE seq = 1").fetchone() == (1,)


@pytest.mark.usefixtures("one_more_table")
@pytest.mark.parametrize("version", [1, schema.VERSION])
def test_a_table_dropped_from_a_newer_record_is_damage_whatever_version_it_is_said_to_have(
    tmp_path: Path, version: int
) -> None:
    with open_record(tmp_path) as record, raw(record.directory) as connection:
        connection.execute("DROP TABLE one_more")
        connection.execute(f"PRAGMA user_version={version}")
    with pytest.raises(RecordFailed, match="as the guard made them"):
        open_record(tmp_path)
