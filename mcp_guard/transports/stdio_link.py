"""One life of one tool server's process: requests out, answers back, by callbacks.

Turns lines into answers, notifications and server requests. Doesn't know eras, policies or clients, and doesn't import
`mcp` (half a second and 65 MB). Above it: `downstream.py`, which restarts it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mcp_guard.errors import Malformed, ServerGone
from mcp_guard.transports.front import Answer, Asked
from mcp_guard.transports.lines import LineReader, LineWriter, connect
from mcp_guard.transports.server_requests import ServerRequests
from mcp_guard.transports.spawn import Child, end_orphans
from mcp_guard.wire import MAX_LINE, answered_id, parse, serialize

MAX_WAITING = 32 << 20
"""Bytes that a server may leave unread in its pipe before calls to it are refused."""
Progress = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class _Pending:
    answer: Answer
    progress: Progress | None
    token: Any  # the client's own progress token
    listens: bool = False  # a stream of notifications, which the server may end by a cancellation


class StdioLink:
    """Correlates what goes to one process with what comes back.

    `on_notification` takes the server's notifications except the progress of a pending request; `on_request` takes
    requests that the server makes (a ping is answered here); `on_odd` is told of lines that are no message; `on_gone`
    is called once when the process can't be talked to any more, after every pending request was answered with
    `{"gone": why}`. An answer that is no message counts as none: its request gets the same at once, instead of waiting
    for its time-out.
    """

    def __init__(
        self,
        child: Child,
        *,
        on_notification: Callable[[str, dict[str, Any] | None], None],
        on_request: Asked,
        on_odd: Callable[[str], None],
        on_gone: Callable[[str], None],
        on_pressure: Callable[[bool], None] | None = None,
        limit: int = MAX_LINE,
    ) -> None:
        self.child = child
        self._on_notification = on_notification
        self._server_requests = ServerRequests(on_request, self._tell)
        self._on_odd = on_odd
        self._on_gone = on_gone
        self._pending: dict[int, _Pending] = {}
        self._last = 0
        self._gone = False
        self._reader = LineReader(self._line, self._ended, limit)
        # A server that reads no more can't be called; what it still says is read until the warden has ended it.
        self._writer = LineWriter(on_pressure, child.end)

    async def start(self) -> None:
        """Attach to the process's pipes."""
        process = self.child.process
        if process.stdin is None or process.stdout is None:
            raise ValueError("it has no pipes")
        try:
            await connect(self._reader, process.stdout, self._writer, process.stdin)
        except BaseException:
            self.close()
            self.child.discard()
            collect(self.child)
            raise

    def request(
        self, method: str, params: dict[str, Any] | None, answer: Answer, progress: Progress | None = None
    ) -> int:
        """Send one request; the returned id serves `cancel`. Raises `ServerGone` if no byte of it was sent."""
        if self._gone:
            raise ServerGone("it has ended")
        if self._writer.waiting > MAX_WAITING:
            raise ServerGone("it does not read what it is sent")
        self._last += 1
        request_id = self._last
        token = None
        if params is not None:
            meta = params.get("_meta")
            if type(meta) is dict and "progressToken" in meta:
                # Invariant: tokens are ours, unique per link; two clients may choose the same one.
                token = meta["progressToken"]
                params = {**params, "_meta": {**meta, "progressToken": request_id}}
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": request_id, "method": method}
        if params is not None:
            message["params"] = params
        line = serialize(message)
        listens = method == "subscriptions/listen"
        self._pending[request_id] = _Pending(answer, progress if token is not None else None, token, listens)
        if not self._writer.write(line):
            del self._pending[request_id]
            raise ServerGone("its pipe is closed")
        return request_id

    def cancel(self, request_id: int, reason: str | None = None) -> None:
        """Tell the server that nobody waits for this request any more. Its answer, should one come, is dropped."""
        if self._pending.pop(request_id, None) is not None:
            params: dict[str, Any] = {"requestId": request_id}
            if reason:
                params["reason"] = reason
            self.notify("notifications/cancelled", params)

    def notify(self, method: str, params: dict[str, Any] | None) -> None:
        """Send one notification; silently nothing if the server has ended."""
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        self._tell(message)

    def pause(self, paused: bool) -> None:
        """Stop or go on reading: the client can't take more at the moment."""
        self._reader.pause(paused)

    def close(self) -> None:
        """End the process in order: its stdin is closed, the warden bounds the rest."""
        self._writer.close()
        self.child.end()
        self._reader.close()
        collect(self.child)
        self._server_requests.close("the tool server is closed", self._on_odd)

    def _line(self, line: bytes) -> None:
        # asyncio only logs what a callback raises, and a caller would wait for ever: nothing may leave this function.
        try:
            message = parse(line, "server")
        except Malformed as error:
            return self._unusable(line, str(error))
        try:
            if "method" not in message:
                return self._answered(message)
            if "id" in message:
                return self._server_requests.asked(message, None)
            self._notified(message["method"], message.get("params"))
        except Exception as error:
            self._on_odd(f"not taken: {type(error).__name__}")

    def _unusable(self, line: bytes, why: str) -> None:
        self._on_odd(why)
        request_id = answered_id(line)
        pending = self._pending.pop(request_id, None) if request_id is not None else None
        if pending is not None:
            self._give(pending, {"gone": "its answer was no message"})

    def _give(self, pending: _Pending, answer: dict[str, Any]) -> None:
        try:
            pending.answer(answer)
        except Exception as error:
            self._on_odd(f"not taken: {type(error).__name__}")

    def _answered(self, message: dict[str, Any]) -> None:
        request_id = message["id"]
        pending = self._pending.pop(request_id, None) if type(request_id) is int else None
        if pending is None:  # late, repeated or never asked for
            return self._on_odd("an answer to no request")
        pending.answer({"result": message["result"]} if "result" in message else {"error": message["error"]})

    def _tell(self, message: dict[str, Any]) -> None:
        if not self._gone and self._writer.waiting <= MAX_WAITING:
            self._writer.write(serialize(message))

    def _cancelled(self, params: dict[str, Any]) -> None:
        """The server takes back a request of its own, or ends a stream that we opened."""
        request_id = params.get("requestId")
        if type(request_id) is int and request_id in self._pending and self._pending[request_id].listens:
            return self._give(self._pending.pop(request_id), {"gone": "the tool server ended the stream"})
        return self._server_requests.cancelled(params)

    def _notified(self, method: str, params: dict[str, Any] | None) -> None:
        if method == "notifications/cancelled":
            return self._cancelled(params or {})
        if method != "notifications/progress":
            return self._on_notification(method, params)
        token = (params or {}).get("progressToken")
        pending = self._pending.get(token) if type(token) is int else None
        if pending is None or pending.progress is None or params is None:
            return self._on_odd("progress of no request")
        pending.progress({**params, "progressToken": pending.token})

    def _ended(self, why: str) -> None:
        if self._gone:
            return
        self._gone = True
        pending, self._pending = self._pending, {}
        self._writer.close()
        self.child.end()
        collect(self.child)
        for waiting in pending.values():
            self._give(waiting, {"gone": why})  # no server can say this: an answer of its own is `result` or `error`
        self._server_requests.close(why, self._on_odd)
        self._on_gone(why)


def collect(child: Child, soon: float = 0.02) -> None:
    """Take the warden's exit status once there is one, so that no zombie stays. It ends by itself, in bounded time."""
    status = child.process.poll()
    if status is None and soon < 60:
        asyncio.get_running_loop().call_later(soon, collect, child, soon * 2)
    elif status is not None and status < 0:  # somebody killed the warden: what it looked after is ours now
        _end_orphans(40)


def _end_orphans(tries: int) -> None:
    """Until none is left: one that is ended may leave others behind, and one that forks may be ahead of us."""
    if end_orphans() and tries > 0:
        asyncio.get_running_loop().call_later(0.01, _end_orphans, tries - 1)
