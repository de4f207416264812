"""Messages to a server that have no answer: notifications, and answers to what it asked. Each on a connection of its
own, so that one which the server doesn't take holds up nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from mcp_guard.transports.http_link_reply import MAX_ERROR_BODY, Ending, Reply
from mcp_guard.transports.http_link_sender import Sender
from mcp_guard.wire import serialize

MAX_ASIDES = 100
"""Messages that the server may leave untaken; one more isn't sent. A server could ping without end."""
DEADLINE = 10.0
"""Seconds for the server to take one."""


class Asides:
    """`seen` is told how each ended, and whether any byte of it left."""

    def __init__(self, sender: Sender, seen: Callable[[Ending, bool], None]) -> None:
        self._sender = sender
        self._seen = seen
        self._waiting: dict[Reply, Callable[[], None]] = {}

    def send(self, message: dict[str, Any], then: Callable[[], None], deadline: float = DEADLINE) -> None:
        """Send one; `then` is called when the server has taken it, or didn't in time, or it wasn't sent."""
        if len(self._waiting) >= MAX_ASIDES:
            self._seen(Ending(why="it does not take what it is told", hopeless=True), True)
            return then()

        def done(ending: Ending) -> None:
            timer.cancel()
            self._waiting.pop(reply, None)
            self._seen(ending, reply.exchange is not None and reply.exchange.sent)
            then()

        reply = Reply(MAX_ERROR_BODY, drop, done, wanted=False)
        self._waiting[reply] = then
        timer = asyncio.get_running_loop().call_later(deadline, reply.give_up, "it did not answer in time")
        return self._sender.post(serialize(message), None, reply)

    def close(self) -> None:
        """Wait for none of them any more."""
        waiting, self._waiting = self._waiting, {}
        for reply, then in waiting.items():
            reply.abandon()
            then()


def drop(_: bytes) -> None:
    """What stands in the answer to such a message is nobody's."""
