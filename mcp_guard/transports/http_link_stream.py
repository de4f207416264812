"""The stream on which a server of the legacy era says what belongs to no request. Opened once a session has begun,
opened again when it ends, taken up where it ended. A server that offers none is as good as one that does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mcp_guard.transports.http_link_reply import Ending, Reply
from mcp_guard.transports.http_link_sender import Sender

FIRST_WAIT = 1.0
"""Seconds until a stream is opened again, where the server doesn't say."""
LEAST_WAIT, LONGEST_WAIT = 0.1, 60.0
"""What a server can ask for: no busy loop, and no stream that never comes back."""


def patience(asked: float | None, failures: int) -> float:
    """Seconds before the next attempt."""
    wait = FIRST_WAIT if asked is None else asked
    return min(max(wait, LEAST_WAIT) * 2.0 ** min(failures, 10), LONGEST_WAIT)


class ServerStream:
    """`message` gets each message; `doubt` is called on a 404: no session, or no stream."""

    def __init__(self, sender: Sender, limit: int, message: Callable[[bytes], None], doubt: Callable[[], None]) -> None:
        self._sender = sender
        self._limit = limit
        self._message = message
        self._doubt = doubt
        self._reply: Reply | None = None
        self._last_id: str | None = None
        self._failures = 0
        self._paused = False
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Open it, or open it again."""
        self._timer = None
        if self._closed:
            return
        self._reply = Reply(self._limit, self._message, self._ended)
        self._sender.get(self._last_id, self._reply)
        self.pause(self._paused)

    def pause(self, paused: bool) -> None:
        self._paused = paused
        if self._reply is not None and self._reply.exchange is not None:
            self._reply.exchange.pause(paused)

    def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._reply is not None and self._reply.exchange is not None:
            self._reply.exchange.abort()

    def _ended(self, ending: Ending) -> None:
        if self._closed:
            return
        self._reply = None
        if ending.status == 404:
            self._doubt()
        elif not ending.hopeless and (ending.streamed or ending.status == 0 or ending.status >= 500):
            self._open_later(ending)  # else, as with 405, it offers none, or would say the same again

    def _open_later(self, ending: Ending) -> None:
        self._last_id = ending.last_id or self._last_id
        self._failures = 0 if ending.streamed and not ending.why else self._failures + 1
        wait = patience(ending.retry, max(self._failures - 1, 0))
        self._timer = asyncio.get_running_loop().call_later(wait, self.open)
