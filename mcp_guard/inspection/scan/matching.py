"""How a rule of words is asked: only near an anchor, a literal that any match has in it.

Core. Looking for a literal costs next to nothing, so a text without anchors, which nearly every text is, is done with in
microseconds. Windows round the anchors are merged, and gaps in patterns are bounded, so the cost is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mcp_guard.inspection.scan.finding import Place, Severity

REACH = 160
"""Characters before and after an anchor in which a pattern has to fit."""
EVERYWHERE = frozenset({Place.PROSE, Place.VALUE, Place.RESULT})
PROSE = frozenset({Place.PROSE})


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is looked for. `pattern` is None where code finds it."""

    id: str
    severity: Severity
    reason: str
    anchors: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    places: frozenset[Place] = EVERYWHERE
    result_severity: Severity | None = None  # in a result, if it is another one there

    def severity_in(self, place: Place) -> Severity:
        return self.result_severity if place is Place.RESULT and self.result_severity else self.severity


def words(
    rule: str,
    severity: Severity,
    reason: str,
    anchors: Iterable[str],
    pattern: str,
    places: frozenset[Place] = EVERYWHERE,
    in_results: Severity | None = None,
) -> Rule:
    """A rule whose pattern is asked about the folded text."""
    return Rule(rule, severity, reason, tuple(anchors), re.compile(pattern, re.DOTALL), places, in_results)


@dataclass(frozen=True, slots=True)
class Table:
    """Rules for one place, with each anchor looked for once."""

    rules: tuple[Rule, ...]
    anchors: tuple[str, ...] = field(init=False)
    _by_anchor: dict[str, tuple[int, ...]] = field(init=False)

    def __post_init__(self) -> None:
        by_anchor: dict[str, list[int]] = {}
        for number, rule in enumerate(self.rules):
            for anchor in rule.anchors:
                by_anchor.setdefault(anchor, []).append(number)
        object.__setattr__(self, "anchors", tuple(by_anchor))
        object.__setattr__(self, "_by_anchor", {anchor: tuple(numbers) for anchor, numbers in by_anchor.items()})

    def matches(self, folded: str) -> Iterator[tuple[Rule, int, int]]:
        """The first match of every rule that has one."""
        present = [anchor for anchor in self.anchors if anchor in folded]
        if not present:
            return
        wanted: dict[int, list[str]] = {}
        for anchor in present:
            for number in self._by_anchor[anchor]:
                wanted.setdefault(number, []).append(anchor)
        for number in sorted(wanted):
            rule = self.rules[number]
            span = _search(rule.pattern, folded, wanted[number]) if rule.pattern is not None else None
            if span is not None:
                yield rule, *span


def _search(pattern: re.Pattern[str], text: str, anchors: list[str]) -> tuple[int, int] | None:
    if len(text) <= 2 * REACH:
        found = pattern.search(text)
        return found.span() if found is not None else None
    for start, end in _windows(text, anchors):
        found = pattern.search(text, start, end)
        if found is not None:
            return found.span()
    return None


def _windows(text: str, anchors: list[str]) -> Iterator[tuple[int, int]]:
    """Stretches round the anchors, in order, none twice; a word that begins before one isn't cut."""
    places: list[tuple[int, int]] = []
    for anchor in anchors:
        at = text.find(anchor)
        while at >= 0:
            if places and places[-1][1] + REACH >= at >= places[-1][0]:
                places[-1] = (places[-1][0], at + len(anchor))
            else:
                places.append((at, at + len(anchor)))
            at = text.find(anchor, at + len(anchor))
    start = end = -1
    for first, last in sorted(places):
        if first - REACH <= end:
            end = max(end, last + REACH)
            continue
        if end >= 0:
            yield max(0, start), end
        start, end = first - REACH, last + REACH
    if end >= 0:
        yield max(0, start), end
