"""The client's end on stdio: lines in, one conversation, lines out, by callbacks. Doesn't import `mcp`."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import IO, Any

from mcp_guard.errors import Malformed
from mcp_guard.transports.front import Conversation, Conversations, Exchange
from mcp_guard.transports.lines import LineReader, LineWriter, connect
from mcp_guard.wire import INVALID_REQUEST, PARSE_ERROR, parse, serialize


def take_stdio() -> tuple[IO[bytes], IO[bytes]]:
    """The protocol's pipes, moved off fd 0 and 1, so that nothing else in the process can read or write them.

    What is printed by mistake goes to stderr, never between two messages.
    """
    source = os.fdopen(os.dup(0), "rb", 0)
    sink = os.fdopen(os.dup(1), "wb", 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return source, sink


class StdioFront:
    """One client on a pair of pipes, from its first line to its end of file."""

    def __init__(self, conversations: Conversations, principal: str) -> None:
        self._reader = LineReader(self._line, self._end)
        self._writer = LineWriter(self._pressure)
        self._conversation: Conversation = conversations.open(principal=principal, notify=self._notify)
        self._exchanges: dict[int | str, Exchange] = {}
        self._over: asyncio.Future[None] | None = None

    async def serve(self, source: IO[bytes], sink: IO[bytes]) -> None:
        """Until the client is gone, or SIGINT or SIGTERM asks to end."""
        loop = asyncio.get_running_loop()
        self._over = loop.create_future()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._end, "signal")
        try:
            await connect(self._reader, source, self._writer, sink)
            await self._over
        finally:
            self._conversation.close()
            self._writer.close()

    def _end(self, _: str) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def _line(self, line: bytes) -> None:
        # asyncio only logs what a callback raises, and the client would wait for ever: nothing may leave this function.
        try:
            message = parse(line)
        except Malformed as error:
            self._conversation.refused(str(error))
            if error.id is not None or error.code in (PARSE_ERROR, INVALID_REQUEST):
                self._error(error.id, error.code, str(error))
            return
        if "method" not in message:
            return self._conversation.refused("an answer to no request")
        if "id" in message:
            return self._request(message)
        self._notified(message["method"], message.get("params"))

    def _request(self, message: dict[str, Any]) -> None:
        request_id = message["id"]
        # `7` and `"7"` are told apart here, and are two requests to the servers too: ids downstream are the guard's.
        key = request_id if type(request_id) is int else f"s{request_id}"
        if key in self._exchanges:
            return self._error(request_id, INVALID_REQUEST, "a request with this id is under way")
        placeholder = _Early()
        self._exchanges[key] = placeholder

        def answer(reply: dict[str, Any]) -> None:
            self._exchanges.pop(key, None)
            self._write({"jsonrpc": "2.0", "id": request_id, **reply})

        exchange = self._conversation.request(
            message["method"], message.get("params"), id=request_id, answer=answer, notify=self._notify
        )
        if self._exchanges.get(key) is placeholder:
            self._exchanges[key] = exchange

    def _notified(self, method: str, params: dict[str, Any] | None) -> None:
        if method != "notifications/cancelled":
            return self._conversation.notification(method, params)
        request_id = (params or {}).get("requestId")
        if type(request_id) in (int, str):
            exchange = self._exchanges.pop(request_id if type(request_id) is int else f"s{request_id}", None)
            if exchange is not None:
                reason = (params or {}).get("reason")
                exchange.cancel(reason[:200] if isinstance(reason, str) else None)

    def _notify(self, method: str, params: dict[str, Any] | None) -> None:
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        self._write(message)

    def _error(self, request_id: int | str | None, code: int, message: str) -> None:
        self._write({"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}})

    def _write(self, message: dict[str, Any]) -> None:
        self._writer.write(serialize(message))

    def _pressure(self, full: bool) -> None:
        """A client that doesn't read is not read from, nor are its servers, until it does."""
        transport = self._reader.transport
        if transport is not None and not transport.is_closing():
            transport.pause_reading() if full else transport.resume_reading()
        self._conversation.pause(full)


class _Early:
    """Stands for an exchange that was answered before `request` returned."""

    def cancel(self, reason: str | None = None) -> None:
        """There is nothing left to cancel."""
