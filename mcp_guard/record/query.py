"""The reader's side: who asked for what, what was decided by which rule, and what became of it."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from mcp_guard.errors import RecordFailed
from mcp_guard.model import Admitted, Usage
from mcp_guard.record import history, index, place, schema, spent, usage
from mcp_guard.record.entries import EntryKind, entry_id, stamp


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are wanted; what is None doesn't matter. Any of the first three leaves only calls."""

    denied: bool = False  # refused: denied, or asked about
    tool: str | None = None  # `server/tool` or `tool`, `*` for anything, upper and lower case alike
    server: str | None = None
    session: str | None = None  # a session's key or its beginning
    since: datetime | None = None
    limit: int | None = None  # the newest so many
    after: int = 0  # a position: only what is new, or was finished, since then
    until: datetime | None = None
    kind: str | None = None  # an entry's kind; None: all but those that are there for `verify`
    effect: str | None = None
    reason: str | None = None
    rule: str | None = None  # like `policy/pay`, `*` for anything
    outcome: str | None = None
    principal: str | None = None  # `*` for anything
    client: str | None = None  # `*` for anything
    method: str | None = None
    entry: str | None = None  # its id
    everything: bool = False  # those for `verify` too
    flagged: bool = False  # calls that the monitor or a scanner flagged
    before: int = 0  # a position: only what began before it, for the next page


_FOR_VERIFY = {EntryKind.CHECKPOINT, EntryKind.SIGHTED}
"""The kinds that would drown what somebody did; they are shown to who asks for them."""


COUNTED = {
    "kind": "kind",
    "session": "session",
    "principal": "principal",
    "client": "client",
    "method": "method",
    "server": "server",
    "tool": "name",
    "effect": "effect",
    "reason": "reason",
    "outcome": "outcome",
    "rule": "rules",
    "flag": "flags",
    "day": "day",
}
"""What can be counted by, and the index's field for it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry; a decision and its outcome are one row. What doesn't apply is empty."""

    id: str
    position: int  # of the newest entry in this row
    time: datetime
    kind: EntryKind
    session: str
    body: Mapping[str, Any]  # everything the entry says
    principal: str = ""
    client: str = ""
    method: str = ""
    server: str = ""
    target: str = ""
    effect: str = ""  # allow, ask, deny
    reason: str = ""
    rules: tuple[str, ...] = ()  # keys, the deciding one first
    detail: str = ""
    count: int = 1
    outcome: str = ""
    duration_ms: float | None = None
    note: str = ""
    began: int = 0  # its own position, also once it is finished

    @property
    def flags(self) -> tuple[str, ...]:
        """What was out of the ordinary about a call, each with its reason."""
        found = self.body.get("flags")
        return tuple(map(str, found)) if isinstance(found, list) else ()

    @property
    def name(self) -> str:
        """`server/target`, the way documents write it."""
        return f"{self.server}/{self.target}" if self.target else self.server


@dataclass(frozen=True, slots=True)
class Exercise:
    """How often a rule came into play."""

    allowed: int
    refused: int
    last: datetime


