"""The tables of `guard.db`, how it is opened, and what SQLite's errors mean for a call."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

from mcp_guard.errors import GuardError, InputError, RecordBusy, RecordFailed
from mcp_guard.record.place import DATABASE

T = TypeVar("T")

Durability = Literal["process", "disk"]
"""`process`: what is recorded survives a killed process; `disk`: a power cut too, since each commit waits for it."""

VERSION = 2
"""`user_version` of the file. A newer one is refused: an older guard might not see what binds it."""

FIRST_TABLES = frozenset({"chains", "entries", "one_outcome", "usage", "first_seen", "first_used"})
"""What a file of version 1 has. What is missing beyond these is added when it is opened; from version 2 on, a table
that is missing is damage: whoever drops one must not get it back empty.
"""

# `entries` is the evidence; the tables beside it and `chains` follow from it, and `verify` holds them against it.
TABLES = {
    "chains": """CREATE TABLE chains (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        seq INTEGER NOT NULL,
        head BLOB NOT NULL,
        bound INTEGER NOT NULL)""",
    "entries": """CREATE TABLE entries (
        position INTEGER PRIMARY KEY,
        chain INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        time TEXT NOT NULL,
        finishes INTEGER,
        body BLOB NOT NULL,
        hash BLOB NOT NULL)""",
    "one_outcome": "CREATE UNIQUE INDEX one_outcome ON entries (finishes) WHERE finishes IS NOT NULL",
    "usage": """CREATE TABLE usage (
        session TEXT NOT NULL,
        rule TEXT NOT NULL,
        calls INTEGER NOT NULL,
        sums TEXT NOT NULL,
        PRIMARY KEY (session, rule)) WITHOUT ROWID""",
    "first_seen": """CREATE TABLE first_seen (
        server TEXT PRIMARY KEY,
        tools TEXT NOT NULL) WITHOUT ROWID""",
    "first_pins": """CREATE TABLE first_pins (
        server TEXT PRIMARY KEY,
        pins TEXT NOT NULL) WITHOUT ROWID""",
    "first_used": """CREATE TABLE first_used (
        key TEXT PRIMARY KEY,
        time TEXT NOT NULL) WITHOUT ROWID""",
    "sightings": """CREATE TABLE sightings (
        session TEXT NOT NULL,
        unit BLOB NOT NULL,
        tool TEXT NOT NULL,
        field TEXT NOT NULL,
        kind INTEGER NOT NULL,
        position INTEGER NOT NULL,
        PRIMARY KEY (session, unit, tool, field, kind)) WITHOUT ROWID""",
    "sightings_in_order": "CREATE INDEX sightings_in_order ON sightings (session, position) WHERE kind < 3",
    "sighted": """CREATE TABLE sighted (
        session TEXT PRIMARY KEY,
        gained INTEGER NOT NULL,
        carried INTEGER NOT NULL,
        forgotten INTEGER NOT NULL) WITHOUT ROWID""",
    "questions": """CREATE TABLE questions (
        entry TEXT PRIMARY KEY,
        session TEXT NOT NULL,
        digest TEXT NOT NULL,
        authority TEXT NOT NULL,
        pin TEXT NOT NULL,
        asks TEXT NOT NULL,
        tier INTEGER NOT NULL,
        asked TEXT NOT NULL,
        until TEXT NOT NULL,
        state TEXT NOT NULL,
        answerer TEXT NOT NULL,
        answered_in INTEGER NOT NULL,
        valid TEXT NOT NULL,
        waits TEXT NOT NULL) WITHOUT ROWID""",
    "standing": """CREATE TABLE standing (
        entry TEXT PRIMARY KEY,
        session TEXT NOT NULL,
        authority TEXT NOT NULL,
        pin TEXT NOT NULL,
        asks TEXT NOT NULL,
        clauses TEXT NOT NULL,
        says TEXT NOT NULL,
        answerer TEXT NOT NULL,
        answered_in INTEGER NOT NULL,
        until TEXT NOT NULL) WITHOUT ROWID""",
    "stops": """CREATE TABLE stops (
        scope TEXT PRIMARY KEY,
        since TEXT NOT NULL,
        why TEXT NOT NULL) WITHOUT ROWID""",
    # Where the closed file ended that went before this one; empty in the first.
    "carried": """CREATE TABLE carried (
        file TEXT NOT NULL,
        position INTEGER NOT NULL,
        time TEXT NOT NULL,
        hash BLOB NOT NULL)""",
    "labels": """CREATE TABLE labels (
        session TEXT NOT NULL,
        label TEXT NOT NULL,
        position INTEGER NOT NULL,
        PRIMARY KEY (session, label)) WITHOUT ROWID""",
    "admitted": """CREATE TABLE admitted (
        session TEXT NOT NULL,
        tool TEXT NOT NULL,
        grants TEXT NOT NULL,
        calls INTEGER NOT NULL,
        PRIMARY KEY (session, tool, grants)) WITHOUT ROWID""",
    "renewed": """CREATE TABLE renewed (
        session TEXT PRIMARY KEY,
        times INTEGER NOT NULL) WITHOUT ROWID""",
    "spent": """CREATE TABLE spent (
        account TEXT NOT NULL,
        rule TEXT NOT NULL,
        time TEXT NOT NULL,
        position INTEGER NOT NULL,
        calls INTEGER NOT NULL,
        sums TEXT NOT NULL,
        fingerprints TEXT NOT NULL,
        PRIMARY KEY (account, rule, time, position)) WITHOUT ROWID""",
    "used_values": """CREATE TABLE used_values (
        account TEXT NOT NULL,
        rule TEXT NOT NULL,
        argument TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        calls INTEGER NOT NULL,
        PRIMARY KEY (account, rule, argument, fingerprint)) WITHOUT ROWID""",
    "accepted": """CREATE TABLE accepted (
        place TEXT NOT NULL,
        context TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        PRIMARY KEY (place, context)) WITHOUT ROWID""",
    "denied": """CREATE TABLE denied (
        session TEXT NOT NULL,
        position INTEGER NOT NULL,
        time TEXT NOT NULL,
        count INTEGER NOT NULL,
        severity INTEGER NOT NULL,
        PRIMARY KEY (session, position)) WITHOUT ROWID""",
}

_SYNCHRONOUS = {"process": "NORMAL", "disk": "FULL"}
_WAL_PAGES = 2000  # 8 MB; how long the log may get if nobody writes it back in time (`upkeep`)
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_OPENINGS = "SELECT body FROM entries WHERE seq = 0"
_START_TRIES, _START_PAUSE = 250, 0.02  # seconds; five processes that start together take turns, at most 5 s


def explained(error: sqlite3.Error) -> GuardError:
    """What an error of SQLite means: busy is worth another judgement, all else ends the call."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _BUSY:
        return RecordBusy("another process is writing to the record; nothing was written, judge again")
    if code is not None and code & 0xFF == sqlite3.SQLITE_FULL:
        return RecordFailed("no room for the record: make room on its disk; until then nothing is let through")
    if code is not None and code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return RecordFailed(f"`{DATABASE}` is damaged or no record: move it away, keep it as evidence, and start again")
    if code is not None and code & 0xFF == sqlite3.SQLITE_READONLY:
        return RecordFailed("the record can't be written: its file or disk is read-only")
    return RecordFailed(f"the record failed: {error}")


