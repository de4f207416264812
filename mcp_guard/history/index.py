"""Who gains a source, and who doesn't. Pure: what is kept stands behind `Rows`, in memory or in the record.

Core. The rules, each of which a property test holds:

1. A unit gains a source where a tool's result holds it as a whole, and the call didn't say it itself (echo).
2. Once a call that may write has carried a unit, in whichever spelling, the unit gains nothing more in this session: a
   trusted tool that returns it may only read back what was written (laundering). What it had gained before stays.
3. Untrusted results are remembered by a loose form, so that no spelling hides them.
4. Bounded: gains fall out, oldest first; what was carried never does. When that is full, nothing gains any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from mcp_guard.history.reading import Carried, Given, echoes, is_word
from mcp_guard.history.units import squeezed
from mcp_guard.model import Origin, Unit

TRUSTED, UNTRUSTED, SEEN, CARRIED = range(4)
"""Kinds of rows: gained from a trusted or an untrusted result; seen in an untrusted one; carried by a call."""

_SOURCES = {TRUSTED: "trusted", UNTRUSTED: "untrusted", SEEN: "untrusted"}

MAX_GAINED = 100_000  # rows of a session; the oldest fall out
MAX_CARRIED = 100_000  # rows of a session; beyond them nothing gains any more


class Row(NamedTuple):
    """One thing that is known of a unit: of its exact form if something was gained, else of its loose form."""

    unit: bytes  # keyed digest, 16 bytes
    tool: str  # `server/tool`; of what was carried, empty
    field: str  # as the document names it; empty: anywhere in the result
    kind: int


class Rows(Protocol):
    """What is kept of one session."""

    def at(self, unit: bytes) -> Collection[Row]:
        """The rows of one digest."""


@dataclass(frozen=True, slots=True)
class Digests:
    """Units as digests under a key, so that what is kept says nothing to who reads it (law 8)."""

    key: bytes = b""

    def exact(self, unit: Unit) -> bytes:
        """Of exactly this unit."""
        return self._of(f"{unit.kind}\n{unit.text}")

    def loose(self, form: str) -> bytes:
        """Of everything with this squeezed form."""
        return self._of(f"~\n{form}")

    @property
    def words(self) -> bytes:
        """Stands for all plain words: somewhere, a long text was carried."""
        return self._of("words")

    @property
    def everything(self) -> bytes:
        """Stands for all there is: more was carried than can be listed."""
        return self._of("everything")

    def _of(self, text: str) -> bytes:
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=self.key[:64]).digest()


@dataclass(frozen=True, slots=True)
class Reading:
    """How the result of one call counts: whose it is, whether it is trusted, and what is wanted of it."""

    tool: str
    trusted: bool
    fields: tuple[str, ...]  # those that documents name, `iban` or `payee.iban`
    as_tool: bool  # somebody asks for the tool as a whole, or for all that is trusted
    carried: Carried


def gained(found: Iterable[Given], reading: Reading, digests: Digests, rows: Rows) -> list[Row]:
    """The rows that a slice of a result adds. Ordered and without doubles; empty where nothing new is known."""
    joined = "\n".join(sorted(reading.carried.forms))
    kind = TRUSTED if reading.trusted else UNTRUSTED
    wanted: dict[Row, None] = {}
    sealed = _has(rows, digests.everything)
    no_words = sealed or _has(rows, digests.words)
    for one in found:
        form = squeezed(one.unit.text)
        loose = digests.loose(form)
        if not reading.trusted:
            wanted[Row(loose, reading.tool, "", SEEN)] = None
        if sealed or (no_words and is_word(one.unit)) or echoes(form, reading.carried, joined) or _has(rows, loose):
            continue
        exact = digests.exact(one.unit)
        if reading.as_tool and one.anywhere:
            wanted[Row(exact, reading.tool, "", kind)] = None
        if one.whole:
            named = (name for name in reading.fields if _ends_in(one.path, name))
            wanted.update((Row(exact, reading.tool, name, kind), None) for name in named)
    return [row for row in wanted if row not in rows.at(row.unit)]


def _has(rows: Rows, unit: bytes) -> bool:
    return any(row.kind == CARRIED for row in rows.at(unit))


def _ends_in(path: tuple[str, ...], name: str) -> bool:
    parts = tuple(name.split("."))
    return path[-len(parts) :] == parts


def carrying(carried: Carried, digests: Digests, rows: Rows) -> list[Row]:
    """The rows that a call adds which may write."""
    units = [digests.loose(form) for form in sorted(carried.forms)]
    units += [digests.words] if carried.words else []
    units += [digests.everything] if carried.everything else []
    wanted = dict.fromkeys(Row(unit, "", "", CARRIED) for unit in units)
    return [row for row in wanted if row not in rows.at(row.unit)]


def origins(unit: Unit, digests: Digests, rows: Rows) -> Iterator[Origin]:
    """Where a unit comes from, by what is kept."""
    for row in (*rows.at(digests.exact(unit)), *rows.at(digests.loose(squeezed(unit.text)))):
        if row.kind != CARRIED:
            yield Origin(_SOURCES[row.kind], row.tool, row.field)


@dataclass(slots=True)
class InMemory:
    """Rows of a session that ends with its process: of a case, of a property test."""

    limit: int = MAX_GAINED
    dropped: bool = False
    _rows: dict[bytes, list[Row]] = field(default_factory=dict)
    _order: dict[Row, None] = field(default_factory=dict)

    def at(self, unit: bytes) -> Collection[Row]:
        return self._rows.get(unit, ())

    def add(self, rows: Iterable[Row]) -> None:
        """Keep these; the oldest that was gained falls out."""
        for row in rows:
            if row in self._rows.get(row.unit, ()):
                continue
            self._rows.setdefault(row.unit, []).append(row)
            if row.kind != CARRIED:
                self._order[row] = None
            if len(self._order) > self.limit:
                self._drop(next(iter(self._order)))

    def _drop(self, row: Row) -> None:
        del self._order[row]
        self._rows[row.unit].remove(row)
        self.dropped = True
