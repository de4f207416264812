"""What `downstream.py` knows of the way to one server, whatever carries it; and the last words of ways that end.

`StdioLink` speaks to a process, `HttpLink` to an address. Imports neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from mcp_guard.transports.front import Answer

Progress = Callable[[dict[str, Any]], None]

_leaving: set[asyncio.Future[None]] = set()
"""Goodbyes that are under way: a session that a remote server is told to forget."""
_own_ports: set[int] = set()


class Link(Protocol):
    """Requests out, answers back, by callbacks. Every request is answered once, unless it was cancelled.

    An answer is `{"result": ...}` or `{"error": ...}` as the server said it, or `{"gone": why}` when none will come;
    with `"unsent": True` beside it, no byte of the request left this machine.
    """

    async def start(self) -> None:
        """Attach to the server. Raises OSError or ValueError if that can't be done."""

    def request(
        self, method: str, params: dict[str, Any] | None, answer: Answer, progress: Progress | None = None
    ) -> int:
        """Send one request; the returned id serves `cancel`. Raises `ServerGone` if no byte of it was sent."""

    def cancel(self, request_id: int, reason: str | None = None) -> None:
        """Tell the server that nobody waits for this request any more. No answer follows."""

    def notify(self, method: str, params: dict[str, Any] | None) -> None:
        """Send one notification; silently nothing if the server has ended."""

    def pause(self, paused: bool) -> None:
        """Stop or go on reading: the client can't take more at the moment."""

    def close(self) -> None:
        """End it in order. What is under way is answered soon after, by its end."""


def leaving(goodbye: asyncio.Future[None]) -> None:
    """A server is being told that a session is over; `see_links_end` waits for that."""
    _leaving.add(goodbye)
    goodbye.add_done_callback(_leaving.discard)


async def see_links_end(seconds: float = 1.0) -> None:
    """At the end of the guard: give what was said last a moment to arrive."""
    if _leaving:
        await asyncio.wait(set(_leaving), timeout=seconds)


def never_dial(port: int) -> None:
    """This process listens on `port`: a server that is reached there would be the guard itself."""
    _own_ports.add(port)


def is_own(port: int) -> bool:
    """Does this process listen on `port` of this machine?"""
    return port in _own_ports
