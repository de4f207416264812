"""Calls that are at a server, so that a stop can end them.

While there are any, the record is looked at twice a second: one pragma, and the table of stops only if something was
written by another process. With nothing under way there is no timer: an idle guard costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from mcp_guard import log

POLL = 0.5  # seconds: a stop is obeyed within one


class Stoppable(Protocol):
    """A call under way."""

    def scopes(self) -> tuple[str, ...]:
        """Every scope that it is in."""

    def stop(self, why: str) -> None:
        """End it: a person has stopped one of its scopes."""


class UnderWay:
    """The calls of one guard process that are at servers."""

    def __init__(self) -> None:
        self._calls: set[Stoppable] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._version: object = None
        self.version: Callable[[], object] = lambda: None  # another value whenever another process has written
        self.stopped: Callable[[], dict[str, str]] = dict  # what is stopped, and why

    def add(self, call: Stoppable) -> None:
        self._calls.add(call)
        if self._timer is None:
            self._version = None
            self._timer = asyncio.get_running_loop().call_later(POLL, self._look)

    def done(self, call: Stoppable) -> None:
        self._calls.discard(call)

    def _look(self) -> None:
        self._timer = None
        if not self._calls:
            return
        self._timer = asyncio.get_running_loop().call_later(POLL, self._look)
        try:
            version = self.version()
            if version is not None and version == self._version:
                return
            self._end_stopped(self.stopped())
            self._version = version
        except Exception as error:  # calls that are judged from now on are refused all the same
            log.warning("the record could not be asked for stops", error=type(error).__name__)

    def _end_stopped(self, stopped: dict[str, str]) -> None:
        for call in list(self._calls) if stopped else ():
            if any(scope in stopped for scope in call.scopes()):
                self.done(call)
                call.stop("a person has stopped it")
