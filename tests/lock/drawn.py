"""Drawn descriptors, pins and locks."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from mcp_guard.lock.pins import PinKind, pin_of
from mcp_guard.lock.servers import Identity, Lock, ServerPin, Strength

NAMES = st.sampled_from(["read", "write", "send_mail", "a.b", "x-1", "no", "Read"])
WORDS = st.text(st.characters(codec="utf-8"), max_size=60)
LEAVES = st.none() | st.booleans() | st.integers(-9, 2**40) | WORDS
SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "integer", "number"])},
    optional={"description": WORDS, "maxLength": st.integers(0, 9), "minimum": st.integers(-3, 3)},
)
INPUTS = st.fixed_dictionaries(
    {"type": st.just("object"), "properties": st.dictionaries(NAMES | WORDS, SCHEMAS, max_size=3)},
    optional={"required": st.lists(NAMES, max_size=2), "additionalProperties": st.booleans()},
)
DESCRIPTORS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"name": NAMES, "inputSchema": INPUTS},
    optional={
        "title": WORDS,
        "description": WORDS | st.just("Line one.\nLine two.\u202e\x1b[31m") | st.just("x" * 13_000),
        "annotations": st.dictionaries(st.sampled_from(["readOnlyHint", "destructiveHint"]), st.booleans()),
        "icons": st.lists(st.fixed_dictionaries({"src": WORDS}), max_size=1),
        "x-other": LEAVES,
        "_meta": st.dictionaries(WORDS, LEAVES, max_size=1),
    },
)


@st.composite
def servers(draw: st.DrawFn) -> ServerPin:
    pins = [pin_of(PinKind.TOOL, one) for one in draw(st.lists(DESCRIPTORS, max_size=4))]
    pins += [pin_of(PinKind.PROMPT, {"name": name, "description": "p"}) for name in draw(st.lists(NAMES, max_size=1))]
    command = tuple(draw(st.lists(WORDS, max_size=3)))
    return ServerPin(
        draw(NAMES),
        command,
        identity=Identity(draw(st.sampled_from(Strength)), draw(WORDS)),
        says=(draw(WORDS), draw(WORDS)),
        protocol="2025-11-25",
        pins={pin.key: pin for pin in pins},
    )


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    return Lock({one.name: one for one in draw(st.lists(servers(), max_size=3))}, "guard.lock")
