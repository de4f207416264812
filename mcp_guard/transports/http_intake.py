"""What every HTTP request meets before the SDK: access, bounds, strict intake.

ASGI in, ASGI out. The SDK gets the re-serialised message that was parsed here (law 1), only those headers that the
protocol reads, and never the client's token. Knows nothing of sessions but their ids.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

import anyio
from mcp_types import INVALID_REQUEST

from mcp_guard.errors import Malformed
from mcp_guard.transports.front import Holder
from mcp_guard.transports.http_access import Access, Headers, Refused, check_request, values
from mcp_guard.transports.http_caller import Caller
from mcp_guard.transports.http_direct import Desk, Direct
from mcp_guard.transports.http_headers import (
    SESSION,
    check_headers,
    check_single,
    is_legacy,
    is_resumable,
    last_event_of,
    onward,
    session_of,
)
from mcp_guard.transports.http_resume import SessionEvents, Sessions, within
from mcp_guard.wire import parse, serialize

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CALLER = "mcp_guard.caller"
"""The key of the ASGI scope under which the `Caller` of a POST travels through the SDK to the relay."""

_SDK_LIVES = 4
"""A session is shown to the SDK at least this often within the time after which it counts as idle there."""

_log = logging.getLogger("mcp_guard.http")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one front takes. What is over a bound is refused, with 408, 413 or 503."""

    sessions: int = 64  # sessions of the legacy era; each may have its own tool servers
    idle: float = 1800.0  # seconds without a request after which such a session ends
    body: int = 4 << 20  # bytes of one request
    body_seconds: float = 30.0  # how long a client may take to send them
    requests: int = 256  # requests under way, open event streams too
    reconnection: float = 30.0  # how long a call goes on for a client of 2025-11-25 whose connection broke

    @classmethod
    def of(cls, sessions: int) -> Bounds:
        """For so many sessions: each may have an event stream open, and some requests under way."""
        return cls(sessions=sessions, requests=max(cls().requests, 4 * sessions))


class Recorder(Desk, Protocol):
    """Takes what needs no SDK, and what was refused before it became a message."""

    def refused(self, holder: Holder, session: str | None, why: str) -> None:
        """`session` is the session id that the client sent, if any: it may name none."""


