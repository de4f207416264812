"""One session with one tool server that is reached by URL (streamable HTTP): requests out, answers back, by callbacks.

The same to `downstream.py` as `StdioLink`. Each message is a POST of its own on a kept-alive connection, so that none
waits for another. Doesn't know policies or clients, and doesn't import `mcp`. What it knows is enforced here: nothing
is ever sent twice, and what may have left counts as sent (law 6).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from mcp_guard import log
from mcp_guard.errors import Malformed, ServerGone
from mcp_guard.transports.front import Answer, Asked
from mcp_guard.transports.http_link_asides import DEADLINE, Asides, drop
from mcp_guard.transports.http_link_call import MAX_RESUMES, OPENINGS, Call, error_in, names
from mcp_guard.transports.http_link_headers import Unsayable, is_modern, message_headers
from mcp_guard.transports.http_link_remote import Remote
from mcp_guard.transports.http_link_reply import Ending, Reply
from mcp_guard.transports.http_link_sender import Sender
from mcp_guard.transports.http_link_stream import ServerStream, patience
from mcp_guard.transports.link import Progress, leaving
from mcp_guard.transports.server_requests import ServerRequests
from mcp_guard.wire import MAX_LINE, answered_id, parse

MAX_OPEN = 100
"""Requests of one session that are under way at once; more wait for one of them to end."""
MAX_QUEUED = 1000
"""Requests that wait; one more is refused."""
MAX_WAITING = 32 << 20
"""Bytes that a server may leave unread before calls to it are refused."""
OPENING_DEADLINE = 30.0
"""Seconds for the answer to the message that opens a conversation."""
FIRST_DEADLINE = 2.0
"""Seconds that everything else waits for the server to take `notifications/initialized`: it comes first."""
GOODBYE_DEADLINE = 1.0
NO_ANSWER = "its answer was no message"


class HttpLink:
    """`on_notification` takes the server's notifications except the progress of a pending request; `on_request` takes
    requests that it makes (a ping is answered here); `on_odd` is told of what is no message; `on_gone` is called once
    when the server has forgotten the session: nothing can be sent then, and what is under way goes on by itself.
    `schema_of` gives a tool's inputSchema. Raises `NoCredential`.
    """

    def __init__(
        self,
        remote: Remote,
        *,
        on_notification: Callable[[str, dict[str, Any] | None], None],
        on_request: Asked,
        on_odd: Callable[[str], None],
        on_gone: Callable[[str], None],
        schema_of: Callable[[str], Mapping[str, Any] | None] = lambda _: None,
        name: str = "",
        limit: int = MAX_LINE,
    ) -> None:
        self._remote = remote
        self._name = name
        self._limit = limit
        self._on_notification = on_notification
        self._on_odd = on_odd
        self._on_gone = on_gone
        self._schema_of = schema_of
        self._sender = Sender(remote)
        self._asides = Asides(self._sender, self._told)
        self._server_requests = ServerRequests(on_request, self._reply)
        self._stream: ServerStream | None = None
        self._pending: dict[int, Call] = {}
        self._queue: deque[Call] = deque()
        self._last = 0
        self._beginning = False  # until the server has taken `notifications/initialized`
        self._gone = False
        self._closed = False
        self._paused = False
        self._unreachable = False

    async def start(self) -> None:
        """Get what has to be shown; connections are made when there is something to send. Raises `NoToken`."""
        await self._sender.ready()

    # What `downstream.py` calls.

    def request(
        self, method: str, params: dict[str, Any] | None, answer: Answer, progress: Progress | None = None
    ) -> int:
        """Send one request; the returned id serves `cancel`. Raises `ServerGone` if no byte of it was sent.

        Whether a connection can be made shows later: then the answer is `{"gone": why, "unsent": True}`.
        """
        if self._gone or self._closed:
            raise ServerGone("its session has ended")
        if len(self._queue) >= MAX_QUEUED or sum(call.unread for call in self._pending.values()) > MAX_WAITING:
            raise ServerGone("it does not take what it is sent")
        if self._sender.lacks:
            raise ServerGone(self._sender.lacks)
        self._last += 1
        call = Call(self._last, method, params, answer, progress)
        try:
            call.headers = message_headers(method, params, self._schema(method, params)) if is_modern(params) else None
        except Unsayable as why:
            raise ServerGone(str(why)) from None
        self._pending[call.id] = call
        self._queue.append(call)
        self._send_queued()
        return call.id

    def cancel(self, request_id: int, reason: str | None = None) -> None:
        """Tell the server that nobody waits for this request any more. Its answer, should one come, is dropped.

        In the modern era the end of the stream says that; before it, the server is told first.
        """
        call = self._pending.pop(request_id, None)
        if call is None:
            return
        if call in self._queue:
            self._queue.remove(call)
        elif call.sent and not call.modern and call.method != "initialize":
            params = {"requestId": request_id, **({"reason": reason} if reason else {})}
            self._tell("notifications/cancelled", params, call.abort)
        else:
            call.abort()
        self._one_less()

    def notify(self, method: str, params: dict[str, Any] | None) -> None:
        """Send one notification. The modern era has none over HTTP."""
        if self._closed or self._gone or not self._sender.in_session:
            return
        if method == "notifications/initialized":
            self._beginning = True
            self._tell(method, params, self._begun, FIRST_DEADLINE)
        else:
            self._tell(method, params, _nothing)

    def pause(self, paused: bool) -> None:
        """Stop or go on reading, on all streams: the client can't take more at the moment."""
        self._paused = paused
        for call in self._pending.values():
            call.pause(paused)
        if self._stream is not None:
            self._stream.pause(paused)

    def close(self) -> None:
        """End the session: what is under way is answered by its end, and the server is told to forget it."""
        if self._closed:
            return None
        self._closed = True
        self._server_requests.close("the session has ended", self._on_odd)
        if self._stream is not None:
            self._stream.close()
        for call in self._pending.values():
            call.abort()
            asyncio.get_running_loop().call_soon(self._answer, call, _closed(call))
        self._pending.clear()
        self._queue.clear()
        if self._sender.session is None or self._gone:
            return self._release()
        loop = asyncio.get_running_loop()
        goodbye: asyncio.Future[None] = loop.create_future()
        leaving(goodbye)

        def done(_: Ending | None = None) -> None:
            timer.cancel()
            if not goodbye.done():
                goodbye.set_result(None)
                self._release()

        timer = loop.call_later(GOODBYE_DEADLINE, done)
        return self._sender.delete(Reply(self._limit, drop, done, wanted=False))

    def _release(self) -> None:
        self._asides.close()
        self._sender.close()

    # Requests.

    def _schema(self, method: str, params: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        name = (params or {}).get("name")
        return self._schema_of(name) if method == "tools/call" and isinstance(name, str) else None

    def _send_queued(self) -> None:
        while self._queue and not self._beginning and not self._closed:
            if len(self._pending) - len(self._queue) >= MAX_OPEN:
                return
            self._post(self._queue.popleft())

    def _post(self, call: Call) -> None:
        reply = call.reply = Reply(self._limit, partial(self._message, call), partial(self._ended, call))
        self._sender.post(call.body, call.headers, reply)
        call.pause(self._paused)
        if call.method in OPENINGS:
            call.timer = asyncio.get_running_loop().call_later(OPENING_DEADLINE, self._late, call)

    def _late(self, call: Call) -> None:
        call.abort()
        self._finish(call, {"gone": "it did not answer in time"})

    def _message(self, call: Call | None, data: bytes) -> None:
        """One message of the server: on the stream of a request, or on the stream that belongs to none."""
        # Invariant: nothing is raised. A connection would end, and somebody would wait for ever.
        try:
            message = self._sender.without_credentials(data, parse(data, "server"))
        except Malformed as error:
            self._on_odd(str(error))
            if call is not None and (call.reply is None or not call.reply.opened or answered_id(data) == call.id):
                self._finish(call, {"gone": NO_ANSWER})
            return
        try:
            if "method" not in message:
                self._answered(call, message)
            elif "id" in message:
                self._asked(call, message)
            else:
                self._notified(message["method"], message.get("params"))
        except Exception as error:
            self._on_odd(f"not taken: {type(error).__name__}")

    def _answered(self, call: Call | None, message: dict[str, Any]) -> None:
        """Invariant: an answer counts on the stream of its own request alone, and once."""
        if call is None or type(message["id"]) is not int or message["id"] != call.id or call.id not in self._pending:
            return self._on_odd("an answer to no request")
        if call.method == "initialize" and "result" in message:
            session = call.reply.session if call.reply is not None else None
            if not self._sender.begin_session(session, message["result"].get("protocolVersion")):
                return self._finish(call, {"gone": "its session id can't stand in a header"})
        return self._finish(call, {key: message[key] for key in ("result", "error") if key in message})

    def _asked(self, call: Call | None, message: dict[str, Any]) -> None:
        if call is not None and call.modern:  # this era has none: the server would wait for ever
            return self._on_odd("a request, which this revision doesn't let a server make")
        return self._server_requests.asked(message, call.id if call is not None else None)

    def _notified(self, method: str, params: dict[str, Any] | None) -> None:
        if method == "notifications/cancelled":
            return self._server_requests.cancelled(params or {})
        if method != "notifications/progress":
            return self._on_notification(method, params)
        token = (params or {}).get("progressToken")
        call = self._pending.get(token) if type(token) is int else None
        if call is None or call.progress is None or params is None:
            return self._on_odd("progress of no request")
        return call.progress({**params, "progressToken": call.token})

    def _ended(self, call: Call, ending: Ending) -> None:
        """A response has ended, and the answer has or hasn't been in it."""
        if call.id not in self._pending:
            return
        ending = replace(ending, body=self._sender.masked(ending.body))
        self._seen(ending, call.sent)
        if not call.sent:
            self._finish(call, {"gone": ending.why or "it can't be reached", "unsent": True})
        elif self._sender.session is not None and not call.modern and ending.status in (404, 400):
            self._ask_after_session(call, ending)
        elif self._resume(call, ending):
            return
        elif (error := error_in(ending, call)) is not None:
            self._finish(call, {"error": error})
        else:
            self._finish(call, {"gone": _without_answer(ending)})

    def _ask_after_session(self, call: Call, ending: Ending) -> None:
        """404 says that there is no such session, unless it comes with an error about this very request. 400 may say so
        too (servers that lost theirs by a restart do), or that the request was bad."""
        error = error_in(ending, call)
        if call.method == "ping" or (ending.status == 404 and not names(ending, call)):
            self._finish(call, {"gone": f"its session has ended (HTTP {ending.status})"})
            self._lost()
        else:
            self._finish(call, {"error": error} if error is not None else {"gone": _without_answer(ending)})
            self._check_session()

    def _check_session(self) -> None:
        """Ask whether the session is still there: a ping can't be bad by itself, and does nothing."""
        pinged = any(call.method == "ping" for call in self._pending.values())
        if not (pinged or self._gone or self._closed) and self._sender.session is not None:
            self.request("ping", None, lambda _: None)

    def _resume(self, call: Call, ending: Ending) -> bool:
        """Go on with a stream that ended before its answer, where it left off. Nothing is asked for twice by that."""
        call.last_id = ending.last_id or call.last_id
        call.resumes = 1 if ending.last_id else call.resumes + 1
        fit = ending.streamed or ending.status == 0 or ending.status >= 500
        if call.modern or call.last_id is None or not fit or ending.hopeless or call.resumes > MAX_RESUMES:
            return False
        if self._closed:
            return False
        call.retry = ending.retry if ending.retry is not None else call.retry
        wait = patience(call.retry, call.resumes - 1)
        call.timer = asyncio.get_running_loop().call_later(wait, self._go_on, call)
        return True

    def _go_on(self, call: Call) -> None:
        if call.id not in self._pending:  # cancelled meanwhile
            return
        reply = call.reply = Reply(self._limit, partial(self._message, call), partial(self._ended, call))
        call.resumed = True
        self._sender.get(call.last_id, reply)
        call.pause(self._paused)

    def _finish(self, call: Call, answer: dict[str, Any]) -> None:
        if self._pending.pop(call.id, None) is None:
            return
        call.end()
        self._answer(call, answer)
        self._one_less()

    def _answer(self, call: Call, answer: dict[str, Any]) -> None:
        try:
            call.answer(answer)
        except Exception as error:
            self._on_odd(f"not taken: {type(error).__name__}")

    def _one_less(self) -> None:
        if self._gone and not self._pending:
            self.close()
        else:
            self._send_queued()

    # Everything else that goes out.

    def _tell(
        self, method: str, params: dict[str, Any] | None, then: Callable[[], None], deadline: float = DEADLINE
    ) -> None:
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        self._asides.send(message, then, deadline)

    def _reply(self, message: dict[str, Any]) -> None:
        if not self._closed:
            self._asides.send(message, _nothing)

    def _told(self, ending: Ending, sent: bool) -> None:
        """How a message without an answer ended."""
        self._seen(ending, sent)
        if ending.status in (400, 404):
            self._check_session()
        if not 200 <= ending.status < 300:
            self._on_odd(f"it does not take a message: {_without_answer(ending)}")

    def _begun(self) -> None:
        """The handshake is over: what waited for that goes out, and the server may speak up."""
        self._beginning = False
        if self._sender.session is not None and not self._closed and not self._gone and self._stream is None:
            self._stream = ServerStream(self._sender, self._limit, partial(self._message, None), self._check_session)
            self._stream.pause(self._paused)
            self._stream.open()
        self._send_queued()

    def _lost(self, why: str = "its session has ended") -> None:
        """The session is over. What is under way keeps its own stream; nothing else is sent."""
        if self._gone or self._closed:
            return
        self._gone = True
        if self._stream is not None:
            self._stream.close()
        self._server_requests.close(why, self._on_odd)
        queued, self._queue = list(self._queue), deque()
        for call in queued:
            self._finish(call, {"gone": why, "unsent": True})
        self._on_gone(why)
        self._one_less()

    def _seen(self, ending: Ending, sent: bool) -> None:
        """Tell the person what they can mend: credentials that aren't taken, a server that can't be reached."""
        if ending.status in (401, 403):
            names = ", ".join(self._remote.variables) or "none: name one with `token_env`, or `oauth`"
            why = f"it refuses the guard's credentials (HTTP {ending.status})"
            log.warning("a tool server refuses credentials", server=self._name, why=why, variables=names)
            if ending.status == 401:
                self._sender.refused()
        unreachable = not sent
        if unreachable and not self._unreachable:
            log.warning("a tool server can't be reached", server=self._name, why=ending.why)
        self._unreachable = unreachable


def _without_answer(ending: Ending) -> str:
    """Why there is no answer, in words that hold nothing of what the server sent."""
    if ending.why:
        return ending.why
    if ending.status == 200 and not ending.streamed:
        return "its answer was to another request"
    if ending.streamed:
        return "its stream ended without an answer"
    return f"it answered with HTTP {ending.status}"


def _closed(call: Call) -> dict[str, Any]:
    return {"gone": "closed"} if call.sent else {"gone": "closed", "unsent": True}


def _nothing() -> None:
    """Nobody waits for it."""
