"""An event loop without waiting: where nothing is ready, its time leaps to the next timer. Hours take milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class Stuck(Exception):
    """Nothing is ready and no timer runs: whoever waits would wait for ever."""


class _Leaping(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise Stuck
            self.now += max(timeout, 0.0)
        return ready


class LeapingLoop(asyncio.SelectorEventLoop):
    """Only for what does no input and output of its own. What a callback raises is kept in `raised`."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)
        self.raised: list[str] = []
        self.set_exception_handler(lambda _, context: self.raised.append(repr(context.get("exception"))))

    def time(self) -> float:
        return self._leaping.now


def run(main: Coroutine[Any, Any, None]) -> list[str]:
    """Run it to its end; what callbacks raised meanwhile. Raises Stuck."""
    loop = LeapingLoop()
    try:
        loop.run_until_complete(main)
        return loop.raised
    finally:
        loop.close()
