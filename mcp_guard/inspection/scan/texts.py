"""Every text of a listed thing that a model reads, with its place.

Core. Takes any JSON, and goes by the members' names where it can: what stands under `properties` are names of parameters,
under `enum` and `default` values. Whatever it doesn't know counts as prose, so that nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mcp_guard.inspection.scan.finding import Place

Text = tuple[str, Place, str]
"""Where, what kind of place, the text."""

MAX_TEXTS = 20_000
"""Texts of one descriptor; one that has more is not like any tool."""
MAX_DEPTH = 64

_NAMES = frozenset({"properties", "patternProperties"})

_VALUES = frozenset({"enum", "const", "default", "examples", "example"})
_NOT_READ = frozenset({"_meta", "icons", "$schema", "$id", "$ref", "type", "format", "mimeType", "pattern"})
"""Members whose texts are of the format, or reach no model."""


class TooMuch(Exception):
    """A thing with more texts, or deeper ones, than are looked at."""


def texts(value: Any) -> Iterator[Text]:
    """The texts of a descriptor, outermost first. Raises TooMuch."""
    count = 0
    stack: list[tuple[str, Place, Any, bool, int]] = [("", Place.PROSE, value, False, 0)]
    while stack:
        where, place, item, of_names, depth = stack.pop()
        if isinstance(item, str):
            count += 1
            yield where, place, item
        elif isinstance(item, list):
            stack.extend(
                (f"{where}[{number}]", place, one, False, depth + 1) for number, one in reversed(list(enumerate(item)))
            )
        elif isinstance(item, Mapping):
            for name, inner in reversed(item.items()) if isinstance(item, dict) else item.items():
                path = f"{where}.{name[:64]}" if where else name[:64]
                if of_names or not _known(name):
                    count += 1
                    yield path, Place.NAME, name
                if not of_names and name in _NOT_READ and not isinstance(inner, Mapping | list):
                    if len(str(inner)) <= 256:
                        continue
                inside = place if place is Place.VALUE or of_names else _place(name, place)
                stack.append((path, inside, inner, not of_names and name in _NAMES and place is not Place.VALUE, depth + 1))
        if count > MAX_TEXTS or depth > MAX_DEPTH:
            raise TooMuch


def _place(name: str, place: Place) -> Place:
    return Place.VALUE if name in _VALUES else place


def _known(name: str) -> bool:
    """A keyword of the format, or short enough to be one: not worth a look of its own."""
    return len(name) <= 24 and name.isascii() and name.isalnum()
