"""The documents that guards said they loaded, read again and held against what the record says of them.

A guard records the file and the digest of each document that it loads. Here the file, or the content of it that was
accepted, is read with the variables that it may have had; only what has that very digest is shown as what binds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mcp_guard.accepting import texts
from mcp_guard.accepting.beside import place_told
from mcp_guard.accepting.gate import accepted_rows, place_of
from mcp_guard.accepting.stacks import Part
from mcp_guard.config import load_config
from mcp_guard.errors import GuardError
from mcp_guard.policy.document import Document, read_mandate, read_policy
from mcp_guard.policy.yaml_source import MAX_BYTES
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Filter, Query, Row

LOOKED_AT = 200  # the newest starts of guards that are looked through
MOST = 12  # different sets of documents on one page


@dataclass(frozen=True, slots=True)
class Layer:
    """One document as a guard loaded it."""

    kind: str
    file: str
    grants: tuple[str, ...]  # ids, as the record has them
    document: Document | None  # None: its text isn't there any more as it was loaded


@dataclass(frozen=True, slots=True)
class Stack:
    """The documents that bound one start, or several starts alike."""

    layers: tuple[Layer, ...]
    since: datetime  # of the newest start
    session: str
    principal: str
    beside: str  # the place of their local denies


def stacks(query: Query, state: Path, principal: str) -> list[Stack]:
    """What guards of this record start with, the newest first, each set of documents once."""
    accepted = accepted_rows(state)
    found: dict[tuple[str, ...], Stack] = {}
    rows = list(query.entries(Filter(kind=EntryKind.LOADED.value, limit=LOOKED_AT)))
    for row in reversed(rows):
        said = [one for one in _objects(_data(row).get("documents")) if one.get("kind") in ("policy", "mandate")]
        files = tuple(f"{one.get('kind')}\n{one.get('file')}" for one in said)
        if said and files not in found and len(found) < MOST:
            session = str(_data(row).get("session", row.session))
            beside = place_told(_data(row)) or ""
            found[files] = Stack(tuple(_layers(said, state, accepted)), row.time, session, principal, beside)
    return list(found.values())


def _layers(said: Iterable[Mapping[str, Any]], state: Path, accepted: Mapping[tuple[str, str], str]) -> Iterator[Layer]:
    variables: Mapping[str, str] | None = None
    for one in said:
        kind, file = str(one.get("kind")), str(one.get("file"))
        document = _found(kind, Path(file), str(one.get("digest")), variables, state, accepted)
        if document is not None:
            variables = document.variables
        grants = one.get("grants")
        ids = tuple(str(name) for name in grants) if isinstance(grants, list) else ()
        yield Layer(kind, file, ids, document)


def _found(
    kind: str,
    file: Path,
    digest: str,
    variables: Mapping[str, str] | None,
    state: Path,
    accepted: Mapping[tuple[str, str], str],
) -> Document | None:
    read = read_policy if kind == "policy" else read_mandate
    for data in _contents(Part(kind), file, state, accepted):
        for given in _variables(file, variables):
            try:
                document = read(data, file, variables=given)
            except GuardError:
                continue
            if document.digest == digest:
                return document
    return None


def _contents(part: Part, file: Path, state: Path, accepted: Mapping[tuple[str, str], str]) -> Iterator[bytes]:
    try:
        with file.open("rb") as opened:
            yield opened.read(MAX_BYTES + 1)
    except OSError:
        pass
    where = place_of(part, file)
    for digest in {digest for (place, _), digest in accepted.items() if place == where and digest}:
        kept = texts.kept(state, digest)
        if kept is not None:
            yield kept


def _variables(file: Path, given: Mapping[str, str] | None) -> Iterator[Mapping[str, str]]:
    """Those of the policy that a mandate stands beside; else none, or those of a guard.yaml near the policy."""
    if given is not None:
        yield given
        return
    yield {}
    for beside in (file.parent / "guard.yaml", file.parent.parent / "guard.yaml"):
        try:
            config = load_config(beside)
        except GuardError:
            continue
        yield config.variables


def _data(row: Row) -> Mapping[str, Any]:
    data = row.body.get("data")
    return data if isinstance(data, Mapping) else {}


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
