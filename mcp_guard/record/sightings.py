"""What a session has seen and carried: keyed digests of units with their origins, kept beside the entries.

Every row follows from a `sighted` entry, which has their number and their digest, so that `verify` can hold the two
together. Bounded for each session: gains fall out, oldest entry first; when what was carried is full, nothing gains.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable
from hashlib import sha256
from typing import Any

from mcp_guard.errors import RecordFailed
from mcp_guard.history.index import CARRIED, MAX_CARRIED, MAX_GAINED, Row
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.schema import explained
from mcp_guard.record.writer import Transaction

Read = Callable[["Sightings"], list[Row]]
"""What to keep, worked out from what is kept already; carried rows or gained ones, never both."""


_ROW = 2 * (4096 + 24)
"""Bytes of the log that a row may take: a page of the table, and one of its index."""


class Sightings:
    """The rows of one session, as `history.index.Rows` wants them; each digest is read once."""

    __slots__ = ("_connection", "_known", "_session")

    def __init__(self, connection: sqlite3.Connection, session: str) -> None:
        self._connection = connection
        self._session = session
        self._known: dict[bytes, tuple[Row, ...]] = {}

    def at(self, unit: bytes) -> Collection[Row]:
        if unit not in self._known:
            try:
                found = self._connection.execute(
                    "SELECT tool, field, kind FROM sightings WHERE session=? AND unit=?", (self._session, unit)
                ).fetchall()
            except sqlite3.Error as error:
                raise explained(error) from error
            self._known[unit] = tuple(Row(unit, *row) for row in found)
        return self._known[unit]

    @property
    def forgotten(self) -> bool:
        """Did anything fall out?"""
        return _counts(self._connection, self._session)[2] > 0


def keep(moment: Transaction, session: str, call: int, rows: list[Row], everything: bytes) -> None:
    """Write rows down with their entry.

    `call` is the position of the decision that they belong to; `everything` stands for all there is (see `Digests`).
    Raises NoRoom, with nothing written, if they would take the room of outcomes.
    """
    gained, carried, forgotten = _counts(moment.connection, session)
    if rows and rows[0].kind == CARRIED and carried + len(rows) > MAX_CARRIED:
        full = Row(everything, "", "", CARRIED)
        rows = [] if full in Sightings(moment.connection, session).at(everything) else [full]
    if not rows:
        return
    moment.make_room(len(rows) * _ROW)
    position, more = moment.position, sorted(set(rows))
    is_carried = more[0].kind == CARRIED
    if any((row.kind == CARRIED) != is_carried for row in more):
        raise RecordFailed("what was carried and what was gained are kept apart")
    body: dict[str, Any] = {
        "kind": EntryKind.SIGHTED.value,
        "session": session,
        "call": call,
        "rows": len(more),
        "carried": is_carried,
        "sha256": digest_of(more),
    }
    if is_carried:
        carried += len(more)
    else:
        dropped, fell = _drop_oldest(moment.connection, session, gained + len(more) - MAX_GAINED)
        gained, forgotten = gained + len(more) - fell, forgotten + fell
        if dropped:
            body["dropped"] = dropped
    moment.connection.executemany(
        "INSERT INTO sightings VALUES (?, ?, ?, ?, ?, ?)", [(session, *row, position) for row in more]
    )
    counts = (session, gained, carried, forgotten)
    moment.connection.execute("INSERT OR REPLACE INTO sighted VALUES (?, ?, ?, ?)", counts)
    moment.append(body)


def digest_of(rows: Iterable[Row]) -> str:
    """Of rows in their order."""
    texts = (f"{row.unit.hex()} {row.tool} {row.field} {row.kind}" for row in rows)
    return sha256("\n".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


def _drop_oldest(connection: sqlite3.Connection, session: str, excess: int) -> tuple[list[int], int]:
    """Let the oldest gains go, entry by entry: their positions, and how many rows that were."""
    dropped: list[int] = []
    fell = 0
    while fell < excess:
        query = "SELECT position FROM sightings WHERE session=? AND kind<3 ORDER BY position LIMIT 1"
        found = connection.execute(query, (session,)).fetchone()
        if found is None:
            break
        gone = connection.execute(
            "DELETE FROM sightings WHERE session=? AND position=? AND kind<3", (session, found[0])
        )
        fell += gone.rowcount
        dropped.append(found[0])
    return dropped, fell


def _counts(connection: sqlite3.Connection, session: str) -> tuple[int, int, int]:
    try:
        query = "SELECT gained, carried, forgotten FROM sighted WHERE session=?"
        row = connection.execute(query, (session,)).fetchone()
    except sqlite3.Error as error:
        raise explained(error) from error
    return (0, 0, 0) if row is None else (int(row[0]), int(row[1]), int(row[2]))
