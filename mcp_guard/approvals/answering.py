"""The person's side of the queue: what waits, all about one question, and the answers. For commands and the console.

Whoever calls has made sure that a person is there (`mcp_guard.presence`) before anything is approved; a no needs none.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from mcp_guard.approvals import binding, slips
from mcp_guard.errors import GuardError, InputError
from mcp_guard.model import By
from mcp_guard.record import place, questions, schema, stops
from mcp_guard.record.acting import acting
from mcp_guard.record.entries import stamp
from mcp_guard.record.keys import digest_key
from mcp_guard.record.store import Record
from mcp_guard.record.writer import Transaction

SESSION = "person"
"""The session that a person's own entries carry where they are about none."""
MOST = 1000  # questions that one list has
ALL = -1  # instead of that: however many there are
WRITTEN_WITHIN = timedelta(seconds=2)
"""A guard commits a question, then writes its slip: whoever looks in between waits so long from the asking."""
_AGAIN_AFTER = 0.02  # seconds


@dataclass(frozen=True, slots=True)
class Waiting:
    """One open question. N identical ones are N: each yes carries one execution."""

    entry: str
    session: str
    digest: str
    asks: tuple[str, ...]
    tier: By
    asked: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Stands:
    """An answer that holds for the rest of a session, within the clauses that it was given for."""

    like: str  # the question that it was given to
    session: str
    says: str  # yes or no
    by: str
    asks: tuple[str, ...]  # keys of the rules that it settles
    free: tuple[str, ...]  # arguments that it leaves open
    until: datetime


class Desk:
    """The open record of one state directory, at which a person answers."""

    def __init__(self, record: Record | _Reader) -> None:
        """Use `at`, or `looking_at` where nothing is answered."""
        self._reader = record
        self._writer = record if isinstance(record, Record) else None

    @property
    def _record(self) -> Record:
        if self._writer is None:
            raise GuardError("this desk is for looking only; nothing was changed")
        return self._writer

    def waiting(self, most: int = MOST, skip: int = 0) -> list[Waiting]:
        """What waits for an answer, oldest first: at most so many (or `ALL`), after those that are skipped."""
        query = f"{_OPEN} ORDER BY asked, entry LIMIT ? OFFSET ?"
        return [_waiting(row) for row in self._reader.look(query, (stamp(datetime.now(UTC)), most, skip))]

    def how_many(self) -> int:
        """How many questions wait."""
        query = "SELECT count(*) FROM questions WHERE state='open' AND until>?"
        return int(self._reader.look(query, (stamp(datetime.now(UTC)),))[0][0])

    def one(self, entry: str) -> Waiting:
        """The open question of this id. Raises GuardError if there is none."""
        found = self._reader.look(f"{_OPEN} AND entry=?", (stamp(datetime.now(UTC)), entry))
        if found:
            return _waiting(found[0])
        rows = self._reader.look("SELECT state FROM questions WHERE entry=?", (entry,))
        was = f"`{entry}` is {rows[0][0] if rows[0][0] != 'open' else 'lapsed'}" if rows else "there is none"
        raise GuardError(f"no question `{entry}` waits ({was}); see `mcp-guard approvals list`")

    def slip(self, one: Waiting) -> slips.Slip:
        """All of the call. Raises GuardError if it can't be shown as what it is."""
        while True:
            try:
                return slips.read(self._reader.directory, one.entry, one.digest, self._reader.key)
            except slips.NotThere:
                if abs(datetime.now(UTC) - one.asked) > WRITTEN_WITHIN:
                    raise
            time.sleep(_AGAIN_AFTER)

    def approve(self, one: Waiting, by: str, tier: By) -> datetime:
        """Say yes to one execution; until when it is good. The call has to be there to be seen."""
        self.slip(one)
        until = self._record.change(lambda moment: questions.approve(moment, one.entry, by, tier))
        slips.remove(self._record.directory, [one.entry])
        return until

    def refuse(self, one: Waiting, by: str) -> None:
        """Say no to it."""
        self._record.change(lambda moment: questions.refuse(moment, one.entry, by))
        slips.remove(self._record.directory, [one.entry])

    def for_the_session(self, one: Waiting, says: str, by: str, tier: By, free: Collection[str] = ()) -> None:
        """Answer this and what is like it for the rest of the session: `yes` within exact clauses, or `no`.

        `free` are arguments that may have other values; for a yes only such as have limits, and never what the tool
        acts on or all of them. Raises GuardError.
        """
        slip = self.slip(one)
        refuse_wildcard(slip, free, says)
        clauses = binding.clauses(slip.call, self._record.key, free)

        def answer(moment: Transaction) -> None:
            questions.stand(moment, one.entry, clauses, says, by, tier)
            if says == "yes":
                questions.approve(moment, one.entry, by, tier)
            else:
                questions.refuse(moment, one.entry, by)

        self._record.change(answer)
        slips.remove(self._record.directory, [one.entry])

    def standing(self) -> list[Stands]:
        """The answers that hold for sessions now, those that end last first."""
        query = """SELECT entry, session, says, answerer, asks, clauses, until FROM standing
            WHERE until>? ORDER BY until DESC, entry LIMIT ?"""
        return [
            Stands(
                str(entry).removesuffix("+"), session, says, by, tuple(orjson.loads(asks)),
                tuple(map(str, orjson.loads(clauses).get("free", ()))), _time(until),
            )
            for entry, session, says, by, asks, clauses, until in self._reader.look(
                query, (stamp(datetime.now(UTC)), MOST)
            )
        ]  # fmt: skip

    def asked_since(self, span: timedelta) -> dict[str, int]:
        """How many questions there were in this time, by what became of them: what a person is asked is a cost."""
        query = "SELECT state, count(*) FROM questions WHERE asked>? GROUP BY state ORDER BY state"
        return dict(self._reader.look(query, (stamp(datetime.now(UTC) - span),)))

    def halt(self, scope: str, why: str) -> bool:
        """Stop a scope; False if it was stopped."""
        return self._record.change(lambda moment: stops.halt(moment, scope, why))

    def resume(self, scope: str) -> bool:
        """Undo a stop; False if there is none."""
        return self._record.change(lambda moment: stops.resume(moment, scope))

    def stopped(self) -> dict[str, str]:
        """What is stopped, and why."""
        return dict(self._reader.look("SELECT scope, why FROM stops ORDER BY scope"))


