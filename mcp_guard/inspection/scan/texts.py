"""Every text of a listed thing that a model reads, with its place.

Core. Takes any JSON, and goes by the members' names where it can: what stands under `properties` are names of
parameters, under `enum` and `default` values. Whatever it doesn't know counts as prose, so that nothing is left
out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mcp_guard.inspection.scan.finding import Place

Steps = tuple[Any, str | int]
"""A way into a thing: the steps before the last one (None: there are none), and that one, a name or a position."""
Text = tuple[Steps | None, Place, str]
"""Where, what kind of place, the text. Nearly no place is ever told, so it is written out only where it is."""

MAX_TEXTS = 50_000
"""Texts of one thing; one that has more is not like any tool."""
MAX_DEPTH = 100

_NAMES = frozenset({"properties", "patternProperties"})
_VALUES = frozenset({"enum", "const", "default", "examples", "example"})
_NOT_READ = frozenset({"_meta", "icons"})
"""Members that reach no model."""
_MEMBERS: dict[Place, tuple[Place, dict[str, Place | None], Place]] = {
    Place.PROSE: (
        Place.PROSE,
        {
            **dict.fromkeys(_VALUES, Place.VALUE),
            **dict.fromkeys(_NAMES, Place.NAME),
            **dict.fromkeys(_NOT_READ, None),
        },
        Place.PROSE,
    ),
    Place.VALUE: (Place.PROSE, dict.fromkeys(_NOT_READ, None), Place.VALUE),
    Place.NAME: (Place.NAME, {}, Place.PROSE),
}
"""Of an object in such a place: what its members' names are, and what they hold; None is not read."""


class TooMuch(Exception):
    """A thing with more texts, or deeper ones, than are looked at."""


def joined(value: Any) -> tuple[str, str]:
    """All texts at once, and all names, each once: where these have nothing, no single one has. Raises TooMuch."""
    found: list[str] = []
    names: dict[str, Any] = {}
    level, depth = [value], 0
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                found.append(item)
            elif isinstance(item, dict):
                names.update(item)
                read = item.keys().isdisjoint(_NOT_READ)
                below += item.values() if read else [one for name, one in item.items() if name not in _NOT_READ]
            elif isinstance(item, list):
                below += item
        if depth > MAX_DEPTH or len(found) + len(names) > MAX_TEXTS:
            raise TooMuch
        level, depth = below, depth + 1
    return "\n\n".join(found), "\n\n".join(names)


def texts(value: Any) -> Iterator[Text]:
    """The texts, outermost first. Raises TooMuch."""
    count = 0
    stack: list[tuple[Steps | None, Place, Any, int]] = [(None, Place.PROSE, value, 0)]
    while stack:
        where, place, item, depth = stack.pop()  # NAME: what it has for members are names
        if isinstance(item, str):
            count += 1
            yield where, Place.VALUE if place is Place.VALUE else Place.PROSE, item
        elif isinstance(item, dict):
            said, kinds, usual = _MEMBERS[place]
            inner: list[tuple[Steps | None, Place, Any, int]] = []
            for name, one in item.items():
                steps = (where, name)
                yield steps, said, name
                kind = kinds.get(name, usual)
                if kind is not None:
                    inner.append((steps, kind, one, depth + 1))
            count += len(item)
            inner.reverse()
            stack += inner
        elif isinstance(item, list):
            kind = Place.VALUE if place is Place.VALUE else Place.PROSE
            stack += [((where, at), kind, one, depth + 1) for at, one in enumerate(item)][::-1]
        if count > MAX_TEXTS or depth > MAX_DEPTH:
            raise TooMuch


def written(steps: Steps | None) -> str:
    """A way as a person reads it: `a.b[0]`, long names cut."""
    way: list[str | int] = []
    while steps is not None:
        steps, last = steps
        way.append(last)
    where = ""
    for step in reversed(way):
        more = f"[{step}]" if isinstance(step, int) else step[:64]
        where += f".{more}" if where and isinstance(step, str) else more
    return where
