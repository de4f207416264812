"""One request on its way to a server that is reached by URL: what is sent, who waits, how far it has come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from mcp_guard.errors import Malformed
from mcp_guard.transports.front import Answer
from mcp_guard.transports.http_link_headers import is_modern
from mcp_guard.transports.http_link_reply import Ending, Reply
from mcp_guard.wire import METHOD_NOT_FOUND, parse, serialize

OPENINGS = ("initialize", "server/discover")
MAX_RESUMES = 5
"""Attempts in a row to go on with a broken stream, none of which brought an event."""


class Call:
    """`body` is the message, made once. `headers` are a modern one's; None: legacy."""

    __slots__ = (
        *("answer", "body", "headers", "id", "last_id", "method", "modern", "progress", "reply", "resumed", "resumes"),
        *("retry", "timer", "token"),
    )

    def __init__(
        self,
        id: int,
        method: str,
        params: dict[str, Any] | None,
        answer: Answer,
        progress: Callable[[dict[str, Any]], None] | None,
    ) -> None:
        self.id = id
        self.method = method
        self.modern = is_modern(params)
        self.answer = answer
        self.token: Any = None
        meta = params.get("_meta") if params is not None else None
        announced = type(meta) is dict and "progressToken" in meta
        if params is not None and type(meta) is dict and announced:
            # Invariant: tokens are ours, unique per link; two clients may choose the same one.
            self.token = meta["progressToken"]
            params = {**params, "_meta": {**meta, "progressToken": id}}
        self.progress = progress if announced else None
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": id, "method": method}
        if params is not None:
            message["params"] = params
        self.body = serialize(message)
        self.headers: list[tuple[str, str]] | None = None
        self.reply: Reply | None = None  # the response that it waits for; None: it waits for its turn
        self.resumed = False
        self.resumes = 0
        self.last_id: str | None = None
        self.retry: float | None = None
        self.timer: asyncio.TimerHandle | None = None

    @property
    def sent(self) -> bool:
        """May any byte of it have left?"""
        exchange = self.reply.exchange if self.reply is not None else None
        return self.resumed or (exchange is not None and exchange.sent)

    @property
    def unread(self) -> int:
        exchange = self.reply.exchange if self.reply is not None else None
        return exchange.unread if exchange is not None else 0

    def pause(self, paused: bool) -> None:
        if self.reply is not None and self.reply.exchange is not None:
            self.reply.exchange.pause(paused)

    def abort(self) -> None:
        """Nobody waits any more: end its connection."""
        self._no_timer()
        if self.reply is not None:
            self.reply.abandon()

    def end(self) -> None:
        """It has its answer: its connection may serve others."""
        self._no_timer()
        if self.reply is not None:
            self.reply.finish()

    def _no_timer(self) -> None:
        timer, self.timer = self.timer, None
        if timer is not None:
            timer.cancel()


def names(ending: Ending, call: Call) -> bool:
    """Is there an error about this very request, by its id?"""
    try:
        return parse(ending.body, "server").get("id") == call.id
    except Malformed:
        return False


def error_in(ending: Ending, call: Call) -> dict[str, Any] | None:
    """The JSON-RPC error that a status other than success may carry: the server's own answer to this request.

    A server that doesn't know the modern era may know no better than a bare status; to the question whether it does,
    that is an answer.
    """
    if ending.why or not 400 <= ending.status < 600:
        return None
    error = _error(ending.body, call.id)
    if error is None and call.method == "server/discover" and ending.status in (400, 404, 405, 406, 415, 422, 501):
        return {"code": METHOD_NOT_FOUND, "message": f"HTTP {ending.status}"}
    return error


def _error(body: bytes, request_id: int) -> dict[str, Any] | None:
    try:
        message = parse(body, "server")
    except Malformed:
        return _nameless(body)
    error = message.get("error")
    return error if message.get("id") == request_id and type(error) is dict else _nameless(body)


def _nameless(body: bytes) -> dict[str, Any] | None:
    """An error without an id of ours: what a server says before it has read the request. Code and words, no more."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    nameless = type(message) is dict and type(message.get("id")) in (type(None), str)
    error = message.get("error") if nameless else None
    if type(error) is not dict or type(error.get("code")) is not int or type(error.get("message")) is not str:
        return None
    return {"code": error["code"], "message": error["message"][:1000]}
