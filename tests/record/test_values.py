"""Arguments that a person wants kept: apart from the record, without secrets, and held against its entries."""

from __future__ import annotations

import base64
import sqlite3
import stat
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mcp_guard.cli.app import app
from mcp_guard.errors import InputError, RecordFailed
from mcp_guard.record import values as kept_values
from mcp_guard.record.entries import Entry
from mcp_guard.record.query import open_for_reading
from mcp_guard.record.store import Record
from mcp_guard.record.values import FILE, KEPT, Reader, Values
from mcp_guard.record.values_check import check_values
from mcp_guard.record.verify import Report
from mcp_guard.record.was import value_digests
from tests.record.examples import Clock, allow, open_record, request

TOKEN = "ghp_" + "a1B2" * 9
KNOWN = dict.fromkeys(("to", "text", "list", "amount", "password"))


def called(record: Record, values: Values, arguments: dict[str, Any]) -> Entry:
    digests = value_digests(record.key, arguments, KNOWN)
    entry = record.step(request(values=digests), allow())
    values.keep(entry, arguments, KNOWN)
    return entry


def read(record: Record, entry: Entry) -> tuple[Any, list[str]]:
    reader = Reader.of(record.directory, record.key)
    with open_for_reading(record.directory) as query:
        row = query.find(entry.id)
        assert row is not None
        return reader.of_entry(entry.id, row.body), reader.changed


def findings(record: Record) -> list[str]:
    report = Report()
    check_values(record.directory, report)
    return [one.text for one in report.findings]


def change(record: Record, statement: str, *given: Any) -> None:
    with closing(sqlite3.connect(record.directory / FILE)) as connection, connection:
        connection.execute(statement, given)


def test_what_a_call_carried_is_read_back_and_only_under_names_that_its_tool_has(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        entry = called(record, Values(record.directory, record.key), {"to": "DE1", "amount": 2**70, "made up": "x"})
        kept, changed = read(record, entry)
        assert (kept.values, changed) == ({"to": "DE1", "amount": 2**70}, [])
        assert "made up" not in (record.directory / FILE).read_bytes().decode("latin-1")
        assert stat.S_IMODE((record.directory / FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "value",
    [TOKEN, f"see {TOKEN}.", ["x", {"y": TOKEN}], {TOKEN: 1}, base64.b64encode(f"k={TOKEN} ".encode()).decode()],
)
def test_a_secret_is_kept_as_a_mark_only(tmp_path: Path, value: Any) -> None:
    with open_record(tmp_path) as record:
        entry = called(record, Values(record.directory, record.key), {"to": "DE1", "text": value})
        kept, _ = read(record, entry)
        assert kept.values == {"to": "DE1"}
        assert "github" in kept.missing["text"]
        files = b"".join(path.read_bytes() for path in record.directory.glob("values.db*"))
        assert TOKEN.encode() not in files
        assert base64.b64encode(TOKEN.encode())[4:20] not in files


def test_what_is_too_large_is_left_out_and_said(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        entry = called(record, Values(record.directory, record.key), {"text": "x" * kept_values.MAX_EACH})
        kept, _ = read(record, entry)
        assert kept.values == {}
        assert "bytes" in kept.missing["text"]


@pytest.mark.parametrize(
    "statement",
    [
        """UPDATE kept SET arguments=replace(arguments, 'DE1', 'DE2')""",
        """UPDATE kept SET arguments='{"to":{"masked":"x"}}'""",
        "UPDATE kept SET arguments='{}'",
        "UPDATE kept SET seal='00'",
        "UPDATE kept SET arguments='['",
    ],
)
def test_values_that_were_changed_count_for_nothing_and_verify_names_them(tmp_path: Path, statement: str) -> None:
    with open_record(tmp_path) as record:
        entry = called(record, Values(record.directory, record.key), {"to": "DE1"})
        assert findings(record) == []
        change(record, statement)
        assert read(record, entry) == (None, [entry.id])
        assert findings(record) == [f"the values kept of {entry.id} aren't those of its call"]


def test_the_command_that_verifies_looks_at_values_too(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        called(record, Values(record.directory, record.key), {"to": "DE1"})
        command = ["log", "verify", "--state", str(record.directory)]
        assert CliRunner().invoke(app, command, standalone_mode=False).return_value == 0
        change(record, "UPDATE kept SET arguments='{}'")
        done = CliRunner().invoke(app, command, standalone_mode=False)
    assert (done.return_value, "aren't those of its call" in done.stdout) == (1, True)


def test_values_of_one_call_are_not_taken_for_those_of_another(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        values = Values(record.directory, record.key)
        first, second = (called(record, values, {"to": name}) for name in ("DE1", "DE2"))
        change(record, "DELETE FROM kept WHERE entry=?", second.id)
        change(record, "UPDATE kept SET entry=? WHERE entry=?", second.id, first.id)
        assert read(record, second) == (None, [second.id])


def test_somebody_with_the_key_cannot_put_another_value_in_the_place_of_one(tmp_path: Path) -> None:
    """The seal could be made anew; the digest in the entry can't, since it is in the chain."""
    with open_record(tmp_path) as record:
        entry = called(record, Values(record.directory, record.key), {"to": "DE1"})
        text = '{"to":{"value":"DE2"}}'
        change(record, "UPDATE kept SET arguments=?, seal=?", text, kept_values.seal(record.key, entry.id, text))
        assert read(record, entry) == (None, [entry.id])


def test_the_file_may_be_deleted_at_any_moment(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        values = Values(record.directory, record.key)
        first = called(record, values, {"to": "DE1"})
        for path in record.directory.glob("values.db*"):
            path.unlink()
        second = called(record, values, {"to": "DE2"})
        assert read(record, first) == (None, [])
        assert read(record, second)[0].values == {"to": "DE2"}
        assert findings(record) == []


def test_what_is_old_goes_and_never_stays_longer_than_values_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_values, "PRUNE", 0)
    clock = Clock()
    with open_record(tmp_path, clock=clock) as record:
        values = Values(record.directory, record.key, timedelta(days=90))
        old = called(record, values, {"to": "DE1"})
        clock.now += KEPT + timedelta(seconds=1)
        called(record, values, {"to": "DE2"})
        assert read(record, old) == (None, [])


def test_the_oldest_go_where_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_values, "PRUNE", 0)
    monkeypatch.setattr(kept_values, "MAX_BYTES", 150)
    with open_record(tmp_path) as record:
        values = Values(record.directory, record.key)
        entries = [called(record, values, {"to": str(number) * 40}) for number in range(5)]
        there = [read(record, entry)[0] is not None for entry in entries]
        assert there == [False, False, False, True, True]


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        (record.directory / FILE).touch()
        (record.directory / FILE).chmod(0o644)
        with pytest.raises((InputError, RecordFailed), match="chmod 600"):
            called(record, Values(record.directory, record.key), {"to": "DE1"})
