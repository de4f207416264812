"""Who sent one HTTP request, and whether they still wait for its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from mcp_guard.transports.front import Holder

GONE = "the client disconnected"


@dataclass(eq=False, slots=True)
class Caller:
    """The sender of one POST. One whose connection broke is given `reconnection` seconds to come back."""

    holder: Holder
    reconnection: float = 0.0
    patience: anyio.CancelScope = field(default_factory=anyio.CancelScope)  # the relay waits for the answer inside it
    reason: str | None = None  # why the patience ended
    established: bool = True  # set to False by the relay when an `initialize` came to nothing
    _answered: bool = False
    _away: bool = False  # its connection broke before there was an answer
    _over: Callable[[], object] | None = None
    _timer: asyncio.TimerHandle | None = None

    def give_up(self, reason: str) -> None:
        """Nobody waits any more."""
        self.reason = self.reason or reason
        self.patience.cancel()
        self._settle()

    def left(self) -> None:
        """The connection on which the answer was to go has ended."""
        self.came_back()
        if self._answered:
            return None
        if self.reconnection <= 0:
            return self.give_up(GONE)
        self._away = True
        self._timer = asyncio.get_running_loop().call_later(self.reconnection, self.give_up, GONE)
        return None

    def came_back(self) -> None:
        """The client is there again, on another connection."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def answered(self) -> None:
        """The request was carried to its end: nothing is waited for."""
        self._answered = True
        self._settle()

    def when_over(self, then: Callable[[], object]) -> None:
        """Its connection is served. Do this now; or, of one that broke, when nothing is waited for any more."""
        if self._away:
            self._over = then
        else:
            then()

    def _settle(self) -> None:
        self.came_back()
        self._away = False
        over, self._over = self._over, None
        if over is not None:
            over()
