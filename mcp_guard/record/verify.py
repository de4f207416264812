"""Does the record still say what was written? Recomputes every chain, and everything that follows from the chains.

Stands alone: reads rows and bytes, and uses none of the writer's state. What it can't see: an end that was cut off or
rewritten together with the tables that count it, until a later chain has bound the head that was there. Hashes have
no key: who may write the file can also forge all of it; a head kept elsewhere shows that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from mcp_guard.record import place, schema
from mcp_guard.record.chain import START, entry_hash
from mcp_guard.record.entries import EntryKind, canonical, entry_id
from mcp_guard.record.ledger import Ledger

_UNREADABLE = (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading a value raises that somebody else wrote: a finding, not a crash."""

_COLUMNS = "position, chain, seq, time, finishes, body, hash"


def verify(directory: Path) -> list[str]:
    """What is wrong with the record, one sentence each; empty: nothing. Raises RecordFailed if it can't be opened."""
    place.check(directory)
    connection = schema.open_for_reading(directory)
    try:
        connection.execute("BEGIN")  # one state of the record, however long this takes
        return list(_Check(connection).findings())
    except sqlite3.Error as error:
        raise schema.explained(error) from error
    finally:
        connection.close()


@dataclass(slots=True)
class _Chain:
    """A chain as read so far."""

    id: str
    seq: int = -1
    hash: bytes = START


class _Check:
    """One pass over all entries in order; then the tables that follow from them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        rows = connection.execute("SELECT number, id FROM chains")
        self._chains = {number: _Chain(str(chain)) for number, chain in rows}
        self._heads = _Heads(connection)
        self._ledger = Ledger()
        self._next = 1
        self._time = ""

    def findings(self) -> Iterator[str]:
        for row in self._connection.execute(f"SELECT {_COLUMNS} FROM entries ORDER BY position"):  # noqa: S608
            yield from self._entry(*row)
        yield from self._ends()
        try:
            yield from self._ledger.differences(self._connection)
        except _UNREADABLE:
            yield "the tables of usage and first sight can't be read"

    def _entry(
        self, position: int, number: int, seq: int, time: str, finishes: int | None, text: bytes, hashed: bytes
    ) -> Iterator[str]:
        if position != self._next:
            yield f"{position - self._next} entries are missing before position {position}"
        self._next = position + 1
        chain = self._chains.get(number)
        if chain is None:
            yield f"the entry at {position} belongs to no chain"
            return
        chain.seq, before = chain.seq + 1, chain.hash
        name = entry_id(chain.id, chain.seq)
        filed = {"chain": chain.id, "seq": seq, "position": position, "time": time, "finishes": finishes}
        body = _read(text)
        if body is None or filed != {key: body.get(key) for key in filed} or not isinstance(seq, int):
            yield f"{name} isn't what it is filed as"
            return
        chain.hash = entry_hash(before, text)
        if chain.hash != hashed:
            yield f"{name} was changed, or an entry before it was"
        if seq != chain.seq:
            yield f"{entry_id(chain.id, seq)} stands where {name} should: something was removed or moved"
            chain.seq = seq
        if time < self._time:
            yield f"{name} is older than the entry before it"
        self._time = max(time, self._time)
        self._heads.passed(chain.id, seq, chain.hash)
        try:
            yield from self._meaning(name, body)
        except _UNREADABLE:
            yield f"{name} can't be read"

    def _meaning(self, name: str, body: dict[str, Any]) -> Iterator[str]:
        """What an entry says of others."""
        kind = EntryKind(body["kind"])
        if (kind is EntryKind.OPENED) != (body["seq"] == 0):
            yield f"{name} opens its chain in the middle" if body["seq"] else f"{name} is no opening"
        elif kind is EntryKind.OPENED:
            yield from self._heads.bound(name, body["heads"])
        elif not self._ledger.enter(kind, body):
            yield f"{name} is the outcome of no allowed call, or a second one"

    def _ends(self) -> Iterator[str]:
        for number, seq, head, bound in self._connection.execute("SELECT number, seq, head, bound FROM chains"):
            chain = self._chains[number]
            if (chain.seq, chain.hash) != (seq, head):
                yield f"chain {chain.id} ends at {chain.seq}, where it was written up to {seq}"
            if bound != self._heads.last_bound.get(chain.id, -1):
                yield f"chain {chain.id} counts as bound up to {bound}, which is not what the openings say"


class _Heads:
    """The heads that openings bind, held against what is there."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._hashes: dict[tuple[str, int], str] = {}  # of the entries that some opening names
        self._named: set[tuple[str, int]] = set()
        self.last_bound: dict[str, int] = {}
        for (text,) in connection.execute("SELECT body FROM entries WHERE seq = 0"):
            try:
                self._named |= {(chain, seq) for chain, (seq, _) in orjson.loads(text)["heads"].items()}
            except _UNREADABLE:
                continue  # it is found when its turn comes

    def passed(self, chain: str, seq: int, hashed: bytes) -> None:
        if (chain, seq) in self._named:
            self._hashes[chain, seq] = hashed.hex()

    def bound(self, name: str, heads: dict[str, Any]) -> Iterator[str]:
        for chain, (seq, hashed) in heads.items():
            self.last_bound[chain] = seq
            if self._hashes.get((chain, seq)) != hashed:
                yield f"{entry_id(chain, seq)} was there when {name} was written; it is gone or another now"


def _read(text: bytes) -> dict[str, Any] | None:
    try:
        body = orjson.loads(text)
        return body if isinstance(body, dict) and canonical(body) == text else None
    except _UNREADABLE:
        return None
