"""Characters that a person doesn't see, beyond what ordinary writing has.

Core. Which characters those are is `inspection.characters`' to say; how bad they are is said here.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcp_guard.inspection.characters import Hidden, hidden_spans
from mcp_guard.inspection.scan.finding import Place, Severity
from mcp_guard.inspection.scan.matching import Rule

_RUN = 4
"""Invisible characters side by side, or as many in one text, that no editor leaves by accident."""

HIDDEN_TEXT = Rule(
    "hidden-text",
    Severity.SEVERE,
    "Characters are hidden in it that a model reads and a person doesn't see: tags, selectors, runs without width.",
)
TURNED_TEXT = Rule(
    "turned-text", Severity.SEVERE, "Its direction is turned, so that a person reads something else than what is there."
)
TERMINAL_TEXT = Rule(
    "terminal-text",
    Severity.SEVERE,
    "It has control characters that repaint a terminal, or hide text on one.",
    result_severity=Severity.MINOR,
)
STRAY = Rule("stray-hidden", Severity.MINOR, "It has a single character that isn't seen.")
RULES = (HIDDEN_TEXT, TURNED_TEXT, TERMINAL_TEXT, STRAY)


def found(text: str, place: Place) -> Iterator[tuple[Rule, Severity, int, int]]:
    """The first of each kind."""
    spans = hidden_spans(text)
    if not spans:
        return
    told: set[str] = set()
    unseen = sum(end - start for start, end, kind in spans if kind not in (Hidden.CONTROL, Hidden.ESCAPE, Hidden.BIDI))
    for start, end, kind in spans:
        rule = _rule(kind, unseen)
        if rule.id not in told:
            told.add(rule.id)
            yield rule, rule.severity_in(place), start, end


def _rule(kind: Hidden, unseen: int) -> Rule:
    if kind is Hidden.BIDI:
        return TURNED_TEXT
    if kind in (Hidden.CONTROL, Hidden.ESCAPE):
        return TERMINAL_TEXT
    return HIDDEN_TEXT if kind is Hidden.TAG or unseen >= _RUN else STRAY