class _Reader:
    """A record that is looked at and never written to: to look leaves no entry."""

    def __init__(self, directory: Path) -> None:
        place.check(directory)
        self.directory = directory
        self.key = digest_key(directory)
        self._connection = schema.open_for_reading(directory)

    def look(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise schema.explained(error) from error

    def close(self) -> None:
        self._connection.close()


@contextmanager
def looking_at(directory: Path) -> Iterator[Desk]:
    """The desk, to look at what waits. Raises GuardError where nothing is recorded."""
    _refuse_unless_there(directory)
    reader = _Reader(directory)
    try:
        yield Desk(reader)
    finally:
        reader.close()


def _refuse_unless_there(directory: Path) -> None:
    if not place.is_there(directory):
        raise GuardError(f"nothing is recorded in `{directory}`, so nothing waits")


@contextmanager
def at(directory: Path) -> Iterator[Desk]:
    """The desk of a state directory, to answer. Raises GuardError where nothing is recorded."""
    _refuse_unless_there(directory)
    with acting(directory, SESSION) as record:
        yield Desk(record)


def refuse_wildcard(slip: slips.Slip, free: Collection[str], says: str) -> None:
    """An answer for a session is about shown clauses. Raises InputError for one that would be a grant."""
    arguments, limits = slip.call.arguments, slip.shown.get("limits", {})
    if unknown := sorted(set(free) - arguments.keys()):
        raise InputError(f"the call has no argument `{unknown[0]}`")
    if says != "yes" or not free:
        return
    if open_ended := sorted(set(free) - set(limits)):
        raise InputError(
            f"no grant limits `{open_ended[0]}`, so it can't be left open for the session; grant it instead"
        )
    if deciding := sorted(set(free) & set(slip.shown.get("decides", ()))):
        raise InputError(f"`{deciding[0]}` says on what or whom the tool acts, so it can't be left open")
    if set(free) == set(arguments):
        raise InputError("an answer for the session keeps at least one argument as it is; grant this instead")


_OPEN = """SELECT entry, session, digest, asks, tier, asked, until FROM questions WHERE state='open' AND until>?"""


def _waiting(row: tuple[Any, ...]) -> Waiting:
    entry, session, digest, asks, tier, asked, until = row
    return Waiting(entry, session, digest, tuple(orjson.loads(asks)), By(tier), _time(asked), _time(until))


def _time(text: Any) -> datetime:
    return datetime.fromisoformat(str(text))
