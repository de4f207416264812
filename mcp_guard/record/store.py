"""The writer's side: what is judged, charged and recorded, in one transaction each (law 2). Read this first.

Synchronous and inline on purpose: a thread would cost more than the commit. One connection, one thread, no waiting:
when another guard process holds the lock, `RecordBusy` says so at once. What `usage`, `first_seen`, `first_pins` and
`first_used` hold is also in the chain, so `verify` can tell when one of them was changed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import orjson

from mcp_guard import __version__
from mcp_guard.errors import RecordFailed
from mcp_guard.history.index import Digests
from mcp_guard.model import Charge, Decision, Effect, Outcome
from mcp_guard.record import denied, entries, fresh, history, place, questions, schema, sightings
from mcp_guard.record.chain import START, Head, new_chain_id
from mcp_guard.record.closing import Limits, Presence, close_if_large, retire
from mcp_guard.record.entries import NOTES, Entry, EntryKind, Request
from mcp_guard.record.heads import KeptHead
from mcp_guard.record.keys import digest_key
from mcp_guard.record.room import NoRoom, Room
from mcp_guard.record.signing import Signs
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
        self.digests = Digests(key)  # of the values that calls carry and results hold
        self._writer = writer
        self._presence: Presence | None = None  # until it is closed, nobody closes the file behind it
        self.breaker: denied.Breaker | None = None
        self._signed = -1  # the place in this chain of the last checkpoint

    @classmethod
    def open(
        cls,
        directory: Path | None = None,
        *,
        session: str,
        clock: Callable[[], datetime],
        durability: schema.Durability = "process",
        limits: Limits | None = None,
        wait: float = 0.0,
    ) -> Record:
        """Begin a chain in the record of `directory` (default: the platform's), making the record at first use.

        `session` is the key that this process's own notes carry; `clock` gives aware times. Waits for other guard
        processes that are starting, up to some seconds. `wait`: seconds that later writes wait for those of others;
        0 for a process with an event loop. Raises InputError for a place that isn't private.
        """
        entries.check_session(session)
        entries.stamp(clock())
        directory = place.state_directory(directory)
        fresh.prepare(directory)
        key = digest_key(directory)
        limits = limits or Limits()
        close_if_large(directory, limits)
        presence = schema.patiently(lambda: Presence(directory))
        try:
            connection = schema.open_for_writing(directory, durability)
        except BaseException:
            presence.close()
            raise
        record = cls(directory, Writer(connection, clock, Head(0, new_chain_id(), -1, START)), key, session)
        record._presence = presence
        try:
            schema.patiently(record._begin_chain)
            place.check(directory)  # SQLite's side files are there now
            record._writer.watch = place.Watch(directory)
            record._writer.room = Room(directory)
            retire(directory, limits, clock(), record._retired)
            connection.execute(f"PRAGMA busy_timeout={round(wait * 1000)}")
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
        if self._writer.room is not None:
            self._writer.room.close()
            self._writer.room = None
        if self._presence is not None:
            self._presence.close()
            self._presence = None

    def __enter__(self) -> Record:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def step(self, request: Request, judge: Callable[[UsageView], Decision]) -> Entry:
        """Judge once, charge, and append the decision, all over the history that `judge` was shown.

        If it returns, the decision is committed. If `judge` raises, nothing is written and its error goes on.
        """
        with self._writer.transaction() as moment:
            with UsageView(moment.connection, request.session, moment.now, moment.recent) as view:
                decision = judge(view)
                charges = entries.charged(decision)
                view.charge(charges, moment.position)
                questions.spend(view, decision)
            entry = self._append_decision(moment, request, decision, 1, charges)
            if decision.effect is Effect.ALLOW:
                history.admit(moment, request, decision, entry.position)
                if view.carried:
                    sightings.keep(moment, request.session, entry.position, view.carried, self.digests.everything)
                moment.plain = not decision.halts
            return entry

    def refuse(self, request: Request, decision: Decision, *, count: int = 1) -> Entry:
        """Append a refusal that needed no judgement. `count`: how many like it this entry stands for."""
        if decision.effect is Effect.ALLOW or count < 1:
            raise ValueError("only refusals are recorded without a judgement, one or more of them")
        with self._writer.transaction() as moment:
            return self._append_decision(moment, request, decision, count)

    def finish(
        self,
        entry: Entry,
        outcome: Outcome,
        *,
        duration_ms: float,
        refund: bool = False,
        note: str = "",
        seen: sightings.Read | None = None,
    ) -> bool:
        """Append what became of an allowed call. With `refund`, for a call that wasn't sent, its charges go back.

        `seen` works out what its result, or a client's answer, adds to what the session has seen. If there is no room
        for that, the outcome is recorded as withheld, and this is False: nobody may see the answer then.
        Raises RecordFailed for an entry that is finished already: a second outcome would rewrite the first.
        """
        if entry.chain != self.chain or not entry.decision.allowed:
            raise ValueError("only an allowed call of this process has an outcome")
        if refund and outcome is not Outcome.NOT_SENT:
            raise ValueError("only a call of which no byte was sent gets its charges back")
        with self._writer.transaction(watched=False) as moment:
            kept = seen is None or self._kept(moment, entry, seen)
            body = entries.outcome_body(entry, outcome if kept else Outcome.WITHHELD, duration_ms, refund, note)
            if not refund and entry.decision.gives:  # a person may have cleared them while the answer was on its way
                history.expose(moment, entry.session, entry.decision.gives, moment.position)
            try:
                moment.append(body, finishes=entry.position)
            except sqlite3.IntegrityError as error:
                raise RecordFailed(f"`{entry.id}` is finished already; its outcome stays as recorded") from error
            if refund:
                give_back(moment.connection, entry.session, entries.charged(entry.decision), entry.position)
                keys = (rule.key for rule in entry.decision.rules)
                history.take_back(moment.connection, (entry.session, *entry.called), keys)
            moment.plain = not refund
        return kept

    def saw(self, entry: Entry, seen: sightings.Read) -> None:
        """Keep a slice of what a call's result holds, before its outcome. Raises NoRoom if there is no room."""
        with self._writer.transaction(watched=False) as moment:
            self._keep(moment, entry, seen)

    def note(self, kind: str, data: Mapping[str, Any]) -> int:
        """Append what isn't a call: a document loaded, a server gone. `data` is names and digests, never values.

        Returns the entry's position.
        """
        listed = EntryKind(kind)
        if listed not in NOTES:
            raise ValueError(f"`{kind}` entries are written together with what they tell about")
        with self._writer.transaction() as moment:
            position = moment.position
            moment.append(entries.note_body(listed, self.session, data))
        return position

    def noted(self, position: int) -> Mapping[str, Any] | None:
        """What the entry at a position says; None if there is none."""
        try:
            connection = self._writer.connection
            row = connection.execute("SELECT body FROM entries WHERE position=?", (position,)).fetchone()
        except sqlite3.Error as error:
            raise schema.explained(error) from error
        return None if row is None else dict(orjson.loads(row[0]))

    def change(self, act: Callable[[Transaction], T]) -> T:
        """Do `act` in one transaction. It writes its own entries, which say all that it changes."""
        with self._writer.transaction() as moment:
            return act(moment)

    def read(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Have `act` read what there is at this moment, outside of a transaction."""
        try:
            return act(self._writer.connection)
        except sqlite3.Error as error:
            raise schema.explained(error) from error

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
        with self._writer.transaction() as moment:
            if (known := self._stored_tools(server_key)) is not None:  # another process saw it meanwhile
                return known
            return self._write_tools(moment, server_key, tools)

    def pins(self, server_key: str) -> Mapping[str, str]:
        """What is pinned of this server so far."""
        text = self._stored("SELECT pins FROM first_pins WHERE server=?", server_key)
        return {} if text is None else dict(orjson.loads(text))

    def first_pins(self, server_key: str, pins: Mapping[str, str]) -> Mapping[str, str]:
        """What this server's things were when each was first seen, with those of `pins` that are new: now.

        Names and pins are texts of the caller's; what is pinned never changes here (`see_anew` does that).
        """
        entries.check_key(server_key)
        known = self.pins(server_key)
        if known.keys() >= pins.keys() or len(known) >= TOOLS_LIMIT:
            return known
        with self._writer.transaction() as moment:
            known = self.pins(server_key)
            kept = dict(
                list((dict(known) | {n: pin for n, pin in pins.items() if n not in known}).items())[:TOOLS_LIMIT]
            )
            self._write_pins(moment, server_key, kept, accepted=False)
        return kept

    def see_anew(self, server_key: str, tools: Iterable[str], pins: Mapping[str, str]) -> None:
        """A person has looked: what this server offers now is what it offered at first sight, from here on."""
        entries.check_key(server_key)
        kept = dict(list(pins.items())[:TOOLS_LIMIT])
        with self._writer.transaction() as moment:
            self._write_tools(moment, server_key, tools)
            self._write_pins(moment, server_key, kept, accepted=True)

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

    def _kept(self, moment: Transaction, entry: Entry, seen: sightings.Read) -> bool:
        try:
            self._keep(moment, entry, seen)
        except NoRoom:
            return False
        return True

    def _keep(self, moment: Transaction, entry: Entry, seen: sightings.Read) -> None:
        rows = seen(sightings.Sightings(moment.connection, entry.session))
        sightings.keep(moment, entry.session, entry.position, rows, self.digests.everything)

    def _write_tools(self, moment: Transaction, server_key: str, tools: Iterable[str]) -> frozenset[str]:
        kept = sorted({name for name in tools if name == entries.bounded_text(name)})[:TOOLS_LIMIT]
        text = orjson.dumps(kept).decode()
        moment.connection.execute("INSERT OR REPLACE INTO first_seen VALUES (?, ?)", (server_key, text))
        data = {"server": server_key, "count": len(kept), "sha256": sha256(text.encode()).hexdigest()}
        moment.append(entries.note_body(EntryKind.FIRST_SIGHT, self.session, data))
        return frozenset(kept)

    def _write_pins(self, moment: Transaction, server_key: str, kept: Mapping[str, str], *, accepted: bool) -> None:
        text = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode()
        moment.connection.execute("INSERT OR REPLACE INTO first_pins VALUES (?, ?)", (server_key, text))
        hashed = sha256(text.encode()).hexdigest()
        data = {"server": server_key, "count": len(kept), "accepted": accepted, "sha256": hashed}
        moment.append(entries.note_body(EntryKind.PINNED, self.session, data))

    @property
    def unsigned(self) -> int:
        """How many entries this process has written since it last signed."""
        return self._writer.head.seq - self._signed

    def checkpoint(self, signer: Signs) -> KeptHead:
        """Append the heads of all chains, signed; the head that it makes is worth keeping elsewhere."""
        with self._writer.transaction() as moment:
            position = moment.position
            body = {"kind": EntryKind.CHECKPOINT.value, "session": self.session, "key": signer.public}
            head = moment.append(body | {"heads": moment.bind()}, signer=signer)
        self._signed = head.seq
        return KeptHead(position, head.hash.hex())

    def ahead(self) -> timedelta:
        """How far the latest entry is ahead of the clock; what a guard has written is never by more than a moment."""
        row = self._writer.connection.execute("SELECT time FROM entries ORDER BY position DESC LIMIT 1").fetchone()
        return datetime.fromisoformat(row[0]) - self._writer.clock()

    def set_clock(self) -> None:
        """A person says that the clock is right and the record's times are not: time runs from the clock again.

        First uses that were recorded in that future count from now: their durations end no later than they should.
        """
        with self._writer.transaction() as moment:
            before, moment.now = moment.now, self._writer.clock().astimezone(UTC)
            now = entries.stamp(moment.now)
            moment.connection.execute("UPDATE first_used SET time=? WHERE time>?", (now, now))
            data = {"from": entries.stamp(before)}
            moment.append(entries.note_body(EntryKind.CLOCK_SET, self.session, data))

    def exposed(self, session: str, server: str, labels: frozenset[str], why: str) -> None:
        """A server said something beside its tools' answers: from here on the session has these labels.

        Writes nothing if it has them already, as another process may have seen to meanwhile.
        """
        entries.check_session(session)
        if labels <= self.labels(session):
            return
        with self._writer.transaction() as moment:
            data = {"server": server, "labels": sorted(labels), "why": why}
            history.expose(moment, session, labels, moment.position)
            moment.append(entries.note_body(EntryKind.EXPOSED, session, data))

    def labels(self, session: str) -> frozenset[str]:
        """The labels that a session has, as they are committed."""
        try:
            return history.labels(self._writer.connection, session)
        except sqlite3.Error as error:
            raise schema.explained(error) from error

    def clear_labels(self, session: str, by: str) -> frozenset[str]:
        """A person's act: take all labels of a session away. Returns those that it had."""
        entries.check_session(session)
        with self._writer.transaction() as moment:
            had = history.labels(moment.connection, session)
            moment.connection.execute("DELETE FROM labels WHERE session=?", (session,))
            data = {"by": by, "labels": sorted(had)}
            moment.append(entries.note_body(EntryKind.LABELS_CLEARED, session, data))
        return had

    def renew(self, session: str, by: str) -> str:
        """A person's act: the sessions whose history is that of `session` begin a new one at their next start.

        Returns its key. The history so far stays as it is.
        """
        entries.check_session(session)
        with self._writer.transaction() as moment:
            base = history.base_of(moment.connection, session)
            times = history.generation(moment.connection, base) + 1
            moment.connection.execute("INSERT OR REPLACE INTO renewed VALUES (?, ?)", (base, times))
            data = {"by": by, "base": base, "times": times}
            moment.append(entries.note_body(EntryKind.SESSION_RENEWED, session, data))
        return history.key_of(base, times)

    def current(self, base: str) -> str:
        """The key of the history that a session with this key has: its own, or that of a new beginning."""
        try:
            return history.key_of(base, history.generation(self._writer.connection, base))
        except sqlite3.Error as error:
            raise schema.explained(error) from error

    def _append_decision(
        self, moment: Transaction, request: Request, decision: Decision, count: int, charges: tuple[Charge, ...] = ()
    ) -> Entry:
        position = moment.position
        head = moment.append(entries.decision_body(request, decision, count, charges))
        denied.note(moment, request, decision, count, position, self.breaker)
        called = (request.kind, request.server, request.target)
        return Entry(head.chain, head.seq, position, request.session, decision, moment.now, called)

    def _retired(self, files: list[str]) -> None:
        schema.patiently(lambda: self.note(EntryKind.RETIRED, {"files": files}))

    def _begin_chain(self) -> None:
        """The opening entry binds the heads that no opening has bound yet: later, no end can be cut off unnoticed."""
        with self._writer.transaction() as moment:
            heads = moment.bind()
            added = moment.connection.execute("INSERT INTO chains VALUES (NULL, ?, -1, ?, -1)", (self.chain, START))
            moment.head = Head(added.lastrowid or 0, self.chain, -1, START)
            opened = {"kind": EntryKind.OPENED.value, "session": self.session, "version": __version__, "heads": heads}
            before = {} if moment.carried is None else {"before": moment.carried}
            moment.append(opened | {"format": schema.VERSION} | before)

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
