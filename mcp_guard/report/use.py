"""What each grant carried: how often, on which tools, with which arguments, how many different values.

Core. Values aren't known: two calls are known to have had the same value or another one, by keyed digests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mcp_guard.report.seen import Seen

MOST_VALUES = 1000
"""Different values of one argument that are told apart; beyond that it is "so many or more"."""


@dataclass(slots=True)
class ArgumentUse:
    """One argument under one grant."""

    given: int = 0  # calls that gave it
    kinds: set[str] = field(default_factory=set)  # JSON types
    values: set[str] = field(default_factory=set)  # digests; at most MOST_VALUES
    untold: int = 0  # calls that gave it and kept no digest of it
    known: dict[str, Any] = field(default_factory=dict)  # by digest: values that were kept; at most MOST_VALUES
    unknown: int = 0  # calls that gave it and of which no value was kept

    def add(self, kind: str, digest: str | None, *values: Any) -> None:
        """`values`: the value itself, if it was kept."""
        self.unknown += not values
        for value in values:
            if digest is not None and (digest in self.known or len(self.known) < MOST_VALUES):
                self.known[digest] = value
            else:
                self.unknown += 1
        self.given += 1
        self.kinds.add(kind.partition(":")[0])
        if digest is None or (len(self.values) >= MOST_VALUES and digest not in self.values):
            self.untold += 1
        else:
            self.values.add(digest)


@dataclass(slots=True)
class GrantUse:
    """One grant, by its key. `refused` counts calls that it was nearest to, or whose budget it had spent."""

    rule: str
    allowed: int = 0
    refused: int = 0
    first: datetime | None = None
    last: datetime | None = None
    tools: Counter[str] = field(default_factory=Counter)
    sessions: Counter[str] = field(default_factory=Counter)
    arguments: dict[str, ArgumentUse] = field(default_factory=dict)
    others: int = 0  # calls that gave an argument of a name that the tool's schema doesn't have

    def add(self, seen: Seen) -> None:
        """Count a decision in which this grant came into play."""
        if seen.effect != "allow":
            self.refused += seen.count
            return
        self.allowed += seen.count
        self.first, self.last = self.first or seen.time, seen.time
        self.tools[seen.name] += seen.count
        self.sessions[seen.session] += seen.count
        for name, kind in seen.given.items():
            if name == "*":
                self.others += 1
            else:
                self.arguments.setdefault(name, ArgumentUse()).add(kind, seen.values.get(name), *kept(seen, name))


def kept(seen: Seen, name: str) -> tuple[Any, ...]:
    """The value that a call had under this name, if it was kept."""
    return (seen.known[name],) if name in seen.known else ()


def uses(decisions: Iterable[Seen], granted: Iterable[str]) -> dict[str, GrantUse]:
    """By key: every rule that came into play, and every grant that is loaded, used or not."""
    found = {key: GrantUse(key) for key in granted}
    for seen in decisions:
        for key in dict.fromkeys(seen.rules):
            found.setdefault(key, GrantUse(key)).add(seen)
    return found