class Query:
    """An open record that can't be written through. Every answer is of one state of the record."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Use `open_for_reading`."""
        self._connection = connection
        self._path = path
        self._file = _identity(path)
        self._index: index.Index | None = None
        self.progress: Callable[[int], object] = lambda _: None  # told while a long record is read for the first time

    def close(self) -> None:
        if self._index is not None:
            self._index.close()
        self._connection.close()

    def __enter__(self) -> Query:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def find(self, entry: str) -> Row | None:
        """The entry of this id, as a person types it: the beginning of a chain's name, and the place in it."""
        chain, _, seq = entry.rpartition("-")
        if not re.fullmatch("[0-9a-f]{8,16}", chain) or not re.fullmatch("[0-9]{1,18}", seq):
            return None
        named = "WHERE e.chain IN (SELECT number FROM chains WHERE id GLOB ?) AND e.seq = ? AND e.finishes IS NULL"
        try:
            found = self._connection.execute(_ROW + named, (f"{chain}*", int(seq))).fetchone()
        except sqlite3.Error as error:
            raise schema.explained(error) from error
        return None if found is None else _row(*found)

    def entries(self, wanted: Filter) -> Iterator[Row]:
        """Rows, oldest first."""
        if wanted.entry is not None:
            one = self.find(wanted.entry)
            yield from [one] if one is not None and _fits(one, replace(wanted, everything=True)) else []
            return
        found = self._select(wanted)
        if wanted.limit is None:
            yield from found
            return
        newest = []
        for row in found:
            newest.append(row)
            if len(newest) == wanted.limit:
                break
        yield from reversed(newest)

    def raw(self) -> Iterator[tuple[int, str, Any]]:
        """Every entry as it is stored: position, hash and what it says."""
        try:
            for position, text, hashed in self._connection.execute(_RAW):
                yield position, bytes(hashed).hex(), orjson.loads(text)
        except sqlite3.Error as error:
            raise schema.explained(error) from error
        except (TypeError, ValueError) as error:
            raise RecordFailed("an entry can't be read: it was changed; `mcp-guard log verify` names it") from error

    def exercised(self, wanted: Filter | None = None) -> dict[str, Exercise]:
        """Per rule key: calls it carried, calls refused in its name, and when it last came into play."""
        counts: dict[str, Exercise] = {}
        for row in self.entries(replace(wanted or Filter(), limit=None)):
            for rule in row.rules:
                so_far = counts.get(rule, Exercise(0, 0, row.time))
                carried = row.count if row.effect == "allow" else 0
                counts[rule] = Exercise(so_far.allowed + carried, so_far.refused + row.count - carried, row.time)
        return counts

    def granted(self, session: str | None = None) -> frozenset[str]:
        """The rule keys of the grants that stood in each document when it was last loaded."""
        latest: dict[str, list[str]] = {}
        for row in self.entries(Filter(session=session)):
            if row.kind is EntryKind.LOADED:
                latest.update(_grants_of(row))
        return frozenset(key for keys in latest.values() for key in keys)

    def first_used(self, key: str) -> datetime | None:
        """When a mandate was first used by a principal: its time runs from there."""
        row = self._connection.execute("SELECT time FROM first_used WHERE key=?", (key,)).fetchone()
        return None if row is None else datetime.fromisoformat(row[0])

    def servers(self) -> list[str]:
        """The tool servers that any entry is about."""
        rows = self.entries(Filter())
        return sorted({name for row in rows for name in (row.server, _server_of(row)) if name})

    def first_seen(self, server: str) -> frozenset[str] | None:
        """The tools that servers of this name had when each was first seen; None if none ever was."""
        rows = self._connection.execute("SELECT * FROM first_seen").fetchall()
        lists = [orjson.loads(tools) for key, tools in rows if str(key).rpartition(":")[0] == server]
        return frozenset(name for names in lists for name in names) if lists else None

    def first_use(self, key: str) -> datetime | None:
        """When a mandate was first used by a principal; None if it never was."""
        found = self._connection.execute("SELECT time FROM first_used WHERE key=?", (key,)).fetchone()
        return None if found is None else datetime.fromisoformat(str(found[0]))

    def labels(self) -> list[tuple[str, tuple[str, int]]]:
        """By session: a label, and the position of the entry that set it."""
        rows = self._connection.execute("SELECT session, label, position FROM labels ORDER BY session, label")
        return [(session, (label, position)) for session, label, position in rows]

    def admitted(self, session: str) -> Admitted:
        """What a session has called."""
        return history.admitted(self._connection, session)

    def newest(self, session: str) -> str:
        """The key of the history that the next start of this session has."""
        base = history.base_of(self._connection, session)
        return history.key_of(base, history.generation(self._connection, base))

    def used(self, account: str, rule: str, now: datetime, seconds: int) -> Usage:
        """What a rule has used in an account over several sessions; with `seconds`, before `now` by so many."""
        if seconds:
            return spent.used(self._connection, account, rule, now, seconds)
        return usage.used(self._connection, account, rule)

    def news(self, wanted: Filter, after: int) -> tuple[list[Row], int]:
        """Rows that are new or newly finished since position `after`, and the position to ask from next time.

        From 0 it begins like `entries`: with the newest ones, if there is a limit.
        """
        self._connection.execute("BEGIN")
        try:
            limit = None if after else wanted.limit
            return list(self.entries(replace(wanted, after=after, limit=limit))), max(after, self.last())
        finally:
            self._connection.execute("COMMIT")

    def open_questions(self) -> list[str]:
        """The questions that nobody has answered, oldest first, whether or not there is still time to."""
        found = self._connection.execute("SELECT entry FROM questions WHERE state='open' ORDER BY asked, entry")
        return [str(entry) for (entry,) in found]

    def last(self) -> int:
        """The position of the newest entry."""
        return int(self._connection.execute("SELECT coalesce(max(position), 0) FROM entries").fetchone()[0])

    def version(self) -> int:
        """Another number whenever another process has written. Raises RecordFailed once the file is another one."""
        if _identity(self._path) != self._file:
            raise RecordFailed("the record was moved away or replaced while it was being read")
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def is_long(self) -> bool:
        """Too long to be read through for one answer?"""
        return self.last() > index.SMALL

    def counts(self, field: str, wanted: Filter) -> Counter[str]:
        """How often each value of a field occurs (`COUNTED`), among what is wanted; like refusals count as often."""
        several = field in ("rule", "flag")  # an entry may have more than one
        found = self._index_up_to_date().counts(COUNTED[field], _as_index(wanted))
        counts: Counter[str] = Counter()
        for text, count in found.items():
            for one in text.split("\n") if several else [text]:
                counts[one] += count
        return counts

    def _index_up_to_date(self) -> index.Index:
        """As of now: what is recorded later isn't in it."""
        if self._index is None:
            beside = (
                self._path.parent if self._path.name == place.DATABASE else None
            )  # one index: that of the file in use
            self._index = index.Index(self._connection, beside, self.progress)
        return self._index

    def _indexed(self, wanted: Filter) -> Iterator[Row]:
        """The same rows by way of the index; what it says is only where to look."""
        newest_first = wanted.limit is not None
        try:
            for position in self._index_up_to_date().positions(_as_index(wanted), newest_first=newest_first):
                found = self._connection.execute(f"{_ROW} WHERE e.position = ?", (position,)).fetchone()
                if found is not None and _fits(row := _row(*found), wanted):
                    yield row
        except sqlite3.Error as error:
            raise schema.explained(error) from error

    def _select(self, wanted: Filter) -> Iterator[Row]:
        """Newest first if there is a limit, so that a long record isn't read for its last page; else oldest first."""
        if not wanted.after and self.is_long():
            yield from self._indexed(wanted)
            return
        since = "" if wanted.since is None else stamp(wanted.since)
        statement = f"{_ROWS} {_NEWS if wanted.after else ''} ORDER BY e.position {'DESC' if wanted.limit else 'ASC'}"
        try:
            for found in self._connection.execute(statement, {"after": wanted.after, "since": since}):
                row = _row(*found)
                if _fits(row, wanted):
                    yield row
        except sqlite3.Error as error:
            raise schema.explained(error) from error


