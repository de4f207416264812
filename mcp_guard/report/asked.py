"""Questions to a person and what became of them, by the rule that asked.

Core.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from mcp_guard.report.seen import Said

ANSWERED = ("approved", "refused", "standing")
SILENT = ("lapsed", "withdrawn")


@dataclass(slots=True)
class AskedRule:
    """How often one rule asked, and how often each came of it. `seconds`: from question to answer, the median."""

    rule: str
    asked: int = 0
    became: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float | None:
        return median(self.waits) if self.waits else None


def questions(events: Iterable[object]) -> list[AskedRule]:
    """By rule, the one that asked most first. A question of several rules counts for each of them."""
    put: dict[str, tuple[datetime, tuple[str, ...]]] = {}
    found: dict[str, AskedRule] = {}
    for event in events:
        if not isinstance(event, Said):
            continue
        if event.what == "asked":
            put[event.question] = event.time, event.rules
            for key in event.rules:
                found.setdefault(key, AskedRule(key)).asked += 1
        elif event.question in put:
            since, rules = put[event.question]
            for one in (found[key] for key in rules):
                one.became[event.what] += 1
                if event.what in ANSWERED:
                    one.waits.append((event.time - since).total_seconds())
    return sorted(found.values(), key=lambda one: (-one.asked, one.rule))
