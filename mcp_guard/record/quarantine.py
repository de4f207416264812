"""Answers that wait for a person: the only place where content is kept, apart from the record (law 8).

A file of its own beside the record (0600), bounded in number, size and time, so that it can be deleted at any moment:
what was held then stays withheld. What is held, and what was released, stands in the chain with a keyed digest of the
content; this file only has the bytes, and bytes of another digest are not given out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from mcp_guard.errors import RecordFailed
from mcp_guard.record import place
from mcp_guard.record.entries import stamp

FILE = "quarantine.db"
KEPT = timedelta(days=14)
MAX_HELD = 200
"""Answers; for one more, the oldest goes."""
MAX_EACH = 8 << 20
MAX_BYTES = 64 << 20
"""Bytes of one, and of all of them."""
_WAIT = 0.2  # seconds for another process, since the event loop stands still meanwhile
_TABLE = """CREATE TABLE IF NOT EXISTS held (
    entry TEXT PRIMARY KEY,
    time TEXT NOT NULL,
    call TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    released INTEGER,
    content BLOB NOT NULL) WITHOUT ROWID"""


@dataclass(frozen=True, slots=True)
class Held:
    """One answer. `call`: whose repetition gets it; `released`: the position of the entry that says so."""

    entry: str
    time: datetime
    call: str
    name: str  # server/target
    digest: str
    released: int | None
    content: bytes


class Quarantine:
    """The held answers beside the record of `directory`. Raises RecordFailed where the file can't be used."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE

    def hold(self, held: Held) -> bool:
        """Keep an answer; False if it is too large. What is too old, and the oldest beyond the bounds, goes."""
        if len(held.content) > MAX_EACH:
            return False
        with self._open() as connection:
            row = (held.entry, stamp(held.time), held.call, held.name, held.digest, None, held.content)
            connection.execute("INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            _prune(connection, held.time)
        return True

    def all(self, now: datetime) -> list[Held]:
        """What is held, oldest first."""
        if not place.exists(self._path):
            return []
        with self._open() as connection:
            _prune(connection, now)
            return [_held(row) for row in connection.execute("SELECT * FROM held ORDER BY time, entry")]

    def find(self, entry: str, now: datetime) -> Held | None:
        """The answer to the call of this entry."""
        return next((one for one in self.all(now) if one.entry == entry), None)

    def release(self, entry: str, position: int) -> None:
        """The entry at `position` says that this answer is released."""
        with self._open() as connection:
            connection.execute("UPDATE held SET released=? WHERE entry=?", (position, entry))

    def released(self, call: str, now: datetime) -> Held | None:
        """The oldest released answer to a call like this one."""
        return next((one for one in self.all(now) if one.call == call and one.released is not None), None)

    def has(self, entry: str) -> bool:
        """Is the answer to the call of this entry still kept?"""
        with self._open() as connection:
            return connection.execute("SELECT 1 FROM held WHERE entry=?", (entry,)).fetchone() is not None

    def drop(self, entry: str) -> None:
        """It was given out, or is not wanted."""
        with self._open() as connection:
            connection.execute("DELETE FROM held WHERE entry=?", (entry,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            if not place.exists(self._path):
                place.publish(self._path, b"")
            place.check_file(self._path)
            connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode=rw", uri=True, timeout=_WAIT, isolation_level=None
            )
            try:
                connection.execute("PRAGMA secure_delete=ON")
                connection.execute(_TABLE)
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            finally:
                connection.close()
        except (sqlite3.Error, OSError) as error:
            raise RecordFailed(f"`{FILE}` can't be used: {error}") from error


def _prune(connection: sqlite3.Connection, now: datetime) -> None:
    connection.execute("DELETE FROM held WHERE time < ?", (stamp(now - KEPT),))
    rows = connection.execute("SELECT entry, length(content) FROM held ORDER BY time DESC, entry DESC").fetchall()
    total = 0
    for number, (entry, size) in enumerate(rows):
        total += size
        if number >= MAX_HELD or total > MAX_BYTES:
            connection.execute("DELETE FROM held WHERE entry=?", (entry,))


def _held(row: tuple[str, str, str, str, str, int | None, bytes]) -> Held:
    entry, time, call, name, digest, released, content = row
    return Held(entry, datetime.fromisoformat(time), call, name, digest, released, content)
