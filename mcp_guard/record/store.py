"""The writer's side: what is judged, charged and recorded, in one transaction each (law 2). Read this first.

Synchronous and inline on purpose: a thread would cost more than the commit. One connection, one thread, no waiting:
when another guard process holds the lock, `RecordBusy` says so at once. What `usage`, `first_seen` and `first_used`
hold is also in the chain, so `verify` can tell when one of them was changed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import orjson

from mcp_guard import __version__
from mcp_guard.errors import RecordFailed
from mcp_guard.model import Decision, Effect, Outcome
from mcp_guard.record import entries, place, questions, schema
from mcp_guard.record.chain import START, Head, new_chain_id
from mcp_guard.record.entries import NOTES, Entry, EntryKind, Request
from mcp_guard.record.keys import digest_key
from mcp_guard.record.usage import UsageView, give_back
from mcp_guard.record.writer import Transaction, Writer

T = TypeVar("T")
TOOLS_LIMIT = 10_000  # tools of one server that first sight keeps; what is beyond counts as unknown


class Record:
    """One guard process's chain in the record that all guard processes of this user share.

    Any method may raise RecordBusy (judge again in a moment) or RecordFailed (no call without it). After either,
    nothing of that method's work counts, and the next call starts from what the record holds.
    """

    def __init__(self, directory: Path, writer: Writer, key: bytes, session: str) -> None:
        """Use `Record.open`."""
        self.directory = directory
        self.key = key  # 32 bytes, for keyed digests of arguments
        self.session = session
        self._writer = writer

    @classmethod
    def open(
        cls,
        directory: Path | None = None,
        *,
        session: str,
        clock: Callable[[], datetime],
        durability: schema.Durability = "normal",
    ) -> Record:
        """Begin a chain in the record of `directory` (default: the platform's), making the record at first use.

        `session` is the key that this process's own notes carry; `clock` gives aware times. Waits for other guard
        processes that are starting, up to some seconds. Raises InputError for a place that isn't private.
        """
        entries.check_session(session)
        entries.stamp(clock())
        directory = place.state_directory(directory)
        place.prepare(directory)
        key = digest_key(directory)
        connection = schema.open_for_writing(directory, durability)
        record = cls(directory, Writer(connection, clock, Head(0, new_chain_id(), -1, START)), key, session)
        try:
            schema.patiently(record._begin_chain)
            place.check(directory)  # SQLite's side files are there now
            record._writer.watch = place.Watch(directory)
        except BaseException:
            record.close()
            raise
        return record

    @property
    def chain(self) -> str:
        """This process's chain: 16 hexadecimal digits."""
        return self._writer.head.chain

    def close(self) -> None:
        """Let go of the file. Writes nothing: `note("stopped", ...)` is the caller's, when it ends in good order."""
        self._writer.connection.close()

    def __enter__(self) -> Record:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def step(self, request: Request, judge: Callable[[UsageView], Decision]) -> Entry:
        """Judge once, charge, and append the decision, all over the history that `judge` was shown.

        If it returns, the decision is committed. If `judge` raises, nothing is written and its error goes on.
        """
        with self._writer.transaction() as moment:
            with UsageView(moment.connection, request.session, moment.now) as view:
                decision = judge(view)
                view.charge(entries.charged(decision))
                questions.spend(view, decision)
            return self._append_decision(moment, request, decision, 1)

    def refuse(self, request: Request, decision: Decision, *, count: int = 1) -> Entry:
        """Append a refusal that needed no judgement. `count`: how many like it this entry stands for."""
        if decision.effect is Effect.ALLOW or count < 1:
            raise ValueError("only refusals are recorded without a judgement, one or more of them")
        with self._writer.transaction() as moment:
            return self._append_decision(moment, request, decision, count)

    def finish(
        self, entry: Entry, outcome: Outcome, *, duration_ms: float, refund: bool = False, note: str = ""
    ) -> None:
        """Append what became of an allowed call. With `refund`, for a call that wasn't sent, its charges go back.

        Raises RecordFailed for an entry that is finished already: a second outcome would rewrite the first.
        """
        if entry.chain != self.chain or not entry.decision.allowed:
            raise ValueError("only an allowed call of this process has an outcome")
        if refund and outcome is not Outcome.NOT_SENT:
            raise ValueError("only a call of which no byte was sent gets its charges back")
        body = entries.outcome_body(entry, outcome, duration_ms, refund, note)
        with self._writer.transaction(watched=False) as moment:
            try:
                moment.append(body, finishes=entry.position)
            except sqlite3.IntegrityError as error:
                raise RecordFailed(f"`{entry.id}` is finished already; its outcome stays as recorded") from error
            if refund:
                give_back(moment.connection, entry.session, entries.charged(entry.decision))

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        """Append what isn't a call: a document loaded, a server gone. `data` is names and digests, never values."""
        listed = EntryKind(kind)
        if listed not in NOTES:
            raise ValueError(f"`{kind}` entries are written together with what they tell about")
        with self._writer.transaction() as moment:
            moment.append(entries.note_body(listed, self.session, data))

    def change(self, act: Callable[[Transaction], T]) -> T:
        """Do `act` in one transaction. It writes its own entries, which say all that it changes."""
        with self._writer.transaction() as moment:
            return act(moment)

    def look(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Read outside of a transaction: for what is shown or waited for, never for a judgement."""
        try:
            return self._writer.connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise schema.explained(error) from error

    def first_sight(self, server_key: str, tools: Iterable[str]) -> frozenset[str]:
        """The tools that this server identity had when it was first seen: now, if it never was. It never grows."""
        entries.check_key(server_key)
        if (known := self._stored_tools(server_key)) is not None:
            return known
        kept = sorted({name for name in tools if name == entries.bounded_text(name)})[:TOOLS_LIMIT]
        with self._writer.transaction() as moment:
            if (known := self._stored_tools(server_key)) is not None:  # another process saw it meanwhile
                return known
            text = orjson.dumps(kept).decode()
            moment.connection.execute("INSERT INTO first_seen VALUES (?, ?)", (server_key, text))
            data = {"server": server_key, "count": len(kept), "sha256": sha256(text.encode()).hexdigest()}
            moment.append(entries.note_body(EntryKind.FIRST_SIGHT, self.session, data))
        return frozenset(kept)

    def started(self, key: str) -> datetime:
        """When `key` (a mandate and its principal) was first used: now, if it never was."""
        entries.check_key(key)
        if (since := self._stored_start(key)) is not None:
            return since
        with self._writer.transaction() as moment:
            if (since := self._stored_start(key)) is not None:
                return since
            moment.connection.execute("INSERT INTO first_used VALUES (?, ?)", (key, entries.stamp(moment.now)))
            moment.append(entries.note_body(EntryKind.FIRST_USE, self.session, {"key": key}))
        return moment.now

    def _append_decision(self, moment: Transaction, request: Request, decision: Decision, count: int) -> Entry:
        position = moment.position
        head = moment.append(entries.decision_body(request, decision, count))
        return Entry(head.chain, head.seq, position, request.session, decision, moment.now)

    def _begin_chain(self) -> None:
        """The opening entry binds the heads that no opening has bound yet: later, no end can be cut off unnoticed."""
        with self._writer.transaction() as moment:
            read = moment.connection.execute("SELECT id, seq, head FROM chains WHERE seq > bound ORDER BY number")
            heads = {chain: [seq, head.hex()] for chain, seq, head in read}
            moment.connection.execute("UPDATE chains SET bound=seq WHERE seq > bound")
            added = moment.connection.execute("INSERT INTO chains VALUES (NULL, ?, -1, ?, -1)", (self.chain, START))
            moment.head = Head(added.lastrowid or 0, self.chain, -1, START)
            opened = {"kind": EntryKind.OPENED.value, "session": self.session, "version": __version__, "heads": heads}
            moment.append(opened)

    def _stored_tools(self, server_key: str) -> frozenset[str] | None:
        text = self._stored("SELECT tools FROM first_seen WHERE server=?", server_key)
        return None if text is None else frozenset(orjson.loads(text))

    def _stored_start(self, key: str) -> datetime | None:
        text = self._stored("SELECT time FROM first_used WHERE key=?", key)
        return None if text is None else datetime.fromisoformat(text).astimezone(UTC)

    def _stored(self, query: str, key: str) -> str | None:
        try:
            row = self._writer.connection.execute(query, (key,)).fetchone()
        except sqlite3.Error as error:
            raise schema.explained(error) from error
        return None if row is None else str(row[0])
