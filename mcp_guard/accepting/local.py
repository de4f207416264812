"""Local denies: what a person, or one of the guard's tools for them, takes away on this machine, beside the documents.

They only narrow, so adding one needs nobody's yes; taking one away does (`mcp-guard revoke --undo`). There is one list
for each policy file. Its text is kept like any accepted content, under its digest, and the digest that counts follows
from entries in the record: a text that was edited or removed elsewhere is found, and until then nothing is allowed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mcp_guard.accepting import local_text, texts
from mcp_guard.accepting.gate import place_of
from mcp_guard.accepting.local_text import Clauses, Rule
from mcp_guard.accepting.stacks import Part, Stack, absolute
from mcp_guard.errors import GuardError, InputError
from mcp_guard.policy.document import Document
from mcp_guard.record import accepted as table
from mcp_guard.record import place as places
from mcp_guard.record import schema
from mcp_guard.record.accepted import Acceptance
from mcp_guard.record.acting import acting
from mcp_guard.record.entries import EntryKind, bounded_text, note_body
from mcp_guard.record.writer import Transaction

SESSION = "person"
"""The session under which the record keeps them: they belong to no client."""
ALL = "all"
_FILES = (Part.POLICY, Part.MANDATE, Part.CONFIG)


def place_for(policy: Path) -> str:
    """Where the denies beside this policy file are kept (beside a mandate or a guard.yaml where there is no policy)."""
    return place_of(Part.LOCAL, absolute(policy))


def place_in(stack: Stack) -> str | None:
    """The same for what a command line loads; None if it loads nothing, and so grants nothing."""
    return next((place_for(path) for part in _FILES for one, path in stack.contents if one is part), None)


def add(
    directory: Path,
    place: str,
    *,
    server: str,
    tool: str,
    clauses: Clauses | None = None,
    reason: str = "",
    by: str,
) -> str:
    """Deny calls of `server/tool` whose arguments are exactly these (none: all calls) in every guard of this place.

    It counts from the next call on, in guards that run too. Returns the rule's id, `local/N`. Raises InputError for
    what can't be written down: clauses are about texts, numbers, true and false; a tuple stands for any of its values.
    """
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    one = Rule("", f"{server}/{tool}", dict(clauses or {}), bounded_text(reason), bounded_text(by), at)

    def written(old: local_text.Denies) -> tuple[local_text.Denies, tuple[Rule, ...]]:
        new = old.with_rule(one)
        return new, new.rules[-1:]

    return _change(directory, place, written, table.LOCAL, by)[0].key


def remove(directory: Path, place: str, rule: str, *, by: str) -> tuple[str, ...]:
    """Take a deny away again, or `all` of them: this widens, so whoever calls it has seen a person (`presence`).

    Returns what was taken away. Raises InputError if there is no such rule. `all` also sets right what was changed
    outside, and then returns nothing.
    """

    def written(old: local_text.Denies) -> tuple[local_text.Denies, tuple[Rule, ...]]:
        gone = tuple(one for one in old.rules if rule in (one.key, one.number, ALL))
        if not gone and rule != ALL:
            known = ", ".join(one.key for one in old.rules) or "there are none"
            raise InputError(f"there is no local deny `{rule}`; known: {known}")
        return old.without(gone), gone

    return tuple(one.key for one in _change(directory, place, written, table.PERSON, by, lost=rule == ALL))


def rules(directory: Path, place: str) -> tuple[Rule, ...]:
    """The denies that count now, oldest first. Raises GuardError if they were changed outside of the record."""
    if not places.is_there(directory):
        return ()
    connection = schema.patiently(lambda: schema.open_for_reading(directory))
    try:
        return _kept(directory, table.counting(connection, place)).rules
    except sqlite3.Error as error:
        raise schema.explained(error) from error
    finally:
        connection.close()


def layer(directory: Path, place: str | None) -> Document | None:
    """The same as a layer that judges; None where nothing was ever taken away. For commands that say what would be."""
    if place is None or not places.is_there(directory):
        return None
    connection = schema.patiently(lambda: schema.open_for_reading(directory))
    try:
        return Live(directory, place).load(connection)
    except sqlite3.Error as error:
        raise schema.explained(error) from error
    finally:
        connection.close()


@dataclass(slots=True)
class Live:
    """The denies of one place, as a running guard sees them. Implements `guard.Local`."""

    directory: Path
    place: str
    _loaded: str | None = None

    def changed(self, connection: sqlite3.Connection) -> bool:
        return table.counting(connection, self.place) != self._loaded

    def load(self, connection: sqlite3.Connection) -> Document | None:
        digest = table.counting(connection, self.place)
        if digest is None and self._loaded is not None:
            raise GuardError("the local denies are gone from the record; `mcp-guard log verify` says more")
        found = None if digest is None else _kept(self.directory, digest).document(_file(self.directory, digest))
        self._loaded = digest
        return found


def _file(directory: Path, digest: str) -> str:
    return str(directory / texts.DIRECTORY / digest)


def _kept(directory: Path, digest: str | None) -> local_text.Denies:
    if digest is None:
        return local_text.Denies()
    data = texts.kept(directory, digest)
    if data is None:
        raise GuardError(
            f"{_file(directory, digest)}, the local denies, was changed or removed; nothing is allowed until "
            "`mcp-guard revoke --undo all` takes them away"
        )
    return local_text.read(data)


Change = Callable[[local_text.Denies], tuple[local_text.Denies, tuple[Rule, ...]]]


def _change(directory: Path, place: str, written: Change, how: str, by: str, *, lost: bool = False) -> tuple[Rule, ...]:
    """Write the list anew over what counts in this very transaction: two at once don't lose each other's."""

    def step(moment: Transaction) -> tuple[Rule, ...]:
        digest = table.counting(moment.connection, place)
        try:
            old = _kept(directory, digest)
        except GuardError:
            if not lost:
                raise
            old = local_text.Denies(local_text.AFTER_LOSS)
        new, about = written(old)
        data = new.text()
        new.document("")  # it loads, or it isn't written
        one = Acceptance(Part.LOCAL, "local denies", place, "", texts.keep(directory, data), how, digest or "")
        table.accept(moment, one, by)
        for rule in about:
            moment.append(
                note_body(EntryKind.REVOKED, moment.head.chain, told(rule, place, by, undone=how == table.PERSON))
            )
        return about

    with acting(directory, SESSION) as record:
        return record.change(step)


def told(rule: Rule, place: str, by: str, *, undone: bool) -> Mapping[str, object]:
    """What the record says of it: names of arguments, never their values (law 8)."""
    said = {"place": place, "rule": rule.key, "tool": rule.tool, "args": sorted(rule.clauses)}
    return {**said, "why": rule.why, "by": by, "undone": undone}
