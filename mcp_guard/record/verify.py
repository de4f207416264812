"""Does the record still say what was written? Recomputes every chain, and everything that follows from the chains.

Stands alone: reads rows and bytes, and uses none of the writer's state. What the chains can't show by themselves: an
end that was cut off or rewritten together with the tables that count it, where no later opening or checkpoint has
bound it. Hashes have no key: who may write the file can also forge all of it. A head kept elsewhere shows both, up to
that head; the signing key's public half shows a forgery by whoever doesn't have the private one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from mcp_guard.record import place, schema
from mcp_guard.record.chain import START, entry_hash
from mcp_guard.record.closing import closed_files
from mcp_guard.record.entries import BINDING, EntryKind, canonical, entry_id
from mcp_guard.record.heads import KeptHead
from mcp_guard.record.ledger import Ledger
from mcp_guard.record.signing import fingerprint, is_signed

MOST = 1000  # findings that are kept; a record that was rewritten has one for every entry
STEP = 20_000  # entries between two reports of progress

_UNREADABLE = (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading a value raises that somebody else wrote: a finding, not a crash."""

_COLUMNS = "position, chain, seq, time, finishes, body, hash"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that isn't as it was written. Of the whole record: no entry, position 0."""

    text: str
    entry: str = ""
    position: int = 0


@dataclass(slots=True)
class Report:
    """What was looked at, and what was found: in the order of the record, so that the first one is where it begins."""

    findings: list[Finding] = field(default_factory=list)
    count: int = 0  # of findings, those beyond `MOST` included
    entries: int = 0
    chains: int = 0
    first: int = 0  # position of the first entry that is there
    last: int = 0
    checkpoints: int = 0
    unseen_heads: int = 0  # heads from before the first entry that is there
    signed: int = 0  # position of the last checkpoint with a good signature: everything up to it is signed for
    keys: list[str] = field(default_factory=list)  # the public keys of good signatures, in order of appearance

    def found(self, text: str, entry: str = "", position: int = 0) -> None:
        self.count += 1
        if self.count <= MOST:
            self.findings.append(Finding(text, entry, position))


def verify(directory: Path) -> list[str]:
    """What is wrong with the record, one sentence each; empty: nothing. Raises RecordFailed if it can't be opened."""
    return [finding.text for finding in examine(*open_all(directory)).findings]


def open_all(directory: Path) -> list[sqlite3.Connection]:
    """The closed files of a record and the one in use, oldest first."""
    place.check(directory)
    found = []
    try:
        for path in (*closed_files(directory), directory / place.DATABASE):
            found.append(schema.open_file_for_reading(path))
    except BaseException:
        for connection in found:
            connection.close()
        raise
    return found


def examine(
    *files: sqlite3.Connection,
    keys: Collection[str] = (),
    heads: Iterable[KeptHead] = (),
    progress: Callable[[int], object] = lambda _: None,
) -> Report:
    """Everything that can be told of the record in these files, in their order; they are closed afterwards.

    `keys` are the public keys that are trusted (none: any, and the report names it); `heads` were kept elsewhere.
    """
    try:
        check = _Check(frozenset(keys), heads)
        for connection in files:
            connection.execute("BEGIN")  # one state of the record, however long this takes
            check.file(connection, progress)
        return check.end()
    except sqlite3.Error as error:
        raise schema.explained(error) from error
    finally:
        for connection in files:
            connection.close()


@dataclass(slots=True)
class _Chain:
    """A chain as read so far."""

    id: str
    seq: int = -1
    hash: bytes = START


