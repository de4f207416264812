"""The call most like this one that somebody approved before, and what is different now.

The record keeps no values (law 8): it can say of each argument that it is the same one as then, or another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mcp_guard.model import Call
from mcp_guard.record.query import Filter, Query, Row
from mcp_guard.record.was import value_digest

LOOKED_AT = 300
"""The newest allowed calls of the tool that are looked through: enough for what a person may remember agreeing to."""
SAME, OTHER, NEW, GONE = "the same", "another value", "new", "no longer given"
UNKNOWN = "not kept then, so it may be another"
_OTHERS = "*"  # under this the record counts arguments whose names the tool's schema doesn't have


@dataclass(frozen=True, slots=True)
class Nearest:
    """An approved call of the same tool, and each argument now against then."""

    entry: str
    time: datetime
    by: str
    changes: Mapping[str, str]  # by argument: one of the words above

    @property
    def is_same(self) -> bool:
        """Is every argument what it was?"""
        return all(said == SAME for said in self.changes.values())

    @property
    def different(self) -> tuple[str, ...]:
        """`recipient: another value`; what is the same is left out."""
        return tuple(f"{name}: {said}" for name, said in self.changes.items() if said != SAME)


def nearest(call: Call, key: bytes, query: Query) -> Nearest | None:
    """The approved call of this principal that has most arguments in common with this one; of several, the newest."""
    digests = {name: value_digest(key, name, value) for name, value in call.arguments.items()}
    found: tuple[int, Nearest] | None = None
    for row, by in _approved(call, query):
        changes = _changes(row, digests)
        differences = sum(said != SAME for said in changes.values())
        if found is None or differences <= found[0]:
            found = differences, Nearest(row.id, row.time, by, changes)
    return None if found is None else found[1]


def _approved(call: Call, query: Query) -> Iterator[tuple[Row, str]]:
    wanted = Filter(tool=call.name, effect="allow", limit=LOOKED_AT)
    same = call.principal, call.method, call.server, call.target
    for row in query.entries(wanted):
        agreed = row.body.get("approvals")
        if (row.principal, row.method, row.server, row.target) == same and isinstance(agreed, list) and agreed:
            yield row, ", ".join(str(one.get("by", "?")) for one in agreed if isinstance(one, dict))


def _changes(row: Row, digests: Mapping[str, str]) -> dict[str, str]:
    shape, kept = _object(row.body.get("shape")), _object(row.body.get("values"))
    said = {name: _change(name, digest, shape, kept) for name, digest in digests.items()}
    gone = {str(name) for name in shape if name not in digests}
    if UNKNOWN in said.values():
        gone.discard(_OTHERS)
    return said | dict.fromkeys(sorted(gone), GONE)


def _change(name: str, digest: str, shape: Mapping[str, Any], kept: Mapping[str, Any]) -> str:
    if name in kept:
        return SAME if kept[name] == digest else OTHER
    return UNKNOWN if name in shape or _OTHERS in shape else NEW


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