def open_for_reading(directory: Path | None = None, file: Path | None = None) -> Query:
    """The record of `directory` (default: the platform's), or a closed file. Raises RecordFailed if there is none."""
    if file is not None:
        return Query(schema.open_file_for_reading(file), file)
    directory = place.state_directory(directory)
    place.check(directory)
    path = directory / place.DATABASE
    if not place.is_there(directory):
        raise RecordFailed(f"nothing is recorded in `{directory}`")
    return Query(schema.open_for_reading(directory), path)


_RAW = "SELECT position, body, hash FROM entries ORDER BY position"
_ROW = """
    SELECT e.position, e.body, o.position, o.body FROM entries e LEFT JOIN entries o ON o.finishes = e.position """
_ROWS = f"{_ROW} WHERE e.finishes IS NULL AND e.time >= :since"
_NEWS = "AND e.position IN (SELECT coalesce(finishes, position) FROM entries WHERE position > :after)"


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _row(position: int, text: bytes, finished: int | None, outcome_text: bytes | None) -> Row:
    try:
        body = orjson.loads(text)
        outcome = {} if outcome_text is None else orjson.loads(outcome_text)
        duration = outcome.get("duration_us")
        return Row(
            id=entry_id(body["chain"], body["seq"]),
            position=finished or position,
            time=datetime.fromisoformat(body["time"]),
            kind=EntryKind(body["kind"]),
            session=body["session"],
            body=body,
            **{name: body[name] for name in _TEXTS if name in body},
            rules=tuple(rule["key"] for rule in body.get("rules", ())),
            count=body.get("count", 1),
            outcome=outcome.get("outcome", ""),
            duration_ms=None if duration is None else duration / 1000,
            note=outcome.get("note", ""),
            began=position,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RecordFailed(f"entry {position} can't be read: it was changed; keep the record as evidence") from error


_TEXTS = ("principal", "client", "method", "server", "target", "effect", "reason", "detail")


def _fits(row: Row, wanted: Filter) -> bool:
    if wanted.denied and row.effect not in ("ask", "deny"):
        return False
    if wanted.flagged and not row.flags:
        return False
    if wanted.tool is not None and not _is_named(row, wanted.tool):
        return False
    if wanted.server is not None and wanted.server not in (row.server, _server_of(row)):
        return False
    if wanted.session is not None and not row.session.startswith(wanted.session):
        return False
    if (wanted.until is not None and row.time >= wanted.until) or 0 < wanted.before <= row.began:
        return False
    if wanted.kind is None and row.kind in _FOR_VERIFY and not wanted.everything:
        return False
    exact = {"kind": row.kind.value, "effect": row.effect, "reason": row.reason, "outcome": row.outcome}
    exact["method"] = row.method
    if any(getattr(wanted, name) not in (None, has) for name, has in exact.items()):
        return False
    likes = ((wanted.principal, (row.principal,)), (wanted.client, (row.client,)), (wanted.rule, row.rules))
    return all(want is None or any(text and like(want, text) for text in texts) for want, texts in likes)


def _as_index(wanted: Filter) -> index.Wanted:
    """The same conditions, by the fields of the index. What it lets through is held against the filter once more."""
    clauses: list[tuple[str, Callable[[str], bool]]] = []

    def exactly(name: str, value: str | None) -> None:
        if value is not None:
            clauses.append((name, lambda text: text == value))

    def alike(name: str, pattern: str | None) -> None:
        if pattern is not None:
            clauses.append((name, lambda text: any(one and like(pattern, one) for one in text.split("\n"))))

    if wanted.flagged:
        clauses.append(("flags", bool))
    if wanted.denied:
        clauses.append(("effect", lambda text: text in ("ask", "deny")))
    if wanted.tool is not None:
        exactly("kind", EntryKind.DECISION.value)
        pattern = wanted.tool
        clauses.append(("name" if "/" in pattern else "target", lambda text: like(pattern, text)))
    if wanted.session is not None:
        beginning = wanted.session
        clauses.append(("session", lambda text: text.startswith(beginning)))
    if wanted.kind is None and not wanted.everything:
        clauses.append(("kind", lambda text: text not in _FOR_VERIFY))
    for name in ("server", "kind", "effect", "reason", "outcome", "method"):
        exactly(name, getattr(wanted, name))
    for name, pattern_of in (("principal", wanted.principal), ("client", wanted.client), ("rules", wanted.rule)):
        alike(name, pattern_of)
    return index.Wanted(tuple(clauses), wanted.since, wanted.until, wanted.before)


def _is_named(row: Row, pattern: str) -> bool:
    name = row.name if "/" in pattern else row.target
    return row.kind is EntryKind.DECISION and _pattern(pattern).fullmatch(name.casefold()) is not None


def _server_of(row: Row) -> str:
    return index.server_of(dict(row.body))


def _grants_of(row: Row) -> Iterator[tuple[str, list[str]]]:
    """Each document that was loaded, and the keys of its grants; records of earlier versions don't have them."""
    data = row.body.get("data")
    for document in data.get("documents", []) if isinstance(data, dict) else []:
        if isinstance(document, dict) and isinstance(grants := document.get("grants"), list):
            if document.get("kind") == "candidate":  # it grants nothing
                continue
            ids = (str(one) for one in grants if not str(one).startswith("…"))  # a cut list ends in `… 7 more`
            yield str(document.get("file")), [f"{document.get('kind')}/{one}" for one in ids]


def like(pattern: str, text: str) -> bool:
    """Does a text fit a pattern of a filter, upper and lower case alike?"""
    return _pattern(pattern).fullmatch(text.casefold()) is not None


@lru_cache(maxsize=8)
def _pattern(pattern: str) -> re.Pattern[str]:
    """`*` is any text; nothing else in a pattern is special."""
    return re.compile(".*".join(map(re.escape, pattern.casefold().split("*"))), re.DOTALL)
