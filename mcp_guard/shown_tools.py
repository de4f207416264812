"""Which of its listed tools a session is shown, remembered for as long as nothing changes that this goes by.

Every call asks it, and the answer depends on nothing that a call does: documents, lock, principal, what was there at
first sight, what the servers list now, and expiry (law 3). One of them being another, it is asked for anew. There is
one memory for each session, with an entry for each tool that is listed at the moment: it can't grow beyond those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mcp_guard.catalog import Tool
from mcp_guard.policy.steady import Span

Grounds = tuple[object, object, str, Mapping[str, Tool]]
"""The documents, the lock, who asks, and what the servers list."""
Judge = Callable[[Tool, datetime], tuple[bool, "Span | None"]]
"""Is it shown at this moment, and how long is that so? Without a span it isn't remembered."""


@dataclass(slots=True)
class ShownTools:
    """Of one session."""

    _grounds: Grounds = (None, None, "", {})
    _found: dict[str, tuple[object, bool, Span]] = field(default_factory=dict)  # by the client's name for it

    def shows(self, tool: Tool, now: datetime, grounds: Grounds, at_first: object, judge: Judge) -> bool:
        """Is this tool shown, one of those that are listed? `at_first` is what its server had at first sight.

        All that the answer goes by has to be the very same object as before, or `judge` is asked again. The objects
        are held, so that no later one can stand where one of them stood.
        """
        authority, lock, principal, listed = self._grounds
        if not (grounds[0] is authority and grounds[1] is lock and grounds[2] is principal and grounds[3] is listed):
            self._grounds = grounds
            self._found.clear()
        found = self._found.get(tool.exposed)
        if found is not None and found[0] is at_first and found[2].has(now):
            return found[1]
        shown, span = judge(tool, now)
        if span is not None:
            self._found[tool.exposed] = (at_first, shown, span)
        return shown
