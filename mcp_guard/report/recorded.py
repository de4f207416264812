"""What is known of an argument by its entry alone: its type, its size, and whether it is a listed value.

Core. Each constraint answers for such a value what can be said for certain; replay builds both ends from that.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from mcp_guard.policy.constraints import (
    All,
    Anything,
    Constraint,
    Each,
    Fields,
    From,
    MaxItems,
    MaxLength,
    NotFrom,
    OneOf,
    OrNull,
    Some,
    json_types,
)
from mcp_guard.report.slack import Digest

_TYPES = {"text": "string", "list": "array"}  # the record's words for JSON Schema's


class Told(Enum):
    """What a constraint says of a value that isn't there to be looked at."""

    YES = "yes"
    NO = "a clear no"
    NOT_YES = "no, or can't say"
    UNKNOWN = "that hangs on the value"


@dataclass(frozen=True, slots=True)
class Recorded:
    """An argument as an entry keeps it."""

    name: str
    kind: str  # `number`, `text:12`, `list:3`
    digest: str = ""  # keyed; empty: none was kept
    value: tuple[Any, ...] = ()  # the value itself, where it was kept

    @property
    def json_type(self) -> str:
        kind = self.kind.partition(":")[0]
        return _TYPES.get(kind, kind)

    @property
    def size(self) -> int | None:
        """Characters, elements or members."""
        size = self.kind.partition(":")[2]
        return int(size) if size.isascii() and size.isdigit() else None


def told(constraint: Constraint, value: object, digest: Digest | None) -> Told:
    """What `constraint` says of a recorded value, or of null, for certain. Anything else is unknown."""
    if isinstance(constraint, Anything):
        return Told.YES
    if isinstance(constraint, OrNull):
        return Told.YES if value is None else told(constraint.other, value, digest)
    if value is None:
        return Told.NOT_YES
    if not isinstance(value, Recorded):
        return Told.UNKNOWN
    if value.json_type not in json_types(constraint):
        return Told.NOT_YES
    if isinstance(constraint, All):
        return _all([told(part, value, digest) for part in constraint.parts])
    if isinstance(constraint, MaxLength | MaxItems) and value.size is not None:
        return Told.YES if value.size <= constraint.limit else Told.NO
    if isinstance(constraint, OneOf):
        return _one_of(constraint, value, digest)
    return Told.UNKNOWN


def goes_by_sources(constraint: Constraint) -> bool:
    """Does it ask where a value comes from? Then the value alone doesn't say: that was known at the time."""
    match constraint:
        case From() | NotFrom():
            return True
        case All(parts):
            return any(map(goes_by_sources, parts))
        case OrNull(other):
            return goes_by_sources(other)
        case Each(element) | Some(element):
            return goes_by_sources(element)
        case Fields():
            return True  # its members may; it is rare
        case _:
            return False


def _all(parts: list[Told]) -> Told:
    for answer in (Told.NO, Told.NOT_YES, Told.UNKNOWN):
        if answer in parts:
            return answer
    return Told.YES


def _one_of(listed: OneOf, value: Recorded, digest: Digest | None) -> Told:
    """By digests. A path that was given may have led elsewhere, and one number has several spellings: both are left
    open where the digest alone would say more than it knows.
    """
    if digest is None or not value.digest:
        return Told.UNKNOWN
    same = [one for one in listed.values if digest(value.name, one) == value.digest]
    if same:
        is_path = any(isinstance(one, str) and one.startswith(("/", "~", "file:")) for one in same)
        return Told.UNKNOWN if is_path else Told.YES
    return Told.UNKNOWN if value.json_type == "number" else Told.NOT_YES
