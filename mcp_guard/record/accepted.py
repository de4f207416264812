"""Which content of which file is accepted: rows beside the entries, each of which follows from an `accepted` entry.

A row without a context counts for whoever starts a guard with that file; one with a context only for the command line
under which the content was proved narrower. Only the latest of each counts, so an older and wider one waits again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mcp_guard.errors import GuardError
from mcp_guard.record.entries import EntryKind, note_body
from mcp_guard.record.schema import explained
from mcp_guard.record.writer import Transaction

FIRST_SIGHT, NARROWER, PERSON, INIT, LOCAL = "first_sight", "narrower", "person", "init", "local"
"""Why content counts. A person's or `init`'s ends what was proved narrower for single command lines; `local` is what
the guard's own tools added to the local denies, which only narrows.
"""

Rows = Mapping[tuple[str, str], str]
"""By place and context: the SHA-256 of the content, in hex."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One file's content that is to count from here on. `expected`: what counts until now, empty for nothing."""

    part: str
    file: str
    place: str
    context: str
    sha256: str
    how: str
    expected: str = ""


def rows(connection: sqlite3.Connection) -> Rows:
    """All that is accepted."""
    try:
        found = connection.execute("SELECT place, context, sha256 FROM accepted").fetchall()
    except sqlite3.Error as error:
        raise explained(error) from error
    return {(place, context): sha256 for place, context, sha256 in found}


def counting(connection: sqlite3.Connection, place: str) -> str | None:
    """The content that counts at one place for everybody; None: nothing was ever accepted there."""
    query = "SELECT sha256 FROM accepted WHERE place=? AND context=''"
    row = connection.execute(query, (place,)).fetchone()
    return None if row is None else str(row[0])


def accept(moment: Transaction, one: Acceptance, by: str) -> None:
    """Write it down. Raises GuardError if something else was accepted meanwhile: whoever decided didn't know of it."""
    where = (one.place, one.context)
    row = moment.connection.execute("SELECT sha256 FROM accepted WHERE place=? AND context=?", where).fetchone()
    if row is not None and row[0] == one.sha256 and one.how in (FIRST_SIGHT, NARROWER):
        return  # another guard that started at the same time saw the same
    if ("" if row is None else row[0]) != one.expected:
        raise GuardError(f"another version of {one.file} was accepted meanwhile; start again")
    data = {name: getattr(one, name) for name in ("part", "file", "place", "context", "sha256", "how")}
    if one.how in (PERSON, INIT):
        moment.connection.execute("DELETE FROM accepted WHERE place=?", (one.place,))
    moment.connection.execute("INSERT OR REPLACE INTO accepted VALUES (?, ?, ?)", (*where, one.sha256))
    moment.append(note_body(EntryKind.ACCEPTED, moment.head.chain, {**data, "by": by}))


class AcceptedTold:
    """What the table should hold, by the entries alone: for `verify`."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], str] = {}

    def enter(self, data: Mapping[str, Any]) -> None:
        if data["how"] in (PERSON, INIT):
            self._rows = {key: value for key, value in self._rows.items() if key[0] != data["place"]}
        self._rows[data["place"], data["context"]] = data["sha256"]

    def differences(self, connection: sqlite3.Connection) -> Iterator[str]:
        if rows(connection) != self._rows:
            yield "what is accepted isn't what was recorded"
