"""What a reader keeps so that a long record answers at once: each entry's fields as small numbers, in a file apart.

Made from the entries and never trusted: it says where to look, and what is shown is read from the record itself. It is
brought up to date when it is used, and made anew if it doesn't belong to the record that is there. The writer pays
nothing for it.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from mcp_guard.record import place
from mcp_guard.record.entries import EntryKind

SMALL = 20_000
"""Entries up to which a record is simply read through: that takes less than half a second."""
STEP = 20_000  # entries between two reports of progress

FIELDS = (
    *("kind", "session", "principal", "client", "method", "server", "target"),
    *("name", "effect", "reason", "rules", "outcome", "flags"),
)
"""What each entry is filed under, `outcome` once it is there. An entry that hasn't got a field has the empty text."""

_FORMAT = 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TABLES = (
    "CREATE TABLE texts (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
    f"CREATE TABLE rows (position INTEGER PRIMARY KEY, count INTEGER, time INTEGER, {', '.join(FIELDS)})",
    "CREATE TABLE upto (position INTEGER, hash BLOB)",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Conditions that all have to be met: by field, which of the texts that occur fit."""

    clauses: tuple[tuple[str, Callable[[str], bool]], ...] = ()
    since: datetime | None = None
    until: datetime | None = None  # exclusive
    before: int = 0  # a position, exclusive; 0: none


class Index:
    """The fields of all entries that `connection` has, up to date from the moment that it is made."""

    def __init__(
        self, record: sqlite3.Connection, directory: Path | None, progress: Callable[[int], object] = lambda _: None
    ) -> None:
        self._record = record
        self._file = _open(directory)
        try:
            self._bring_up_to_date(progress)
        except sqlite3.DatabaseError:  # damaged, or another program's: it is only a help
            self._file.close()
            self._file = _made(sqlite3.connect(":memory:", isolation_level=None))
            self._bring_up_to_date(progress)

    def close(self) -> None:
        self._file.close()

    def positions(self, wanted: Wanted, *, newest_first: bool) -> Iterator[int]:
        """Where entries are that fit."""
        where, order = self._where(wanted), "DESC" if newest_first else "ASC"
        query = f"SELECT position FROM rows {where} ORDER BY position {order}"  # noqa: S608 - numbers alone
        return (row[0] for row in self._file.execute(query))

    def counts(self, field: str, wanted: Wanted) -> Counter[str]:
        """How often each text stands in a field, among the calls and other entries that fit."""
        if field == "day":
            field, texts = "date(time / 1000000, 'unixepoch')", {}
        else:
            texts = self._texts()
        query = f"SELECT {field}, sum(count) FROM rows {self._where(wanted)} GROUP BY 1"  # noqa: S608 - of FIELDS
        return Counter({texts.get(found, found): count for found, count in self._file.execute(query)})

    def _where(self, wanted: Wanted) -> str:
        texts = self._texts()
        parts = ["1"]
        if wanted.since is not None:
            parts.append(f"time >= {microseconds(wanted.since)}")
        if wanted.until is not None:
            parts.append(f"time < {microseconds(wanted.until)}")
        if wanted.before:
            parts.append(f"position < {wanted.before}")
        for field, fits in wanted.clauses:
            numbers = [number for number, text in texts.items() if fits(text)]
            parts.append(f"{field} IN ({','.join(map(str, numbers))})")
        return f"WHERE {' AND '.join(parts)}"

    def _texts(self) -> dict[int, str]:
        return dict(self._file.execute("SELECT number, text FROM texts"))

    def _bring_up_to_date(self, progress: Callable[[int], object]) -> None:
        self._file.execute("BEGIN IMMEDIATE")
        try:
            self._fill(self._upto(), progress)
            self._file.execute("COMMIT")
        except BaseException:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            raise

    def _upto(self) -> int:
        """Up to where it is made; from the beginning if the entry that was there is another one now."""
        found = self._file.execute("SELECT position, hash FROM upto").fetchone()
        if found is not None:
            there = self._record.execute("SELECT hash FROM entries WHERE position = ?", (found[0],)).fetchone()
            if there is not None and there[0] == found[1]:
                return int(found[0])
        for table in ("rows", "texts", "upto"):
            self._file.execute(f"DELETE FROM {table}")  # noqa: S608 - one of three names
        return 0

    def _fill(self, after: int, progress: Callable[[int], object]) -> None:
        numbers = {text: number for number, text in self._texts().items()}
        rows: list[tuple[int, ...]] = []
        outcomes: list[tuple[int, int]] = []
        position, hashed, done = after, b"", 0
        query = "SELECT position, finishes, body, hash FROM entries WHERE position > ? ORDER BY position"
        for position, finishes, text, hashed in self._record.execute(query, (after,)):  # noqa: B007 - the last one's is kept
            body = _body(text)
            if finishes is not None:
                outcomes.append((_number(numbers, str(body.get("outcome", ""))), finishes))
            else:
                rows.append((position, _count(body), _time(body), *(_number(numbers, one) for one in _fields(body))))
            done += 1
            if done % STEP == 0:
                self._write(rows, outcomes)
                progress(done)
        self._write(rows, outcomes)
        self._file.executemany("INSERT OR IGNORE INTO texts VALUES (?, ?)", ((n, text) for text, n in numbers.items()))
        if done:
            self._file.execute("DELETE FROM upto")
            self._file.execute("INSERT INTO upto VALUES (?, ?)", (position, hashed))

    def _write(self, rows: list[tuple[int, ...]], outcomes: list[tuple[int, int]]) -> None:
        marks = ",".join("?" * (3 + len(FIELDS)))
        self._file.executemany(f"INSERT OR REPLACE INTO rows VALUES ({marks})", rows)  # noqa: S608
        self._file.executemany("UPDATE rows SET outcome = ? WHERE position = ?", outcomes)
        rows.clear()
        outcomes.clear()


def rules_text(rules: list[str]) -> str:
    """The rules of an entry as one text, the deciding one first; a rule's key has no line break."""
    return "\n".join(rule.replace("\n", " ") for rule in rules)


def flags_text(flags: object) -> str:
    """The kinds of an entry's flags as one text: what stands before each reason."""
    texts = [str(flag).partition(":")[0] for flag in flags] if isinstance(flags, list) else []
    return rules_text(texts)


def server_of(body: dict[str, Any]) -> str:
    """The tool server that an entry is about, whichever kind it is."""
    if "server" in body:
        return str(body["server"])
    data = body.get("data")
    name = data.get("server") if isinstance(data, dict) else None
    if not name:
        return ""
    return str(name).rpartition(":")[0] if body.get("kind") == EntryKind.FIRST_SIGHT else str(name)


def _fields(body: dict[str, Any]) -> Iterator[str]:
    for name in FIELDS:
        if name == "rules":
            yield rules_text([str(rule["key"]) for rule in body.get("rules", ())])
        elif name == "flags":
            yield flags_text(body.get("flags"))
        elif name == "server":
            yield server_of(body)
        elif name == "name":
            yield f"{body['server']}/{body['target']}" if body.get("target") else str(body.get("server", ""))
        else:
            yield str(body.get(name, ""))


def _body(text: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(text)
    except (TypeError, ValueError):
        body = None
    return body if isinstance(body, dict) else {}  # `verify` names it, and showing it says so


def microseconds(moment: datetime) -> int:
    """Since 1970, exactly."""
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def _time(body: dict[str, Any]) -> int:
    try:
        return microseconds(datetime.fromisoformat(str(body.get("time"))))
    except ValueError:
        return 0


def _count(body: dict[str, Any]) -> int:
    count = body.get("count", 1)
    return count if isinstance(count, int) and 0 < count < 2**53 else 1


def _number(numbers: dict[str, int], text: str) -> int:
    return numbers.setdefault(text, len(numbers) + 1)


def _open(directory: Path | None) -> sqlite3.Connection:
    """The index beside the record; in memory where none can be kept."""
    if directory is not None and os.access(directory, os.W_OK):
        path = directory / place.INDEX
        try:
            if not os.path.lexists(path):
                place.publish(path, b"")
            place.check(directory)
            return _made(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=30, isolation_level=None))
        except (OSError, sqlite3.Error):
            pass
    return _made(sqlite3.connect(":memory:", isolation_level=None))


def _made(connection: sqlite3.Connection) -> sqlite3.Connection:
    """With its tables; what another version left is thrown away. Closed where that can't be done."""
    try:
        _make(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous=OFF")  # a help that can be made again
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("PRAGMA user_version").fetchone()[0] != _FORMAT:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall():
            connection.execute(f'DROP TABLE "{name}"')
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={_FORMAT}")
    connection.execute("COMMIT")
