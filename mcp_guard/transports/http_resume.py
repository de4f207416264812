"""What was sent on a legacy session's event streams, kept for a client whose connection broke (`Last-Event-ID`).

The SDK asks one store for all sessions and doesn't say for which: streams are called by request id, which every session
counts from 1. So each session's events are in a store of its own, found by the context in which the SDK runs that
session; the store that is handed to the SDK only looks it up.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from weakref import WeakValueDictionary

from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp_types import INTERNAL_ERROR, ErrorData, JSONRPCError, JSONRPCMessage, JSONRPCResponse

from mcp_guard.transports.front import Holder

RETRY_MILLISECONDS = 1000
"""When a client is told to come back after its connection broke."""
KEPT_EVENTS = 256
KEPT_BYTES = 1 << 20
"""How much of a session is kept: beyond either, the oldest goes. Times the sessions of a front, this is its memory."""

TOO_LARGE = "the answer was too large to be kept for a connection that broke; what was asked for has happened"


@dataclass(frozen=True, slots=True)
class _Event:
    number: int
    stream: str
    message: JSONRPCMessage | None  # None marks the start of a stream
    size: int


class SessionEvents:
    """The events of one session. Their ids can't be guessed, and mean nothing in another session."""

    __slots__ = ("__weakref__", "_alive_until", "_kept", "_last", "_size", "_tag", "holder")

    def __init__(self, holder: Holder | None = None) -> None:
        self.holder = holder  # who opened the session: nobody else gets at it
        self._tag = secrets.token_hex(8)
        self._kept: deque[_Event] = deque()
        self._last = 0
        self._size = 0
        self._alive_until = 0.0

    def seen_alive(self, seconds: float) -> None:
        """The SDK was given a request of the session: it won't end it as idle for longer than these seconds."""
        self._alive_until = asyncio.get_running_loop().time() + seconds

    @property
    def known_alive(self) -> bool:
        """Need the SDK not be shown that the session is in use?"""
        return asyncio.get_running_loop().time() < self._alive_until

    def keep(self, stream: str, message: JSONRPCMessage | None) -> str:
        """Keep one event, and give its id."""
        kept, size = _bounded(message)
        self._last += 1
        self._kept.append(_Event(self._last, stream, kept, size))
        self._size += size
        while len(self._kept) > KEPT_EVENTS or self._size > KEPT_BYTES:
            self._size -= self._kept.popleft().size
        return self._id(self._last)

    def stream_of(self, event_id: str) -> str | None:
        """The stream of an event that is still kept."""
        return next((event.stream for event in self._kept if self._id(event.number) == event_id), None)

    def after(self, event_id: str) -> Iterator[tuple[str, JSONRPCMessage]]:
        """What came after an event on its stream, with ids."""
        stream, found = self.stream_of(event_id), False
        for event in list(self._kept):
            if found and event.stream == stream and event.message is not None:
                yield self._id(event.number), event.message
            found = found or self._id(event.number) == event_id

    def _id(self, number: int) -> str:
        return f"{self._tag}-{number}"


def _bounded(message: JSONRPCMessage | None) -> tuple[JSONRPCMessage | None, int]:
    """What is kept of a message, and its size in bytes. An answer beyond all bounds is replaced: a client that comes
    back for it has to get some answer.
    """
    if message is None:
        return None, 0
    size = len(message.model_dump_json())
    if size <= KEPT_BYTES:
        return message, size
    if isinstance(message, JSONRPCResponse):
        error = ErrorData(code=INTERNAL_ERROR, message=TOO_LARGE)
        return JSONRPCError(jsonrpc="2.0", id=message.id, error=error), 0
    return None, 0


_session: ContextVar[SessionEvents | None] = ContextVar("mcp_guard.session_events", default=None)


class Sessions:
    """The events of every session that lives. A session's own tasks hold them: they go when it ends."""

    def __init__(self) -> None:
        self._by_id: WeakValueDictionary[str, SessionEvents] = WeakValueDictionary()

    def begun(self, session: str, events: SessionEvents) -> None:
        """The SDK gave this id to the session that was opened in the context of `events`."""
        self._by_id[session] = events

    def of(self, session: str | None) -> SessionEvents | None:
        """The events of a session, by its id."""
        return None if session is None else self._by_id.get(session)


@contextmanager
def within(events: SessionEvents | None) -> Iterator[None]:
    """What the SDK does and starts inside the block belongs to this session."""
    token = _session.set(events)
    try:
        yield
    finally:
        _session.reset(token)


class Events(EventStore):
    """What the SDK is given: leads to the store of the session that it is at work for."""

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        return (_session.get() or SessionEvents()).keep(stream_id, message)

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        events = _session.get()
        stream = events.stream_of(last_event_id) if events is not None else None
        if events is None or stream is None:
            return None
        for event_id, message in events.after(last_event_id):
            await send_callback(EventMessage(message, event_id))
        return stream
