"""The client's end on stdio: lines in, one conversation, lines out, by callbacks. Doesn't import `mcp`."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from typing import IO, Any

from mcp_guard import log
from mcp_guard.errors import Malformed
from mcp_guard.transports.front import Answer, Cancel, Conversation, Conversations, Exchange
from mcp_guard.transports.lines import LineReader, LineWriter, connect
from mcp_guard.wire import INTERNAL_ERROR, INVALID_REQUEST, MAX_LINE, parse, serialize

LAST_WORDS = 1.0
"""Seconds that a client which is leaving may take to read what was written for it."""
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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

    def __init__(self, conversations: Conversations, principal: str, limit: int = MAX_LINE) -> None:
        self._reader = LineReader(self._line, self._no_more, limit)
        self._writer = LineWriter(self._pressure, self._end)
        self._conversation: Conversation = conversations.open(principal=principal, notify=self._notify, ask=self._ask)
        self._exchanges: dict[int | str, _Pending] = {}
        self._asked: dict[int, Answer] = {}  # our own requests of the client, by id
        self._last = 0
        self._over: asyncio.Future[None] | None = None

    async def serve(self, source: IO[bytes], sink: IO[bytes]) -> None:
        """Until the client is gone, or SIGINT or SIGTERM asks to end."""
        loop = asyncio.get_running_loop()
        self._over = loop.create_future()
        for number in _ENDING:
            loop.add_signal_handler(number, self._end)
        try:
            await connect(self._reader, source, self._writer, sink)
            await self._over
        finally:
            for number in _ENDING:
                loop.remove_signal_handler(number)
            self._reader.close()
            self._conversation.close()
            self._writer.close()
            await self._writer.flushed(LAST_WORDS)

    def _end(self, _: str = "") -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def _no_more(self, why: str) -> None:
        """The reader has ended: at the end of file, or at a line without one, which nobody could answer by its id."""
        if why != "closed":
            self._refused(Malformed(why))
        self._end()

    def _line(self, line: bytes) -> None:
        # asyncio only logs what a callback raises, and the client would wait for ever: nothing may leave this function.
        try:
            message = parse(line)
        except Malformed as error:
            return self._refused(error)
        try:
            self._message(message)
        except Exception as error:
            log.warning("a message failed in the guard", error=type(error).__name__)
            if "method" in message and "id" in message and self._exchanges.pop(_key(message["id"]), None) is not None:
                self._error(message["id"], INTERNAL_ERROR, "The guard could not handle this request.")
        return None

    def _refused(self, error: Malformed) -> None:
        try:
            self._conversation.refused(str(error))
        except Exception as failure:
            log.warning("a refusal was not recorded", error=type(failure).__name__)
        self._error(error.id, error.code, str(error))

    def _message(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            self._answered(message)
        elif "id" in message:
            self._request(message)
        else:
            self._notified(message["method"], message.get("params"))

    def _request(self, message: dict[str, Any]) -> None:
        request_id = message["id"]
        # `7` and `"7"` are two requests to the servers too: ids downstream are the guard's.
        key = _key(request_id)
        if key in self._exchanges:
            return self._error(request_id, INVALID_REQUEST, "a request with this id is under way")
        pending = self._exchanges[key] = _Pending(message["method"] == "initialize")

        def answer(reply: dict[str, Any]) -> None:
            # Invariant: one answer for each request, and none after its cancellation; its id may be in use again.
            if self._exchanges.get(key) is pending:
                del self._exchanges[key]
                self._write({"jsonrpc": "2.0", "id": request_id, **reply})

        pending.exchange = self._conversation.request(
            message["method"], message.get("params"), id=request_id, answer=answer, notify=self._notify
        )

    def _notified(self, method: str, params: dict[str, Any] | None) -> None:
        if method != "notifications/cancelled":
            return self._conversation.notification(method, params)
        request_id = (params or {}).get("requestId")
        if request_id is not None and type(request_id) in (int, str):
            pending = self._exchanges.get(_key(request_id))
            if pending is not None and pending.opens:  # the protocol forbids it: half a handshake is of no use
                return self._conversation.refused("a handshake can't be cancelled")
            self._exchanges.pop(_key(request_id), None)
            if pending is not None and pending.exchange is not None:
                reason = (params or {}).get("reason")
                pending.exchange.cancel(reason[:200] if isinstance(reason, str) else None)

    def _ask(self, method: str, params: dict[str, Any] | None, answer: Answer) -> Cancel:
        """Ask the client for something. The ids are ours: those of servers would collide."""
        self._last += 1
        request_id = self._last
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": request_id, "method": method}
        if params is not None:
            message["params"] = params
        self._asked[request_id] = answer
        self._write(message)

        def cancel(reason: str | None) -> None:
            if self._asked.pop(request_id, None) is not None:
                told = {"requestId": request_id, **({"reason": reason} if reason else {})}
                self._notify("notifications/cancelled", told)

        return cancel

    def _answered(self, message: dict[str, Any]) -> None:
        """Invariant: an answer counts once, and only to a request that was made and not cancelled since."""
        request_id = message["id"]
        answer = self._asked.pop(request_id, None) if type(request_id) is int else None
        if answer is None:
            return self._conversation.refused("an answer to no request")
        return answer({key: message[key] for key in ("result", "error") if key in message})

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
        self._reader.pause(full)
        self._conversation.pause(full)


@dataclass(slots=True, eq=False)
class _Pending:
    """A request under way; without its exchange until the conversation has taken it."""

    opens: bool = False  # it is the handshake
    exchange: Exchange | None = None


def _key(request_id: int | str) -> int | str:
    """`7` and `"7"` are told apart."""
    return request_id if type(request_id) is int else f"s{request_id}"
