"""W3C trace context in a request's `_meta`, where MCP has it: read from the client, written for the server.

https://www.w3.org/TR/trace-context/ (level 1), https://modelcontextprotocol.io (reserved keys of `_meta`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PARENT, STATE = "traceparent", "tracestate"
MAX_STATE = 512
"""Characters that have to be propagated; a longer state is left out."""
_FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Parent:
    """The span that a client says its request belongs to."""

    trace: int
    span: int
    flags: int
    state: str = ""


def parent_in(params: Mapping[str, Any]) -> Parent | None:
    """The client's trace context; None if it sent none, or one that isn't in the form."""
    meta = params.get("_meta")
    if not isinstance(meta, Mapping) or not isinstance(text := meta.get(PARENT), str):
        return None
    state = meta.get(STATE)
    return parent_of(text, state if isinstance(state, str) and len(state) <= MAX_STATE and state.isascii() else "")


def parent_of(text: str, state: str = "") -> Parent | None:
    """What a `traceparent` says; None if it isn't in the form."""
    found = _FORM.fullmatch(text)
    if found is None or not (trace := int(found[1], 16)) or not (span := int(found[2], 16)):
        return None
    return Parent(trace, span, int(found[3], 16), state)


def with_parent(params: Mapping[str, Any], parent: Parent) -> dict[str, Any]:
    """The same `params` with this as the trace context, and all else as it was."""
    given = params.get("_meta")
    meta = {key: value for key, value in given.items() if key != STATE} if isinstance(given, Mapping) else {}
    meta[PARENT] = f"00-{parent.trace:032x}-{parent.span:016x}-{parent.flags:02x}"
    if parent.state:
        meta[STATE] = parent.state
    return {**params, "_meta": meta}
