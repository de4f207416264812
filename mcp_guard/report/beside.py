"""Where a candidate policy would have said something else, by call and rule.

Core.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mcp_guard.report.refused import FURTHER, MOST_GROUPS
from mcp_guard.report.seen import Seen

STRICTNESS = ("allow", "ask", "deny")


@dataclass(slots=True)
class Beside:
    """Calls of one name that were decided in one way, and would have been in another. `looser`: less strictly."""

    name: str
    said: str
    candidate: str
    why: str
    count: int = 0
    last: str = ""  # entry

    @property
    def looser(self) -> bool:
        return STRICTNESS.index(self.candidate) < STRICTNESS.index(self.said)


def differences(decisions: Iterable[Seen]) -> list[Beside]:
    """Those first in which the candidate is looser; then what is most frequent."""
    found: dict[tuple[str, ...], Beside] = {}
    for seen in decisions:
        said = "ask" if seen.approved else seen.effect
        if seen.candidate not in STRICTNESS or said not in STRICTNESS:
            continue
        name = seen.name if len(found) < MOST_GROUPS else FURTHER  # names are a client's choice
        key = (name, said, seen.candidate, seen.candidate_why)
        one = found.setdefault(key, Beside(*key))
        one.count += seen.count
        one.last = seen.entry
    return sorted(found.values(), key=lambda one: (not one.looser, -one.count, one.name))
