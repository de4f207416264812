"""One transaction of one chain: BEGIN IMMEDIATE to COMMIT, or nothing at all. Every write of the record passes here."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from mcp_guard.errors import RecordFailed
from mcp_guard.record.chain import Head
from mcp_guard.record.entries import canonical, stamp
from mcp_guard.record.place import Watch
from mcp_guard.record.recent import Recent
from mcp_guard.record.room import Room
from mcp_guard.record.schema import explained
from mcp_guard.record.signing import Signs, message_of

_BEGINNING = datetime.min.replace(tzinfo=UTC)


class Writer:
    """What a guard process holds of the record: its connection, its clock, and the end of its chain."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], datetime], head: Head) -> None:
        self.connection = connection
        self.execute = connection.cursor().execute  # one cursor for all: making one each time takes as long as a read
        self.clock = clock
        self.head = head
        self.recent = Recent()
        self.watch: Watch | None = None  # from the moment that all files are there
        self.room: Room | None = None
        self.sure = True  # False after a failed commit: the head is then read again

    def transaction(self, *, watched: bool = True) -> Transaction:
        """`watched`: refuse if the files were replaced, or if outcomes would find no room.

        What only ends a judged call needn't look again, and may use that room.
        """
        return Transaction(self, watched)


class Transaction:
    """The record as it is now, locked for others. An error inside leaves record and chain as they were."""

    __slots__ = (
        "_watched",
        "_writer",
        "carried",
        "connection",
        "execute",
        "head",
        "now",
        "plain",
        "position",
        "recent",
    )

    head: Head
    now: datetime  # UTC: max(clock, latest entry of any process)
    carried: dict[str, Any] | None  # the end of the closed file before, for the first entry of a new one
    position: int  # of the next entry, among those of all chains
    plain: bool  # set by what has kept `recent` right: it wrote nothing that isn't remembered there

    def __init__(self, writer: Writer, watched: bool) -> None:
        self._writer = writer
        self._watched = watched
        self.connection = writer.connection
        self.execute = writer.execute
        self.recent = writer.recent
        self.plain = False

    def __enter__(self) -> Transaction:
        if self.connection.in_transaction:
            raise RecordFailed("the record was asked to write while it was being judged from")
        try:
            self.execute("BEGIN IMMEDIATE")
            try:
                self._catch_up()
            except BaseException:
                self._roll_back()
                raise
        except sqlite3.Error as error:
            raise explained(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            self._roll_back()
            if isinstance(error, sqlite3.Error):
                raise explained(error) from error
            return
        try:
            self.execute("COMMIT")
        except BaseException as failure:
            self._writer.sure = False  # it may have been committed all the same
            self._roll_back()
            if isinstance(failure, sqlite3.Error):
                raise explained(failure) from failure
            raise
        self._writer.head = self.head
        if self.plain:
            self.recent.bound()
        else:
            self.recent.forget_tables()

    def append(self, body: dict[str, Any], finishes: int | None = None, signer: Signs | None = None) -> Head:
        """Add an entry to this process's chain. `finishes`: the position of the decision whose outcome it is."""
        if not self.connection.in_transaction:  # SQLite ends it on some errors; what follows would stand alone
            raise RecordFailed("the record's transaction ended before its time; nothing was written")
        time, before = stamp(self.now), self.head
        body |= {"chain": before.chain, "seq": before.seq + 1, "position": self.position, "time": time}
        if signer is not None:
            body["signature"] = signer.sign(message_of(body)).hex()
        text = canonical(body)
        head = before.next(text)  # Invariant: seq has no gaps; it moves on only with the commit
        self.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self.position, head.number, head.seq, time, finishes, text, head.hash),
        )
        self.execute("UPDATE chains SET seq=?, head=? WHERE number=?", (head.seq, head.hash, head.number))
        self.head = head
        self.recent.end = (self.position, self.now)
        self.position += 1
        return head

    def make_room(self, more: int) -> None:
        """For `more` bytes of the log beside what outcomes need. Raises NoRoom if there is no such room."""
        if self._writer.room is not None:
            self._writer.room.ensure(more)

    def bind(self) -> dict[str, list[Any]]:
        """The heads that nothing has bound yet, which the next entry says: what was there can't be cut off unnoticed.

        By way of the entries that bound the others, they commit to every entry there is.
        """
        read = self.connection.execute("SELECT id, seq, head FROM chains WHERE seq > bound ORDER BY number")
        heads = {chain: [seq, head.hex()] for chain, seq, head in read}
        self.connection.execute("UPDATE chains SET bound=seq WHERE seq > bound")
        return heads

    def _catch_up(self) -> None:
        """Read where the record ends: no entry is older than the one before, whichever process wrote that."""
        writer = self._writer
        if self._watched and writer.watch is not None:
            writer.watch.check()
            if writer.room is not None:
                writer.room.ensure()
        self.now = writer.clock().astimezone(UTC)
        self.carried = None
        recent = self.recent
        (version,) = self.execute("PRAGMA data_version").fetchone()
        if version != recent.version:  # somebody else has written
            recent.forget()
            recent.version = version
        last, time = recent.end or self._read_end()
        self.position = last + 1
        if time > self.now:
            self.now = time
        if not writer.sure:
            writer.head = self._stored_head(writer.head)
            writer.sure = True
        self.head = writer.head

    def _read_end(self) -> tuple[int, datetime]:
        """The position and time of the latest entry; of none, 0 and a time before all others."""
        last = self.connection.execute("SELECT position, time FROM entries ORDER BY position DESC LIMIT 1").fetchone()
        if last is None:  # a new file: it goes on where the closed one ended
            found = self.connection.execute("SELECT position, time, file, hash FROM carried").fetchone()
            if found is not None:
                last = found[:2]
                self.carried = {"file": found[2], "position": found[0], "hash": found[3].hex()}
        return (0, _BEGINNING) if last is None else (last[0], _time_of(last[1]))

    def _stored_head(self, head: Head) -> Head:
        row = self.connection.execute("SELECT seq, head FROM chains WHERE number=?", (head.number,)).fetchone()
        return Head(head.number, head.chain, *row) if row else head

    def _roll_back(self) -> None:
        """Some errors have ended the transaction already; what can't be rolled back now ends with the connection."""
        self.recent.forget()
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._writer.sure = False


def _time_of(text: object) -> datetime:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError as error:
        raise RecordFailed("the record's last entry has no time: it was changed; keep it as evidence") from error
