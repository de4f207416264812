"""Until when each of many requests is waited for, where all are waited for equally long: with one timer for all.

A timer of its own for every call would be made and taken back for nothing nearly each time. Since all wait as long,
those that came first are due first, and the one timer is for the first of them.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from mcp_guard import log

_FINE = 0.001
"""Seconds. A loop's clock and its timers differ by less: what is due that soon is due."""


class Waiting(Protocol):
    """Something that waits; it is told once that it waited long enough, unless it is done by then."""

    def overdue(self) -> None: ...


class Deadlines:
    """Those that wait at one place, each for `seconds`."""

    __slots__ = ("_closed", "_due", "_seconds", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[Waiting, float] = {}  # Invariant: in the order in which they are due
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def add(self, waiting: Waiting) -> None:
        """From now on it waits."""
        loop = asyncio.get_running_loop()
        self._due[waiting] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look)

    def done(self, waiting: Waiting) -> None:
        """It waits no more. Saying so again, or of what never waited, does nothing."""
        self._due.pop(waiting, None)
        if self._closed:
            self._stop()

    def close(self) -> None:
        """Nobody new comes: once the last one is done no timer is left, which would be kept for as long as it runs."""
        self._closed = True
        self._stop()

    def _stop(self) -> None:
        if self._timer is not None and not self._due:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time() + _FINE
        over: list[Waiting] = []
        for waiting, due in self._due.items():
            if due > now:
                self._timer = loop.call_later(due - now + _FINE, self._look)
                break
            over.append(waiting)
        for waiting in over:
            if self._due.pop(waiting, None) is None:  # another one's end was its end, too
                continue
            try:
                waiting.overdue()
            except Exception as error:  # it is one request's; the others are due, too
                log.warning("a request that waited too long could not be ended", error=type(error).__name__)
