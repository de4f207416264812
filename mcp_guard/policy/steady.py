"""How long an answer of `visible` holds: nothing that it goes by changes between two moments but time itself.

Core. A listing depends on documents, lock, principal and expiry (law 3). Of these only expiry comes by itself; whoever
keeps an answer asks here until when it is good, and holds all the rest against what it was.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from mcp_guard.model import Call
from mcp_guard.policy.document import Authority
from mcp_guard.policy.index import Reach


class Span(NamedTuple):
    """From one moment up to another, that one not included; None: without an end on that side."""

    since: datetime | None
    until: datetime | None

    def has(self, moment: datetime) -> bool:
        return (self.since is None or self.since <= moment) and (self.until is None or moment < self.until)


def steady_span(authority: Authority, call: Call, now: datetime) -> Span | None:
    """The time around `now` in which no deadline or `until` passes; None where a rule goes by the time of day."""
    documents = [*authority.layers, *([authority.local] if authority.local is not None else [])]
    reaches: list[Reach] = []
    for document in documents:
        speakers = document.index.speakers(call.kind, call.server, call.target)
        reaches += (*speakers.grants, *speakers.denies)
    if any(reach.rule.when is not None and reach.rule.when.window is not None for reach in reaches):
        return None
    ends = [end for end in (*authority.deadlines, *(reach.rule.until for reach in reaches)) if end is not None]
    before, after = [end for end in ends if end <= now], [end for end in ends if end > now]
    return Span(max(before, default=None), min(after, default=None))
