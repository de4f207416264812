"""Was it this value? Held against the keyed digests of an entry: whoever has the record and its key can ask.

The record keeps no value (law 8), so it can't say what a value was; it can say yes or no to one that is shown to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from mcp_guard.wire import keyed_digest

LIMIT = 64  # arguments of one call of which a digest is kept


class Match(Enum):
    """What an entry says of one argument."""

    YES = "yes"
    NO = "no"
    ABSENT = "not given in that call, or not kept"


def value_digest(key: bytes, name: str, value: Any) -> str:
    """128 bits of the keyed digest of one argument. Its name is in it: one value under two names has two digests."""
    return keyed_digest(key, {"argument": name, "value": value})[:32]


def value_digests(key: bytes, arguments: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, str]:
    """Of each argument that the tool's schema has; a name that it doesn't have may be a secret itself."""
    kept = [name for name in arguments if name in known][:LIMIT]
    return {name: value_digest(key, name, arguments[name]) for name in kept}


def matches(key: bytes, body: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Match]:
    """Each of the arguments shown, held against a decision's entry."""
    kept = body.get("values")
    kept = kept if isinstance(kept, Mapping) else {}
    return {name: _match(key, kept.get(name), name, value) for name, value in arguments.items()}


def is_whole_call(key: bytes, body: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
    """Is this all that the call carried? Only where the client sent nothing beside name and arguments."""
    params = {"name": body.get("target"), "arguments": dict(arguments)}
    return keyed_digest(key, {"method": body.get("method"), "params": params}) == body.get("digest")


def _match(key: bytes, kept: object, name: str, value: Any) -> Match:
    if kept is None:
        return Match.ABSENT
    return Match.YES if kept == value_digest(key, name, value) else Match.NO
