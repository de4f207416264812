"""Heads: one entry's position and hash, short enough to keep elsewhere, which commits to everything before it.

Only openings and checkpoints are heads: they bind the ends of all chains, while any other entry commits to its own
chain alone. Who holds a head can tell whether the record that is shown later still has the same beginning, up to there.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass

import orjson

from mcp_guard.errors import InputError
from mcp_guard.record.entries import BINDING

_HEAD = re.compile(r"(?<![0-9a-zA-Z:])([1-9][0-9]{0,18}):([0-9a-f]{64})(?![0-9a-zA-Z:])")


@dataclass(frozen=True, slots=True)
class KeptHead:
    """Prints as `17:9f86d0…`: position and hash."""

    position: int
    hash: str  # 64 hexadecimal digits

    def __str__(self) -> str:
        return f"{self.position}:{self.hash}"


def heads_in(text: str) -> list[KeptHead]:
    """All heads that stand in a text: one, or a file that a sink wrote."""
    return [KeptHead(int(found[1]), found[2]) for found in _HEAD.finditer(text)]


def parse_head(text: str) -> KeptHead:
    """One head. Raises InputError for anything else."""
    found = heads_in(text)
    if len(found) != 1 or str(found[0]) != text.strip():
        raise InputError(f"`{text[:80]}` is no head; a head is POSITION:HASH, as `mcp-guard log head` prints it")
    return found[0]


def newest_head(connection: sqlite3.Connection) -> KeptHead | None:
    """The newest opening or checkpoint."""
    rows = connection.execute("SELECT position, body, hash FROM entries WHERE finishes IS NULL ORDER BY position DESC")
    for position, text, hashed in rows:
        if orjson.loads(text).get("kind") in BINDING:
            return KeptHead(position, bytes(hashed).hex())
    return None
