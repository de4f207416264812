"""The arguments of calls, where a person wants them kept (`record: {values: true}`): apart from the record (law 8).

A file of its own beside the record (0600), bounded in size and time, so that it can be deleted at any moment: then the
calls are known by shape and digest again. An argument in which a secret is found is kept as a mark only. What is kept
is held against the keyed digests of the call's entry whenever it is read, so a value that was changed shows. Nothing
that decides reads it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mcp_guard.errors import Malformed, RecordFailed
from mcp_guard.inspection.carried import secrets_in
from mcp_guard.inspection.secrets import finder
from mcp_guard.record import place
from mcp_guard.record.entries import Entry, stamp
from mcp_guard.record.was import LIMIT, value_digest
from mcp_guard.wire import keyed_digest, serialize

FILE = "values.db"
KEPT = timedelta(days=14)
MAX_EACH = 64 << 10
MAX_BYTES = 256 << 20
"""Bytes of one call's arguments, and of all of them; beyond, the oldest go."""
PRUNE = 256  # calls between two looks at what is too old or too much
_WAIT = 0.05  # seconds for another process, since the event loop stands still meanwhile
_TABLE = """CREATE TABLE IF NOT EXISTS kept (
    entry TEXT PRIMARY KEY,
    time TEXT NOT NULL,
    size INTEGER NOT NULL,
    arguments TEXT NOT NULL,
    seal TEXT NOT NULL) WITHOUT ROWID"""


@dataclass(frozen=True, slots=True)
class Kept:
    """One call's arguments. `missing` says of others why their value isn't here: the kind of secret, or the size."""

    entry: str
    values: Mapping[str, Any] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


class Values:
    """The values beside the record of `directory`, whose key is `key`. Raises RecordFailed where they can't be used.

    `kept` is how long they stay; never longer than `KEPT`.
    """

    def __init__(self, directory: Path, key: bytes, kept: timedelta = KEPT) -> None:
        self._path = directory / FILE
        self._key = key
        self._kept = min(kept, KEPT)
        self._until_prune = 0
        self._connection: sqlite3.Connection | None = None
        finder(())  # made now: the first call needn't wait for it

    def keep(self, entry: Entry, arguments: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        """Keep what a call carried under names that its tool's schema has (`known`): others may be secrets."""
        names = [name for name in arguments if name in known][:LIMIT]
        text = _text({name: _shown(name, arguments[name]) for name in names})
        if len(text) > MAX_EACH:
            text = _text({name: {"left_out": f"the call has {len(text)} bytes"} for name in names})
        row = (entry.id, stamp(entry.time), len(text), text, self._seal(entry.id, text))
        try:
            connection = self._open()
            connection.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?, ?)", row)
            self._until_prune -= 1
            if self._until_prune < 0:
                self._until_prune = PRUNE
                _prune(connection, entry.time - self._kept)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise RecordFailed(f"`{FILE}` can't be used: {error}") from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _seal(self, entry: str, text: str) -> str:
        return seal(self._key, entry, text)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None or not place.exists(self._path):
            self.close()
            if not place.exists(self._path):
                place.publish(self._path, b"")
            place.check_file(self._path)
            uri = f"{self._path.as_uri()}?mode=rw"
            connection = sqlite3.connect(uri, uri=True, timeout=_WAIT, isolation_level=None)
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=OFF")  # a power cut may take values; entries have their own file
            connection.execute(_TABLE)
            self._connection = connection
        return self._connection


def seal(key: bytes, entry: str, text: str) -> str:
    """Binds what is kept to its entry, marks included: only who has the record's key can write another."""
    return keyed_digest(key, {"kept": text, "of": entry})


def read_values(directory: Path, key: bytes) -> dict[str, tuple[str, str]]:
    """By entry: what is kept and its seal, as they are stored; empty where nothing is. Raises RecordFailed."""
    path = directory / FILE
    if not place.exists(path):
        return {}
    place.check_file(path)
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1.0, isolation_level=None)
        try:
            rows = connection.execute("SELECT entry, arguments, seal FROM kept")
            return {str(entry): (str(text), str(sealed)) for entry, text, sealed in rows}
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise RecordFailed(f"`{FILE}` can't be read: {error}") from error


@dataclass(slots=True)
class Reader:
    """What is kept, held against entries; `changed` are the entries whose values aren't those of the call."""

    key: bytes
    rows: Mapping[str, tuple[str, str]]
    changed: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, directory: Path, key: bytes) -> Reader:
        return cls(key, read_values(directory, key))

    def of_entry(self, entry: str, body: Mapping[str, Any]) -> Kept | None:
        """The arguments of the call that an entry tells of; None if they aren't kept, or aren't those of the call."""
        found = self.rows.get(entry)
        if found is None:
            return None
        kept = _read(entry, *found, self.key)
        if kept is None or not _is_of(self.key, kept, body):
            self.changed.append(entry)
            return None
        return kept


def _is_of(key: bytes, kept: Kept, body: Mapping[str, Any]) -> bool:
    digests = body.get("values")
    digests = digests if isinstance(digests, Mapping) else {}
    return all(digests.get(name) == value_digest(key, name, value) for name, value in kept.values.items())


def _read(entry: str, text: str, sealed: str, key: bytes) -> Kept | None:
    if seal(key, entry, text) != sealed:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    values = {name: one["value"] for name, one in found.items() if "value" in one}
    missing = {name: str(next(iter(one.values()))) for name, one in found.items() if "value" not in one}
    return Kept(entry, values, missing)


def _shown(name: str, value: Any) -> dict[str, Any]:
    kinds = secrets_in({name: value})
    return {"masked": ", ".join(kinds)} if kinds else {"value": value}


def _text(kept: Mapping[str, Any]) -> str:
    try:
        return serialize(kept).decode()
    except Malformed:
        return _text({name: {"left_out": "it is no Unicode text"} for name in kept})


def _prune(connection: sqlite3.Connection, before: datetime) -> None:
    connection.execute("DELETE FROM kept WHERE time < ?", (stamp(before.astimezone(UTC)),))
    total = int(connection.execute("SELECT coalesce(sum(size), 0) FROM kept").fetchone()[0])
    for entry, size in _oldest(connection) if total > MAX_BYTES else ():
        if total <= MAX_BYTES:
            return
        connection.execute("DELETE FROM kept WHERE entry=?", (entry,))
        total -= size


def _oldest(connection: sqlite3.Connection) -> Iterator[tuple[str, int]]:
    yield from connection.execute("SELECT entry, size FROM kept ORDER BY time, entry").fetchall()
