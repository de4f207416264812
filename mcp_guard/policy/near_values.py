"""Values that fit a limit and are close to one that doesn't: a path of the same name in a granted directory, the end of
a range. For explanations: whoever uses one asks the judge first.

Core.
"""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from mcp_guard.policy.constraint_kinds import (
    All,
    Constraint,
    DomainIn,
    Each,
    Fields,
    MaxItems,
    MaxLength,
    OneOf,
    OrNull,
    Range,
    Under,
    Within,
    exact,
)
from mcp_guard.policy.constraint_samples import fitting

_STEPS = (Decimal(1), Decimal("0.01"))  # from an open end inwards: a whole number where one fits


def near(constraint: Constraint, given: Any) -> Iterator[Any]:
    """Values that may fit, those that resemble `given` first."""
    yield given
    yield from _alike(constraint, given)
    yield from fitting(constraint)


def _alike(constraint: Constraint, given: Any) -> Iterator[Any]:
    match constraint:
        case Range() if isinstance(given, int | float) and not isinstance(given, bool):
            yield from _ends(constraint, given)
        case MaxLength(limit) if isinstance(given, str):
            yield given[:limit]
        case MaxItems(limit) if isinstance(given, list):
            yield given[:limit]
        case OneOf(texts=texts) if isinstance(given, str):
            yield from difflib.get_close_matches(given, texts, n=1)
        case Under(root, uri) if isinstance(given, str) and (name := posixpath.basename(given.rstrip("/"))):
            yield f"{'file://' if uri else ''}{root}/{name}"
        case Within() if isinstance(given, str) and (name := posixpath.basename(given.rstrip("/"))):
            yield name
        case DomainIn(domains) if isinstance(given, str) and "@" in given:
            yield from (f"{given.partition('@')[0]}@{one.host}" for one in domains if not one.subdomains)
        case Each(element):
            yield from _lists(element, given if isinstance(given, list) else [given])
        case Fields(named) if isinstance(given, dict):
            yield from _objects(named, given)
        case OrNull(other):
            yield from near(other, given)
        case All(parts):
            for part in parts:
                yield from _alike(part, given)
            yield from _through(parts, given)


def _ends(limits: Range, given: float) -> Iterator[Any]:
    if limits.low is not None and exact(given) <= exact(limits.low):
        yield from _inwards(limits.low, 1, is_open=limits.low_open)
    if limits.high is not None and exact(given) >= exact(limits.high):
        yield from _inwards(limits.high, -1, is_open=limits.high_open)


def _inwards(end: float, sign: int, *, is_open: bool) -> Iterator[Any]:
    if not is_open:
        yield end
    for step in _STEPS:
        found = exact(end) + sign * step
        yield int(found) if found == int(found) else float(found)


def _lists(element: Constraint, given: list[Any]) -> Iterator[Any]:
    """Each entry by its nearest, then only by such as the limit itself names."""
    for place in range(3):
        made = [_nth(near(element, one), place) for one in given]
        if made and None not in made:
            yield made


def _objects(named: Sequence[tuple[str, Constraint]], given: dict[str, Any]) -> Iterator[Any]:
    """Without other members; then with each member in turn, and at last all of them, by their nearest."""
    kept = {name: given.get(name) for name, _ in named}
    yield kept
    bent = {name: _nth(near(part, given.get(name)), 1) for name, part in named}
    yield from ({**kept, name: value} for name, value in bent.items())
    yield bent


def _nth(values: Iterator[Any], place: int) -> Any:
    for number, value in enumerate(values):
        if number == place:
            return value
    return None


def _through(parts: tuple[Constraint, ...], given: Any) -> Iterator[Any]:
    """What one part makes of it, bent by the next: `under` and `max_length` together."""
    for part in parts:
        given = next(_alike(part, given), given)
    yield given
