"""Who sent one HTTP request, and whether they still wait for its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import anyio

from mcp_guard.transports.front import Holder
from mcp_guard.transports.http_outbox import UnderWay

GONE = "the client disconnected"


@dataclass(eq=False, slots=True)
class Caller:
    """The sender of one POST. One whose connection broke is given `reconnection` seconds to come back."""

    holder: Holder
    reconnection: float = 0.0
    reason: str | None = None  # why the patience ended
    under_way: UnderWay | None = None  # what was begun for it before the SDK has it
    cancelled: bool = False  # by the client's own word, while the SDK didn't have it
    established: bool = True  # set to False by the relay when an `initialize` came to nothing
    _answered: bool = False
    _away: bool = False  # its connection broke before there was an answer
    _over: Callable[[], object] | None = None
    _timer: asyncio.TimerHandle | None = None
    _patience: anyio.CancelScope | None = None

    @property
    def patience(self) -> anyio.CancelScope:
        """The relay waits for the answer inside it. Most calls are answered without."""
        if self._patience is None:
            self._patience = anyio.CancelScope()
        return self._patience

    def give_up(self, reason: str) -> None:
        """Nobody waits any more."""
        self.reason = self.reason or reason
        self._stop()

    def cancel(self, reason: str | None) -> None:
        """The client cancels it. Where the SDK has it, that applies this; else nobody would."""
        self.reason = reason if reason is not None else self.reason
        if self.under_way is not None:
            self.cancelled = True
            self._stop()

    def take_over(self) -> UnderWay | None:
        """Go on with what was begun, if anything was; from here on that is whoever called this one's to end."""
        under_way, self.under_way = self.under_way, None
        return under_way

    def end(self) -> None:
        """Its request is served: what was begun and taken over by nobody isn't waited for."""
        under_way = self.take_over()
        if under_way is not None:
            under_way.cancel(self.reason)

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

    def _stop(self) -> None:
        self.patience.cancel()
        if self.under_way is not None:
            self.under_way.wake()
        self._settle()

    def _settle(self) -> None:
        self.came_back()
        self._away = False
        over, self._over = self._over, None
        if over is not None:
            over()