class _Check:
    """One pass over all entries in order, file after file; then the tables that follow from them."""

    def __init__(self, keys: frozenset[str], heads: Iterable[KeptHead]) -> None:
        self._chains: dict[int, _Chain] = {}
        self._by_id: dict[str, _Chain] = {}
        self._grown: dict[str, _Chain] = {}  # chains that have entries which nothing has bound yet
        self._bound: dict[str, int] = {}
        self._keys = keys
        self._heads: dict[int, set[str]] = {}
        for head in heads:
            self._heads.setdefault(head.position, set()).add(head.hash)
        self._ledger = Ledger()
        self._next = 1
        self._time = ""
        self._end = b""  # the hash of the last entry
        self._carried: dict[str, Any] | None = None  # what the first entry of this file has to say of the one before
        self._at_beginning = True
        self._lost = ""  # the closed file that the first one here goes on from
        self._retired: set[str] = set()
        self.report = Report()

    def file(self, connection: sqlite3.Connection, progress: Callable[[int], object]) -> None:
        """The next file of the record."""
        self._goes_on(connection)
        self._at_beginning = True
        for row in connection.execute(f"SELECT {_COLUMNS} FROM entries ORDER BY position"):  # noqa: S608
            self._entry(*row)
            self.report.entries += 1
            if not self.report.entries % STEP:
                progress(self.report.entries)
        self._ends(connection)
        if self._lost:
            return  # what was used before, nothing here adds up to
        try:
            for text in self._ledger.differences(connection):
                self.report.found(text)
        except _UNREADABLE:
            self.report.found("the tables beside the entries can't be read")

    def end(self) -> Report:
        """After the last file."""
        self.report.chains = len(self._by_id)
        for position in sorted(self._heads):
            if position >= self.report.first:
                what = f"a head was kept of position {position}, and the record ends at {self.report.last}: it was cut"
                self.report.found(what, "", position)
            else:
                self.report.unseen_heads += 1
        if self._lost and self._lost not in self._retired:
            self.report.found(f"the closed file {self._lost} isn't here, and no entry says that it was removed")
        if self._keys and not self.report.signed and self.report.entries:
            self.report.found("no checkpoint is signed with the key given")
        return self.report

    def _goes_on(self, connection: sqlite3.Connection) -> None:
        """Where a file begins: at the beginning of all, or where the one before it ended."""
        is_first = self._next == 1 and not self._by_id
        carried = connection.execute("SELECT file, position, time, hash FROM carried").fetchone()
        rows = connection.execute("SELECT number, id, seq, head FROM chains").fetchall()
        alive = {row[0] for row in connection.execute("SELECT DISTINCT chain FROM entries WHERE seq = 0")}
        self._chains = {number: self._by_id.get(str(chain)) or _Chain(str(chain)) for number, chain, _, _ in rows}
        self._by_id |= {chain.id: chain for chain in self._chains.values()}
        self._carried = None
        if carried is not None:
            file, position, time, hashed = carried
            if not (type(file) is type(time) is str and type(position) is int and type(hashed) is bytes):
                self.report.found("where this file goes on from can't be read")
                return
            self._carried = {"file": file, "position": position, "hash": hashed.hex()}
            if is_first:
                self._lost, self._next, self._time = file, position + 1, time
                for number, _, seq, head in rows:
                    # It ended before this file began, and didn't grow since.
                    if number not in alive and type(seq) is int and type(head) is bytes:
                        self._chains[number].seq, self._chains[number].hash = seq, head
            elif (position, time, hashed) != (self._next - 1, self._time, self._end):
                self.report.found(f"what goes on after position {position} doesn't go on where {file} ends here")
        elif not is_first:
            self.report.found("a file that doesn't say which one was before it stands after others")

    def _entry(
        self, position: int, number: int, seq: int, time: str, finishes: int | None, text: bytes, hashed: bytes
    ) -> None:
        report = self.report
        if position != self._next:
            report.found(f"{position - self._next} entries are missing before position {position}", position=position)
        self._next = position + 1
        report.first, report.last = report.first or position, position
        chain = self._chains.get(number)
        if chain is None:
            report.found(f"the entry at {position} belongs to no chain", position=position)
            return
        before, chain.seq = chain.hash, chain.seq + 1
        body = _read(text)
        if body is None or not _is_filed(body, chain.id, seq, position, time, finishes):
            name = entry_id(chain.id, chain.seq)
            report.found(f"{name} isn't what it is filed as", name, position)
            chain.hash = hashed if isinstance(hashed, bytes) else before
            return
        if entry_hash(before, text) != hashed:
            self._found(chain, position, "was changed, or the entry before it in its chain")
        if seq != chain.seq:
            due, chain.seq = entry_id(chain.id, chain.seq), seq
            self._found(chain, position, f"stands where {due} should: something was removed or moved")
        if time < self._time and body.get("kind") != EntryKind.CLOCK_SET:
            self._found(chain, position, "is older than the entry before it")
        self._kept_elsewhere(chain, position, hashed)
        try:
            self._meaning(chain, position, body)
        except _UNREADABLE:
            self._found(chain, position, "can't be read")
        # What follows is held to the hash that stands here: one changed entry is one finding, and not all after it.
        chain.hash = hashed if isinstance(hashed, bytes) else before
        self._grown[chain.id] = chain
        self._time, self._end, self._at_beginning = time, chain.hash, False

    def _found(self, chain: _Chain, position: int, what: str) -> None:
        name = entry_id(chain.id, chain.seq)
        self.report.found(f"{name} {what}", name, position)

    def _meaning(self, chain: _Chain, position: int, body: Mapping[str, Any]) -> None:
        """What an entry says of others."""
        kind = EntryKind(body["kind"])
        if body.get("before") != (self._carried if self._at_beginning else None):
            self._found(chain, position, "doesn't go on where the closed file before it ended")
        if kind is EntryKind.RETIRED:
            self._retired.update(map(str, body["data"]["files"]))
        if kind in BINDING:
            self._binds(chain, position, body["heads"])
        if (kind is EntryKind.OPENED) != (chain.seq == 0):
            self._found(chain, position, "opens its chain in the middle" if chain.seq else "is no opening")
        elif kind is EntryKind.CHECKPOINT:
            self._signed(chain, position, body)
        elif kind is EntryKind.CLOCK_SET and body["data"]["from"] != self._time:
            self._found(chain, position, "sets the clock from another time than the entry before it has")
        if not self._ledger.enter(kind, dict(body)):
            self._found(chain, position, "is the outcome of no allowed call, or a second one")

    def _binds(self, chain: _Chain, position: int, heads: Mapping[str, Any]) -> None:
        """An opening or a checkpoint names every chain's end that nothing had bound: what is there must be that."""
        binder = entry_id(chain.id, chain.seq)
        last = chain.seq - 1  # of its own chain, which it has just made longer
        for name, (seq, hashed) in heads.items():
            self._bound[name] = seq
            there = self._by_id.get(name)
            place_there = None if there is None else (last if there is chain else there.seq, there.hash.hex())
            if place_there != (seq, hashed):
                lost = entry_id(name, seq)
                self.report.found(
                    f"{lost} was there when {binder} was written; it is gone or another now", lost, position
                )
        for name in () if self._lost and self._at_beginning else self._grown.keys() - heads.keys():
            self._found(chain, position, f"doesn't bind the chain {name}, which had grown")
        self._grown.clear()

    def _signed(self, chain: _Chain, position: int, body: Mapping[str, Any]) -> None:
        self.report.checkpoints += 1
        if not is_signed(body):
            self._found(chain, position, "has a signature that isn't of its content")
        elif self._keys and body["key"] not in self._keys:
            other = fingerprint(body["key"])
            self._found(chain, position, f"is signed with another key ({other}) than the one given")
        else:
            self.report.signed = position
            if body["key"] not in self.report.keys:
                self.report.keys.append(body["key"])

    def _kept_elsewhere(self, chain: _Chain, position: int, hashed: bytes) -> None:
        kept = self._heads.pop(position, None) if self._heads else None
        if kept is not None and kept != {hashed.hex() if isinstance(hashed, bytes) else ""}:
            what = "isn't what stood at its position when the head was kept: the record before it was rewritten"
            self._found(chain, position, what)

    def _ends(self, connection: sqlite3.Connection) -> None:
        for number, seq, head, bound in connection.execute("SELECT number, seq, head, bound FROM chains"):
            chain = self._chains[number]
            if (chain.seq, chain.hash) != (seq, head):
                self.report.found(f"chain {chain.id} ends at {chain.seq}, where it was written up to {seq}")
            if bound != self._bound.get(chain.id, bound if self._lost else -1):
                self.report.found(f"chain {chain.id} counts as bound up to {bound}, which is not what the entries say")


