"""What the entries say of sightings, held against the rows: part of `verify`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from mcp_guard.history.index import Row
from mcp_guard.record.sightings import digest_of

_COLUMNS = "position, session, unit, tool, field, kind"


class SightingsLedger:
    """Which rows there should be, entry by entry."""

    def __init__(self) -> None:
        self._kept: dict[int, dict[str, Any]] = {}  # by position, those whose rows are still there
        self._counts: dict[str, list[int]] = {}

    def enter(self, body: dict[str, Any]) -> None:
        """Take a `sighted` entry in."""
        counts = self._counts.setdefault(body["session"], [0, 0, 0])
        for position in body.get("dropped", ()):
            gone = self._kept.get(position)
            if gone is not None and gone["session"] == body["session"] and not gone["carried"]:
                del self._kept[position]  # what was carried never falls out, whatever an entry says
                counts[0] -= gone["rows"]
                counts[2] += gone["rows"]
        counts[1 if body["carried"] else 0] += body["rows"]
        self._kept[body["position"]] = body

    def differences(self, connection: sqlite3.Connection) -> Iterator[str]:
        """Where the rows say something else."""
        missing = dict(self._kept)
        stored = connection.execute(f"SELECT {_COLUMNS} FROM sightings ORDER BY {_COLUMNS}")  # noqa: S608
        for position, rows in groupby(stored, key=lambda row: int(row[0])):
            found = list(rows)
            body = missing.pop(position, None)
            said = body is not None and (body["session"], body["rows"], body["sha256"])
            if said != (found[0][1], len(found), digest_of([Row(*row[2:]) for row in found])):
                yield f"what was seen at position {position} isn't what was recorded"
        if missing:
            yield f"what was seen at position {min(missing)} is gone"
        counts = {row[0]: list(row[1:]) for row in connection.execute("SELECT * FROM sighted")}
        if counts != self._counts:
            yield "the counts of what was seen aren't what the entries add up to"
