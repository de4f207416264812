"""The reader's side: who asked for what, what was decided by which rule, and what became of it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from mcp_guard.errors import RecordFailed
from mcp_guard.record import place, schema
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

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Query:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def entries(self, wanted: Filter) -> Iterator[Row]:
        """Rows, oldest first."""
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

    def servers(self) -> list[str]:
        """The tool servers that any entry is about."""
        rows = self.entries(Filter())
        return sorted({name for row in rows for name in (row.server, _server_of(row)) if name})

    def first_seen(self, server: str) -> frozenset[str] | None:
        """The tools that servers of this name had when each was first seen; None if none ever was."""
        rows = self._connection.execute("SELECT * FROM first_seen").fetchall()
        lists = [orjson.loads(tools) for key, tools in rows if str(key).rpartition(":")[0] == server]
        return frozenset(name for names in lists for name in names) if lists else None

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

    def _select(self, wanted: Filter) -> Iterator[Row]:
        """Newest first if there is a limit, so that a long record isn't read for its last page; else oldest first."""
        since = "" if wanted.since is None else stamp(wanted.since)
        statement = f"{_ROWS} {_NEWS if wanted.after else ''} ORDER BY e.position {'DESC' if wanted.limit else 'ASC'}"
        try:
            for found in self._connection.execute(statement, {"after": wanted.after, "since": since}):
                row = _row(*found)
                if _fits(row, wanted):
                    yield row
        except sqlite3.Error as error:
            raise schema.explained(error) from error


def open_for_reading(directory: Path | None = None) -> Query:
    """The record of `directory` (default: the platform's). Raises RecordFailed where there is none."""
    directory = place.state_directory(directory)
    place.check(directory)
    path = directory / place.DATABASE
    if not place.is_there(directory):
        raise RecordFailed(f"nothing is recorded in `{directory}`")
    return Query(schema.open_for_reading(directory), path)


_ROWS = """
    SELECT e.position, e.body, o.position, o.body FROM entries e LEFT JOIN entries o ON o.finishes = e.position
    WHERE e.finishes IS NULL AND e.time >= :since"""
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
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RecordFailed(f"entry {position} can't be read: it was changed; keep the record as evidence") from error


_TEXTS = ("principal", "client", "method", "server", "target", "effect", "reason", "detail")


def _fits(row: Row, wanted: Filter) -> bool:
    if wanted.denied and row.effect not in ("ask", "deny"):
        return False
    if wanted.tool is not None and not _is_named(row, wanted.tool):
        return False
    if wanted.server is not None and wanted.server not in (row.server, _server_of(row)):
        return False
    return wanted.session is None or row.session.startswith(wanted.session)


def _is_named(row: Row, pattern: str) -> bool:
    name = row.name if "/" in pattern else row.target
    return row.kind is EntryKind.DECISION and _pattern(pattern).fullmatch(name.casefold()) is not None


def _server_of(row: Row) -> str | None:
    data = row.body.get("data")
    name = data.get("server") if isinstance(data, dict) else None
    return str(name).rpartition(":")[0] if name and row.kind is EntryKind.FIRST_SIGHT else name


def _grants_of(row: Row) -> Iterator[tuple[str, list[str]]]:
    """Each document that was loaded, and the keys of its grants; records of earlier versions don't have them."""
    data = row.body.get("data")
    for document in data.get("documents", []) if isinstance(data, dict) else []:
        if isinstance(document, dict) and isinstance(grants := document.get("grants"), list):
            ids = (str(one) for one in grants if not str(one).startswith("…"))  # a cut list ends in `… 7 more`
            yield str(document.get("file")), [f"{document.get('kind')}/{one}" for one in ids]


@lru_cache(maxsize=8)
def _pattern(pattern: str) -> re.Pattern[str]:
    """`*` is any text; nothing else in a pattern is special."""
    return re.compile(".*".join(map(re.escape, pattern.casefold().split("*"))), re.DOTALL)