class Intake:
    """The outermost ASGI application of the front."""

    def __init__(self, app: App, access: Access, hosts: frozenset[str], bounds: Bounds, recorder: Recorder) -> None:
        self._app = app
        self._access = access
        self._hosts = hosts
        self._bounds = bounds
        self._recorder = recorder
        self._running = 0
        self._stopping = anyio.Event()
        self._under_way: dict[tuple[str, str], Caller] = {}
        self._sessions = Sessions()
        self._direct = Direct(recorder)

    def stop(self) -> None:
        """Take no new request, and end the event streams that wait for nothing in particular."""
        self._stopping.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # lifespan: uvicorn is told to speak no WebSocket
            await self._app(scope, receive, send)
            return
        try:
            holder = check_request(self._access, self._hosts, scope["method"], scope["path"], scope["headers"])
            if self._running >= self._bounds.requests or self._stopping.is_set():
                raise Refused(503, "too many requests are under way")
            self._check_owner(scope["headers"], holder)
        except Refused as refused:
            await _answer(send, refused)
            return
        self._running += 1
        try:
            await self._take(scope, holder, receive, send)
        except Refused as refused:
            await _answer(send, refused)
        except Malformed as malformed:
            self._recorder.refused(holder, session_of(scope["headers"]), str(malformed))
            await _answer(send, Refused(400, str(malformed)), code=malformed.code, id=malformed.id)
        except Exception as failure:
            report(failure)
            raise  # uvicorn answers with a text of its own, or cuts the connection
        finally:
            self._running -= 1

    def _check_owner(self, headers: Headers, holder: Holder) -> None:
        """A session belongs to who opened it: to another, with a token as good, it isn't there."""
        events = self._sessions.of(session_of(headers))
        if events is not None and events.holder != holder:
            raise Refused(404, "there is no such session")

    async def _take(self, scope: Scope, holder: Holder, receive: Receive, send: Send) -> None:
        headers = scope["headers"]
        body = await _read(headers, receive, self._bounds)
        if scope["method"] != "POST":
            if body:
                raise Refused(400, "only a POST has a body")
            check_single(headers, None)
            await self._deliver_bare(scope, self._until_stopped(receive), send)
            return
        message = parse(body)
        check_headers(headers, message)
        patience = self._bounds.reconnection if is_resumable(headers) and session_of(headers) is not None else 0.0
        await self._deliver(scope, message, Caller(holder, patience), receive, send)

    async def _deliver(self, scope: Scope, message: Message, caller: Caller, receive: Receive, send: Send) -> None:
        session = session_of(scope["headers"]) if is_legacy(scope["headers"]) else None
        if session is not None:
            self._note_cancellation(session, message)
        with within(self._sessions.of(session)):
            await self._deliver_in(session, scope, message, caller, receive, send)

    async def _deliver_in(
        self, session: str | None, scope: Scope, message: Message, caller: Caller, receive: Receive, send: Send
    ) -> None:
        if "method" not in message or "id" not in message:
            await self._pass_on(session, scope, message, caller, receive, send)
        elif session is not None:
            await self._deliver_once((session, str(message["id"])), scope, message, caller, receive, send)
        elif message["method"] == "initialize":
            await self._open(scope, message, caller, receive, send)
        elif is_legacy(scope["headers"]):
            await self._pass_on(None, scope, message, caller, receive, send)
        else:
            await self._carry(None, scope, message, caller, receive, send)

    async def _carry(
        self, session: str | None, scope: Scope, message: Message, caller: Caller, receive: Receive, send: Send
    ) -> None:
        """Carry one request the short way, if it is one for that; the SDK takes it up where it stands."""
        events = self._sessions.of(session)
        direct = session is None or (events is not None and events.known_alive)
        try:
            if not (direct and await self._direct.answered(message, scope["headers"], session, caller, send)):
                await self._pass_on(session, scope, message, caller, receive, send)
        finally:
            self._direct.over(caller)

    async def _pass_on(
        self, session: str | None, scope: Scope, message: Message, caller: Caller, receive: Receive, send: Send
    ) -> None:
        """Let the SDK take the message as it was parsed here. It sees by that, too, that its session is in use."""
        events = self._sessions.of(session)
        if events is not None:
            events.seen_alive(self._bounds.idle / _SDK_LIVES)
        judged = serialize(message)
        await self._app({**_onward(scope, judged), CALLER: caller}, _replayed(judged, receive, caller), send)

    async def _deliver_once(
        self, key: tuple[str, str], scope: Scope, message: Message, caller: Caller, receive: Receive, send: Send
    ) -> None:
        # The SDK files answers under the id as text, and a second request would take the place of the first: one
        # client's answer could end up with the other request.
        if key in self._under_way:
            raise Malformed("a request with this id is under way", code=INVALID_REQUEST, id=message["id"])
        self._under_way[key] = caller
        try:
            await self._carry(key[0], scope, message, caller, receive, send)
        finally:
            caller.when_over(lambda: self._under_way.pop(key, None))

    async def _deliver_bare(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Deliver a GET or DELETE. A client that comes back for the rest of a call's stream waits for it again."""
        session = session_of(scope["headers"])
        events, last = self._sessions.of(session), last_event_of(scope["headers"])
        stream = events.stream_of(last) if events is not None and last is not None else None
        caller = self._under_way.get((session or "", stream or ""))
        # Of a stream that isn't kept there is no rest: the SDK would end it at once, and the client come back for ever.
        scope = _onward(scope, b"", resuming=stream is not None)
        with within(events):
            if caller is None:
                await self._app(scope, receive, send)
                return
            caller.came_back()
            try:
                await self._app(scope, receive, send)
            finally:
                caller.left()

    def _note_cancellation(self, session: str, message: Message) -> None:
        """Keep the reason of a `notifications/cancelled`: the SDK applies the cancellation, and drops its text.

        What the SDK doesn't have is cancelled by it.
        """
        if message.get("method") != "notifications/cancelled":
            return
        params = message.get("params") or {}
        caller, reason = self._under_way.get((session, str(params.get("requestId")))), params.get("reason")
        if caller is not None:
            caller.cancel(reason if isinstance(reason, str) else None)

    async def _open(self, scope: Scope, message: Message, caller: Caller, receive: Receive, send: Send) -> None:
        """Deliver an `initialize`. When it comes to nothing, end the session that the SDK has begun for it: it would
        hold one of few places until it is idle."""
        session, events = b"", SessionEvents(caller.holder)

        async def watch(sent: Message) -> None:
            nonlocal session
            if sent["type"] == "http.response.start":
                session = next(iter(values(sent.get("headers", ()), SESSION)), b"")
                if session:
                    self._sessions.begun(session.decode("latin-1"), events)
            await send(sent)

        try:
            with within(events):
                await self._pass_on(None, scope, message, caller, receive, watch)
        finally:
            if session and not caller.established:
                with anyio.CancelScope(shield=True):
                    await self._app(_ending(scope, session), _nothing, _discard)

    def _until_stopped(self, receive: Receive) -> Receive:
        """`receive`, with an end when the front stops: an event stream would otherwise hold it up."""
        replayed = False

        async def wrapped() -> Message:
            nonlocal replayed
            if not replayed:
                replayed = True
                return await _nothing()
            message: Message = {"type": "http.disconnect"}
            async with anyio.create_task_group() as tasks:

                async def until_stopped() -> None:
                    await self._stopping.wait()
                    tasks.cancel_scope.cancel()

                tasks.start_soon(until_stopped)
                message = await receive()
                tasks.cancel_scope.cancel()
            return message

        return wrapped


def report(failure: Exception) -> None:
    """Tell the operator of an error in the guard. The type only: a message may quote arguments."""
    _log.error("a request failed inside the guard: %s", type(failure).__name__)
    _log.debug("details", exc_info=failure)


async def _read(headers: Headers, receive: Receive, bounds: Bounds) -> bytes:
    """The whole body, or `Refused` for one that is too large, too slow or broken off."""
    for declared in values(headers, b"content-length"):
        if len(declared) > 20 or not declared.isdigit() or int(declared) > bounds.body:
            raise Refused(413, "the body is too large")
    body = bytearray()
    with anyio.move_on_after(bounds.body_seconds):
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise Refused(400, "the body is incomplete")
            body += message.get("body", b"")
            if len(body) > bounds.body:
                raise Refused(413, "the body is too large")
            if not message.get("more_body", False):
                return bytes(body)
    raise Refused(408, "the body took too long")


def _onward(scope: Scope, body: bytes, *, resuming: bool = False) -> Scope:
    """The scope that the SDK gets, for a request with this body."""
    return {**scope, "headers": onward(scope["headers"], body, resuming=resuming), "query_string": b""}


def _ending(scope: Scope, session: bytes) -> Scope:
    """A DELETE of a session that was just begun."""
    return {**scope, "method": "DELETE", "headers": [(SESSION, session)]}


def _replayed(body: bytes, receive: Receive, caller: Caller) -> Receive:
    """A `receive` that gives `body`, and then tells the caller's end from the connection's."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        message = await receive()
        if message["type"] == "http.disconnect":
            caller.left()
        return message

    return replay


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _discard(message: Message) -> None:
    pass


async def _answer(send: Send, refused: Refused, *, code: int = INVALID_REQUEST, id: int | str | None = None) -> None:
    """Refuse with a JSON-RPC error: clients show its message, where they would hide a bare status.

    The connection ends with it, as a part of the request may not have been read.
    """
    body = serialize({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": str(refused)}})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        *refused.headers,
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
