"""Every text of a listed thing that a model reads, with its place.

Core. Takes any JSON, and goes by the members' names where it can: what stands under `properties` are names of
parameters, under `enum` and `default` values. Whatever it doesn't know counts as prose, so that nothing is left
out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mcp_guard.inspection.scan.finding import Place

Text = tuple[str, Place, str]
"""Where, what kind of place, the text."""

MAX_TEXTS = 50_000
"""Texts of one thing; one that has more is not like any tool."""
MAX_DEPTH = 100

_NAMES = frozenset({"properties", "patternProperties"})
_VALUES = frozenset({"enum", "const", "default", "examples", "example"})
_NOT_READ = frozenset({"_meta", "icons"})
"""Members that reach no model."""


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
    stack: list[tuple[str, Place, Any, bool, int]] = [("", Place.PROSE, value, False, 0)]
    while stack:
        where, place, item, of_names, depth = stack.pop()
        if isinstance(item, str):
            count += 1
            yield where, place, item
        elif isinstance(item, list):
            stack.extend(
                (f"{where}[{at}]", place, one, False, depth + 1) for at, one in reversed(list(enumerate(item)))
            )
        elif isinstance(item, Mapping):
            inner: list[tuple[str, Place, Any, bool, int]] = []
            for name, one in item.items():
                path = f"{where}.{name[:64]}" if where else name[:64]
                count += 1
                yield path, Place.NAME if of_names else Place.PROSE, name
                if of_names or name not in _NOT_READ:
                    values = place is Place.VALUE or (not of_names and name in _VALUES)
                    names = not of_names and not values and name in _NAMES
                    inner.append((path, Place.VALUE if values else Place.PROSE, one, names, depth + 1))
            stack.extend(reversed(inner))
        if count > MAX_TEXTS or depth > MAX_DEPTH:
            raise TooMuch
