"""One pinned thing: a tool, a prompt or a resource template, by a digest of all that its server says of it.

Core. The digest alone decides whether it is still the one that was looked at. The digests of its parts say which part
changed, and `seen` what a reviewer reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mcp_guard.errors import Malformed
from mcp_guard.lock.seen import seen_of
from mcp_guard.model import Json
from mcp_guard.wire import digest


class PinKind(StrEnum):
    """What is pinned. Resources aren't: they are data, and their list is, too."""

    TOOL = "tool"
    PROMPT = "prompt"
    TEMPLATE = "template"


NAMED_BY = {PinKind.TOOL: "name", PinKind.PROMPT: "name", PinKind.TEMPLATE: "uriTemplate"}
"""The member that says which one it is."""

_PARTS = (
    "title",
    "description",
    "inputSchema",
    "outputSchema",
    "annotations",
    "arguments",
    "icons",
    "mimeType",
    "name",
)
OTHERS = "other members"
VARYING = frozenset({"_meta"})
"""Members that may differ from one listing to the next: no client shows them to a model."""
_LIKENESS = ("description", "inputSchema", "outputSchema", "arguments")


@dataclass(frozen=True, slots=True)
class Pin:
    """A thing as it was when it was pinned. Digests are SHA-256 of canonical bytes, in hex."""

    kind: PinKind
    name: str
    digest: str  # of all its members but `VARYING`
    parts: Mapping[str, str] = field(default_factory=dict)  # 16 digits each: these explain and don't decide
    likeness: str = ""  # 16 digits, of what makes it the same thing under another name; empty: nothing does
    seen: Mapping[str, Json] | None = None  # what `guard.lock` shows of it; None: digests are all that is kept

    @property
    def key(self) -> tuple[PinKind, str]:
        return self.kind, self.name


def name_of(kind: PinKind, descriptor: Any) -> str:
    """What a listed thing is called; empty if it has no name that is text."""
    name = descriptor.get(NAMED_BY[kind]) if isinstance(descriptor, Mapping) else None
    return name if isinstance(name, str) else ""


def whole_digest(descriptor: Mapping[str, Any]) -> str:
    """The digest that decides; empty, and so equal to none, for what has no canonical bytes."""
    return _digest({member: value for member, value in descriptor.items() if member not in VARYING})


def pin_of(kind: PinKind, descriptor: Mapping[str, Any]) -> Pin:
    """Pin a thing as its server lists it."""
    rest = {name: value for name, value in descriptor.items() if name not in VARYING and name != NAMED_BY[kind]}
    parts = {name: _digest(rest.pop(name))[:16] for name in _PARTS if name in rest}
    if rest:
        parts[OTHERS] = _digest(rest)[:16]
    name = name_of(kind, descriptor)
    return Pin(kind, name, whole_digest(descriptor), parts, _likeness(descriptor), seen_of(descriptor))


def changed_parts(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the parts that differ, one that came or went too, in a fixed order."""
    names = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    return tuple(name for name in (*_PARTS, OTHERS) if name in names)


def _likeness(descriptor: Mapping[str, Any]) -> str:
    """Two things with neither a description nor arguments are alike by chance; that says nothing."""
    schema = descriptor.get("inputSchema")
    takes = schema.get("properties") if isinstance(schema, Mapping) else descriptor.get("arguments")
    if not (descriptor.get("description") or takes):
        return ""
    return _digest({name: descriptor[name] for name in _LIKENESS if name in descriptor})[:16]


def _digest(value: Any) -> str:
    try:
        return digest(value)
    except (Malformed, ValueError, RecursionError):
        return ""
