"""Closed files: what a record that has grown long is kept in, and how long.

When a guard starts and no other has the record open, a file that is too large is closed under the name of its first and
last position, and a new `guard.db` begins with the same tables beside the entries. Its first opening binds the end of
the closed file, so that the two are one chain. Retention removes whole closed files, and an entry says so beforehand.
"""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from mcp_guard.errors import RecordBusy, RecordFailed
from mcp_guard.record import place, schema
from mcp_guard.record.entries import stamp

_CLOSED = re.compile(r"guard-([1-9][0-9]{0,18})-([1-9][0-9]{0,18})\.db")
_NEXT = "guard.db.next"
_NOT_COPIED = {"entries", "carried"}


@dataclass(frozen=True, slots=True)
class Limits:
    """How large the file may get before it is closed (bytes), and how long closed files stay; None: no limit."""

    max_size: int | None = None
    retention: timedelta | None = None


class Presence:
    """A lock on `guard.lock`: shared by all processes that have the record open to write, alone while one closes it.

    Raises RecordBusy if it can't be had now.
    """

    def __init__(self, directory: Path, *, alone: bool = False) -> None:
        path = directory / place.LOCK
        if not os.path.lexists(path):
            place.publish(path, b"")
        self._descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(self._descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise RecordBusy("another process has the record") from error

    def close(self) -> None:
        os.close(self._descriptor)


def closed_files(directory: Path) -> list[Path]:
    """The closed files that are there, oldest first; not one whose closing was cut short."""
    found = [(int(named[1]), path) for path in directory.iterdir() if (named := _CLOSED.fullmatch(path.name))]
    return [path for _, path in sorted(found) if not path.samefile(directory / place.DATABASE)]


def close_if_large(directory: Path, limits: Limits) -> None:
    """Begin a new file if this one is too large and nobody else has it; else it is for a later start."""
    path = directory / place.DATABASE
    if limits.max_size is None or path.stat().st_size <= limits.max_size:
        return
    try:
        lock = Presence(directory, alone=True)
    except RecordBusy:
        return
    try:
        _close(directory, path)
    except sqlite3.Error as error:
        raise schema.explained(error) from error
    except OSError as error:
        raise RecordFailed(f"can't close the record's file: {(error.strerror or '').lower()}") from error
    finally:
        lock.close()


def retire(directory: Path, limits: Limits, now: datetime, tell: Callable[[list[str]], None]) -> None:
    """Remove the closed files of which every entry is older than the retention; `tell` commits that before."""
    if limits.retention is None:
        return
    before = stamp(now - limits.retention)
    old = [path for path in closed_files(directory) if _last_time(path) < before]
    if old:
        tell([path.name for path in old])
        for path in old:
            path.unlink(missing_ok=True)


def _last_time(path: Path) -> str:
    connection = schema.open_file_for_reading(path)
    try:
        found = connection.execute("SELECT time FROM entries ORDER BY position DESC LIMIT 1").fetchone()
    finally:
        connection.close()
    return "9999" if found is None else str(found[0])  # one that isn't what it should be is nobody's to remove


def _close(directory: Path, path: Path) -> None:
    old = schema.open_for_writing(directory, "disk")
    try:
        if old.execute("PRAGMA journal_mode=DELETE").fetchone()[0] != "delete":
            return  # a reader is in it
        last = old.execute("SELECT position, time, hash FROM entries ORDER BY position DESC LIMIT 1").fetchone()
        first = old.execute("SELECT min(position) FROM entries").fetchone()[0]
    except sqlite3.OperationalError as error:
        if isinstance(schema.explained(error), RecordBusy):
            return
        raise
    finally:
        old.close()
    if last is None:
        return
    closed = directory / f"guard-{first}-{last[0]}.db"
    _begin(directory / _NEXT, path, (closed.name, *last))
    if not os.path.lexists(closed):  # it is there if a closing was cut short between these two steps
        os.link(path, closed, follow_symlinks=False)
    elif not closed.samefile(path):
        raise RecordFailed(f"`{closed}` is there already and is another file; move it away, keep it as evidence")
    (directory / _NEXT).rename(path)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _begin(path: Path, old: Path, carried: tuple[str, int, str, bytes]) -> None:
    """A file without entries, and with everything else that the old one has."""
    path.unlink(missing_ok=True)
    place.publish(path, b"")
    connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        connection.execute("ATTACH ? AS old", (f"{old.as_uri()}?mode=ro",))
        connection.execute("BEGIN IMMEDIATE")
        for name, statement in schema.TABLES.items():
            connection.execute(statement)
            if statement.startswith("CREATE TABLE ") and name not in _NOT_COPIED:
                connection.execute(f"INSERT INTO main.{name} SELECT * FROM old.{name}")  # noqa: S608 - of TABLES
        connection.execute("INSERT INTO carried VALUES (?, ?, ?, ?)", carried)
        connection.execute(f"PRAGMA user_version={schema.VERSION}")
        connection.execute("COMMIT")
    finally:
        connection.close()