def open_for_writing(directory: Path, durability: Durability) -> sqlite3.Connection:
    """A connection that never waits for a lock, over a file of this schema. Waits, bounded, only while it starts."""
    if durability not in _SYNCHRONOUS:
        raise InputError(f"unknown durability `{durability}`; it is `process` or `disk`")
    # mode=rw: if the file vanished since it was checked, SQLite must not make one with the umask's permissions
    uri = f"{(directory / DATABASE).as_uri()}?mode=rw"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)
        try:
            patiently(lambda: _prepare(connection, durability))
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise explained(error) from error
    return connection


def open_for_reading(directory: Path) -> sqlite3.Connection:
    """A connection that can't write, over a file of this schema."""
    return open_file_for_reading(directory / DATABASE)


def open_file_for_reading(path: Path) -> sqlite3.Connection:
    """The same for a file under any name. Tables that version 1 didn't have are there, and empty."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=1.0, isolation_level=None)
        try:
            patiently(lambda: _check_schema(connection))
            _lend_tables(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise explained(error) from error
    return connection


def write_back(directory: Path) -> None:
    """Write the log back into the file, on a connection of its own: nobody who reads or writes waits for this."""
    try:
        connection = sqlite3.connect(f"{(directory / DATABASE).as_uri()}?mode=rw", uri=True, timeout=0)
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        if not isinstance(explained(error), RecordBusy):
            raise explained(error) from error


def patiently(action: Callable[[], T]) -> T:
    """Try again while the record is busy, for some seconds. For the start of a process, never inside its loop."""
    for _ in range(_START_TRIES):
        try:
            return action()
        except RecordBusy:
            pass
        except sqlite3.Error as error:
            if not isinstance(explained(error), RecordBusy):
                raise
        time.sleep(_START_PAUSE)
    return action()


def make(path: Path) -> None:
    """Give an empty file the tables of a record in which nothing stands yet."""
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None)
        try:
            _complete_tables(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise explained(error) from error


def _prepare(connection: sqlite3.Connection, durability: Durability) -> None:
    if connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
        raise RecordFailed("the record's disk can't share a file between processes; keep the record on a local disk")
    connection.execute(f"PRAGMA synchronous={_SYNCHRONOUS[durability]}")
    connection.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
    connection.execute("PRAGMA trusted_schema=OFF")
    if not _objects(connection) or _version(connection) < VERSION:  # asked again under the lock; else it isn't locked
        _complete_tables(connection)
    _check_schema(connection)


def _complete_tables(connection: sqlite3.Connection) -> None:
    """Make the tables of a new file, or add to one of version 1 what it hasn't got."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version, objects = _version(connection), _objects(connection)
        if (version == 0 and not objects) or (version == 1 and _is_first(connection, objects)):
            for name, statement in TABLES.items():
                if name not in objects:
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _is_first(connection: sqlite3.Connection, objects: dict[str, str]) -> bool:
    """Is it what a guard of version 1 left? A newer file that was set back has openings that say their format."""
    if objects != {name: TABLES[name] for name in FIRST_TABLES}:
        return False
    return not any(b'"format":' in bytes(text) for (text,) in connection.execute(_OPENINGS))


def _check_schema(connection: sqlite3.Connection) -> None:
    """Refuse a newer file, a file of another program, and one to which somebody added a trigger or a view."""
    if (version := _version(connection)) > VERSION:
        raise RecordFailed(
            f"the record is of a newer mcp-guard (format {version}, this one knows {VERSION}); update mcp-guard"
        )
    objects = _objects(connection)
    if not objects:
        raise RecordFailed(f"`{DATABASE}` is empty; start the guard once")
    if objects != TABLES and not (version == 1 and _is_first(connection, objects)):
        raise RecordFailed(
            f"`{DATABASE}` doesn't have the guard's tables as the guard made them; move it away, keep it as evidence"
        )


def _lend_tables(connection: sqlite3.Connection) -> None:
    """For a reader of a version 1 file, which it can't change: the newer tables, in memory."""
    if _version(connection) < VERSION:
        newer = (statement for name, statement in TABLES.items() if name not in FIRST_TABLES)
        for statement in newer:
            if statement.startswith("CREATE TABLE "):
                connection.execute(statement.replace("CREATE TABLE ", "CREATE TEMP TABLE ", 1))


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _objects(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
