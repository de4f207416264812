"""How one tool server has been doing: when it isn't worth asking, so that nobody waits for one that is ill.

Counts and times, which are passed in. Knows no process and no client; `downstream.py` tells it what happens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MAX_CRASHES = 3
"""Ends in a row from which on calls no longer wait for the restart: they are refused at once until it is back."""
MAX_TIME_OUTS = 3
"""Calls in a row that were never answered in time; after them the server is left alone for a while."""
REST = 30.0
"""Seconds that it is left alone. Then calls go to it again: an answer makes it well, one more time-out begins anew."""
STEADY = 10.0
"""Seconds a server must have been up for its next crash to count as the first one."""


def _nobody(_: str, __: str) -> None:
    """Nobody wants to know."""


@dataclass(slots=True)
class Health:
    """Invariant: `tell` hears `ill` and `well` by turns, beginning with `ill`."""

    tell: Callable[[str, str], None] = _nobody  # `ill` or `well`, and why
    crashes: int = 0  # in a row
    time_outs: int = 0  # in a row
    ill: bool = False
    _until: float = 0.0  # the loop's time until which nothing is asked of it

    def crashed(self, why: str, *, steady: bool) -> None:
        """It ended by itself, or could not be begun; `steady`: after it had been up for a while."""
        self.crashes = 1 if steady else self.crashes + 1
        if self.crashes >= MAX_CRASHES:
            self._becomes_ill(f"it ended {self.crashes} times in a row: {why}")

    def timed_out(self, now: float) -> None:
        """It was asked something and didn't answer in its time."""
        self.time_outs += 1
        if self.time_outs >= MAX_TIME_OUTS:
            self._until = now + REST
            self._becomes_ill(f"it answered {self.time_outs} requests in a row not in time")

    def answered(self, *, steady: bool) -> None:
        """It answered a request, whatever it said. A crash counts until it has been up for a while."""
        self.time_outs, self._until = 0, 0.0
        if steady:
            self.crashes = 0
        if self.ill and self.crashes < MAX_CRASHES:
            self.ill = False
            self.tell("well", "it answers again")

    def resting(self, now: float, *, down: bool) -> bool:
        """Is it not worth asking now? `down`: it has ended, and is at most being started again."""
        return now < self._until or (down and self.crashes >= MAX_CRASHES)

    def _becomes_ill(self, why: str) -> None:
        if not self.ill:
            self.ill = True
            self.tell("ill", why)