def _is_filed(
    body: Mapping[str, Any], chain: str, seq: object, position: object, time: object, finishes: object
) -> bool:
    """Do the columns say what the entry says? And exactly so: to SQLite 1, 1.0 and `true` are alike."""
    return (
        body.get("chain") == chain
        and type(seq) is int
        and body.get("seq") == seq
        and body.get("position") == position
        and type(time) is str
        and body.get("time") == time
        and body.get("finishes") == finishes
    )


def _read(text: bytes) -> dict[str, Any] | None:
    try:
        body = orjson.loads(text)
        return body if type(body) is dict and canonical(body) == text else None
    except _UNREADABLE:
        return None


def told(report: Report) -> Iterator[str]:
    """What the record's state shows and what it can't show, in exactly these words; for a person."""
    if report.count:
        return
    if report.first > 1:
        yield (
            f"the entries before position {report.first} aren't here: their file was removed, as an entry says; the "
            "chain goes on from its end, and what budgets had used by then can't be added up any more"
        )
    if report.unseen_heads:
        yield f"{report.unseen_heads} of the heads are from before that, and could not be looked at"
    rest = report.last - report.signed
    if not report.signed:
        yield "nothing is signed: hashes alone show no forgery by somebody who could write the file"
    elif rest:
        yield (
            f"signed up to position {report.signed} with key {', '.join(map(fingerprint, report.keys))}; the last "
            f"{rest} {'entry rests' if rest == 1 else 'entries rest'} on hashes alone until the next checkpoint"
        )
    else:
        yield f"signed to the end with key {', '.join(map(fingerprint, report.keys))}"
