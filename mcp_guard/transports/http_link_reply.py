"""One HTTP response as MCP reads it: one JSON body, an event stream, or a status that says why there is neither.

Bounded in every part; compressed bodies aren't taken, so that no few bytes become many. Knows nothing of sessions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mcp_guard.transports.http_link_connection import Exchange, Headers
from mcp_guard.transports.http_link_events import EventReader, TooLong
from mcp_guard.transports.http_link_remote import origin_of

MAX_ERROR_BODY = 64 << 10
"""Bytes that are read of a response which isn't a success."""
SESSION = b"mcp-session-id"
_STREAM, _JSON = b"text/event-stream", b"application/json"
_REDIRECTS = (300, 301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a response ended. `why` says what is missing; empty if all came that the status promises."""

    status: int = 0  # 0: no response
    why: str = ""
    streamed: bool = False  # it was an event stream; without `why`, in good order
    body: bytes = b""  # of a status that isn't a success
    last_id: str | None = None
    retry: float | None = None
    hopeless: bool = False  # what was wrong with it would be wrong again


class Reply:
    """Takes one response (`http_link_pool.Taker`). `message` gets each message's bytes, `done` the end, once.

    `exchange` is set right after the request was sent. With `wanted` false, only the status counts.
    """

    def __init__(
        self, limit: int, message: Callable[[bytes], None], done: Callable[[Ending], None], *, wanted: bool = True
    ) -> None:
        self.exchange: Exchange | None = None
        self.session: bytes | None = None  # the id of a session that this response begins
        self.opened = False  # an event stream has begun
        self._limit = limit
        self._message = message
        self._done: Callable[[Ending], None] | None = done
        self._wanted = wanted
        self._status = 0
        self._body = bytearray()
        self._events: EventReader | None = None

    def finish(self) -> None:
        """What counted has come: take no more of it."""
        self._done = None
        if self.exchange is not None:
            self.exchange.detach()

    def abandon(self) -> None:
        """Nobody waits any more: end the connection, or don't begin with it."""
        self._done = None
        if self.exchange is not None:
            self.exchange.abort()

    def give_up(self, why: str) -> None:
        """It takes too long."""
        exchange = self.exchange
        self._end(why)
        if exchange is not None:
            exchange.abort()

    def head(self, status: int, headers: Headers) -> None:
        self._status = status
        self.session = _one(headers, SESSION)
        success = 200 <= status < 300
        if not self._wanted and success:
            if self.exchange is not None:
                self.exchange.detach()
            return self._end()
        if status in _REDIRECTS:
            return self._stop(f"it redirects{_whither(headers)}, which isn't followed (HTTP {status})")
        if _one(headers, b"content-encoding") not in (None, b"identity"):
            return self._stop("its answer is compressed, which wasn't asked for")
        kind = (_one(headers, b"content-type") or b"").partition(b";")[0].strip().lower()
        if success and kind == _STREAM:
            self._events = EventReader(self._limit)
            self.opened = True
        elif success and status != 200:
            return self._stop(f"it accepted the request and gives no answer (HTTP {status})")
        elif success and kind != _JSON:
            return self._stop("its answer is neither JSON nor an event stream")
        return None

    def data(self, chunk: bytes) -> None:
        if self._done is None:
            return None
        if self._events is not None:
            return self._feed(self._events, chunk)
        limit = self._limit if self._status == 200 else MAX_ERROR_BODY
        if len(self._body) + len(chunk) > limit:
            return self._stop(f"its answer is longer than {limit} bytes")
        self._body += chunk
        return None

    def ended(self) -> None:
        if self._status == 200 and self._events is None and self._done is not None:
            self._message(bytes(self._body))
            self._body = bytearray()
        self._end()

    def failed(self, why: str) -> None:
        self._end(why)

    def _feed(self, events: EventReader, chunk: bytes) -> None:
        try:
            for event in events.feed(chunk):
                if event.data and event.type in (b"", b"message"):  # without data it only carries an id
                    self._message(event.data)
                if self._done is None:  # this was what counted
                    return
        except TooLong:
            self._stop(f"an event of its stream is longer than {self._limit} bytes")

    def _stop(self, why: str) -> None:
        """Nothing of this response is of use: end the connection."""
        exchange = self.exchange
        self._end(why, hopeless=True)
        if exchange is not None:
            exchange.abort()

    def _end(self, why: str = "", *, hopeless: bool = False) -> None:
        done, self._done = self._done, None
        if done is None:
            return
        events, status = self._events, self._status
        body = bytes(self._body) if status != 200 else b""
        last_id, retry = (events.last_id, events.retry) if events is not None else (None, None)
        done(Ending(status, why, events is not None, body, last_id, retry, hopeless))


def _one(headers: Headers, name: bytes) -> bytes | None:
    """The value of a header; of several that differ, an empty one: nobody could say which counts."""
    found = {value for key, value in headers if key == name}
    return found.pop() if len(found) == 1 else (b"" if found else None)


def _whither(headers: Headers) -> str:
    place = origin_of((_one(headers, b"location") or b"").decode("latin-1"))
    return f" to {place}" if place else ""
