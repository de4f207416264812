"""The short way of an ordinary request: to its conversation at once, and its answer back as one JSON body.

The SDK's way opens an event stream for every request, with tasks and queues of its own; most requests have one answer
within milliseconds, and nothing before it. Those are answered here. Whatever is out of the ordinary goes the SDK's way:
headers in another spelling, a first notification, a question of the server, an answer that takes longer. What has begun
by then is taken over there (`Caller.under_way`): no request is carried twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol

from mcp.shared.inbound import ERROR_CODE_HTTP_STATUS, NAME_BEARING_METHODS
from mcp_types import INTERNAL_ERROR, ErrorData
from pydantic import ValidationError

from mcp_guard.errors import Malformed
from mcp_guard.transports.http_access import Headers
from mcp_guard.transports.http_caller import Caller
from mcp_guard.transports.http_headers import SESSION
from mcp_guard.wire import serialize

SOON = 0.25
"""Seconds. Of a call that takes longer the client gets the start of a stream then, by which it can come back to it."""
METHODS = frozenset(NAME_BEARING_METHODS)
"""Requests that are there in every revision: the SDK has nothing to say about them."""
_JSON = b"application/json"
_ORDINARY = {
    b"accept": (b"application/json, text/event-stream", b"application/json,text/event-stream"),
    b"content-type": (_JSON, b"application/json; charset=utf-8"),
}
"""As clients write them. The SDK reads them in other spellings too."""
_LARGE = 64 << 10
"""Bytes of an answer that may wait for a client which doesn't read, beside the requests that are under way."""
_BROKEN = {"code": INTERNAL_ERROR, "message": "internal error"}
STOPPING = -32011
"""The code that answers a call when its session or the guard ends: in the implementation's range, not the SDK's."""

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Desk(Protocol):
    """Hands requests to conversations."""

    def begin(self, message: Mapping[str, Any], headers: Headers, session: str | None, caller: Caller) -> bool:
        """Hand it over; False: this is for the SDK, and nothing was done. What is begun is in `caller`."""

    def begun_is_lost(self, session: str | None) -> bool:
        """Is there no way any more on which the answer could come?"""

    def over(self, caller: Caller) -> None:
        """What `begin` began is served, or was taken over."""


class Direct:
    """Answers what it can. `session` is None in the modern era."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def answered(
        self, message: Mapping[str, Any], headers: Headers, session: str | None, caller: Caller, send: Send
    ) -> bool:
        """Carry it, and answer it; False: the SDK has to, also where it was begun."""
        if not is_ordinary(message, headers) or not self._desk.begin(message, headers, session, caller):
            return False
        under_way = caller.under_way
        answer = await under_way.soon(SOON) if under_way is not None else None
        if answer is None and self._desk.begun_is_lost(session):
            answer = {"error": {"code": STOPPING, "message": "the session ended before an answer came"}}
        if answer is None:
            return False
        caller.answered()
        await _send(send, message["id"], answer, session)
        return True

    def over(self, caller: Caller) -> None:
        """The request is served, here or by the SDK."""
        self._desk.over(caller)


def is_ordinary(message: Mapping[str, Any], headers: Headers) -> bool:
    """Has this request nothing about it that the SDK would have to judge?"""
    if message["method"] not in METHODS:
        return False
    found = [(name, value) for name, value in headers if name in _ORDINARY]
    return len(found) == len(_ORDINARY) == len(dict(found)) and all(value in _ORDINARY[name] for name, value in found)


async def _send(send: Send, request_id: int | str, answer: dict[str, Any], session: str | None) -> None:
    status = 200
    if "error" in answer:
        error = _error(answer["error"])
        answer = {"error": error}
        status = ERROR_CODE_HTTP_STATUS.get(error["code"], 200) if session is None else 200
    try:
        body = serialize({"jsonrpc": "2.0", "id": request_id, **answer})
    except Malformed:  # what has happened must not be told as a request that was refused
        body = serialize({"jsonrpc": "2.0", "id": request_id, "error": _BROKEN})
    headers = [(b"content-type", _JSON), (b"content-length", b"%d" % len(body))]
    if session is not None:
        headers.append((SESSION, session.encode("latin-1")))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if len(body) > _LARGE:  # uvicorn waits for the client at the next part: until it has read, its request counts
        await send({"type": "http.response.body", "body": body, "more_body": True})
        body = b""
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _error(error: Any) -> dict[str, Any]:
    """An error in the form that the SDK gives it; one that has no such form is none that a client could read."""
    try:
        return ErrorData.model_validate(error).model_dump(by_alias=True, exclude_unset=True)
    except ValidationError:
        return _BROKEN
