"""What the monitor and scanners flagged, by kind and tool: how often, and whether it went through all the same.

Core.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mcp_guard.report.seen import Seen


@dataclass(frozen=True, slots=True)
class Flagged:
    """One kind of flag on calls to one tool."""

    flag: str
    name: str  # `server/target`
    times: int
    allowed: int  # of these
    why: str  # of the last one
    last: str  # its entry


def flagged(decisions: Iterable[Seen]) -> tuple[Flagged, ...]:
    """The most frequent first."""
    found: dict[tuple[str, str], Flagged] = {}
    for one in decisions:
        for flag in one.flags:
            kind, _, why = flag.partition(": ")
            so_far = found.get((kind, one.name), Flagged(kind, one.name, 0, 0, "", ""))
            times, allowed = so_far.times + one.count, so_far.allowed + (one.count if one.effect == "allow" else 0)
            found[kind, one.name] = Flagged(kind, one.name, times, allowed, why, one.entry)
    return tuple(sorted(found.values(), key=lambda one: (-one.times, one.flag, one.name)))
