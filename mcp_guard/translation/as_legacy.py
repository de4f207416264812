"""A server of the modern era as clients of the legacy era know one.

Each request gets the envelope that the handshake gave; subscriptions become streams (`subscriptions/listen`). What a
server wants to know before it answers (`input_required`) is handed up as it is: asking a client is judged, and calling
again is a call, so neither happens down here (`translation/questions.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mcp_guard.deliveries import ACKNOWLEDGED
from mcp_guard.eras import LOG_LEVEL_KEY, SUBSCRIPTION_KEY
from mcp_guard.errors import ServerGone
from mcp_guard.translation.forms import enveloped, legacy_reply
from mcp_guard.translation.interface import Told
from mcp_guard.transports.front import Answer, Cancel
from mcp_guard.transports.link import Link, Progress
from mcp_guard.wire import INVALID_PARAMS, METHOD_NOT_FOUND

ACK_DEADLINE = 10.0
"""Seconds for a server to say that it tells of a resource."""
MAX_STREAMS = 32
"""Resources that a server is asked to tell of, each on a stream: more would leave no places for calls."""
FIRST_WAIT, LAST_WAIT = 0.5, 60.0
"""Seconds before a stream that the server ended is opened again."""
FLAGGED = {"toolsListChanged": "tools", "promptsListChanged": "prompts", "resourcesListChanged": "resources"}


@dataclass(slots=True, eq=False)
class _Stream:
    """One stream of the server's: of lists, or of one resource."""

    wanted: dict[str, Any]
    uri: str | None = None
    id: int | None = None
    answer: Answer | None = None  # of the client's `resources/subscribe`, until the server has acknowledged it
    failures: int = 0
    timer: asyncio.TimerHandle | None = None


class AsLegacy:
    """Implements `way.Translation` for a client of the legacy era."""

    def __init__(self, link: Link, hello: dict[str, Any], envelope: dict[str, Any]) -> None:
        self.hello = hello
        self._link = link
        self._envelope = envelope
        self._streams: list[_Stream] = []
        self._last = 0
        self._closed = False
        capabilities = hello.get("capabilities")
        flags = {flag: True for flag, name in FLAGGED.items() if _changes(capabilities, name)}
        if flags:
            self._open(_Stream(flags))

    # Requests.

    def request(
        self, method: str, params: dict[str, Any] | None, answer: Answer, progress: Progress | None = None
    ) -> int:
        match method:
            case "ping":
                return self._answer_here(answer, {"result": {}})
            case "logging/setLevel":
                self._envelope = {**self._envelope, LOG_LEVEL_KEY: (params or {}).get("level")}
                return self._answer_here(answer, {"result": {}})
            case "resources/subscribe":
                return self._subscribe(str((params or {}).get("uri")), answer)
            case "resources/unsubscribe":
                self._unsubscribe(str((params or {}).get("uri")))
                return self._answer_here(answer, {"result": {}})
        asked = enveloped(params, self._envelope)
        return self._link.request(method, asked, lambda reply: answer(legacy_reply(reply)), progress)

    def cancel(self, request_id: int, reason: str | None = None) -> None:
        if request_id > 0:
            self._link.cancel(request_id, reason)

    def notify(self, method: str, params: dict[str, Any] | None) -> None:
        """The modern era has none that a client sends but cancellations, which are the link's."""

    def _answer_here(self, answer: Answer, reply: dict[str, Any]) -> int:
        """Answer without the server, and never from within the request. The link's own ids are above zero."""
        asyncio.get_running_loop().call_soon(answer, reply)
        self._last -= 1
        return self._last

    # Streams.

    def _subscribe(self, uri: str, answer: Answer) -> int:
        self._unsubscribe(uri)
        stream = _Stream({"resourceSubscriptions": [uri]}, uri, answer=answer)
        if len(self._streams) >= MAX_STREAMS:
            self._refused(stream)
        else:
            self._open(stream)
        if stream.answer is not None:
            stream.timer = asyncio.get_running_loop().call_later(ACK_DEADLINE, self._refused, stream)
        self._last -= 1
        return self._last

    def _unsubscribe(self, uri: str) -> None:
        for stream in [one for one in self._streams if one.uri == uri]:
            self._refused(stream)  # whoever still waits to be subscribed hears that it isn't

    def _open(self, stream: _Stream) -> None:
        stream.timer = None
        if stream not in self._streams:
            self._streams.append(stream)
        asked = enveloped({"notifications": stream.wanted}, self._envelope)
        try:
            stream.id = self._link.request("subscriptions/listen", asked, lambda reply: self._ended(stream, reply))
        except ServerGone:
            self._refused(stream)

    def _ended(self, stream: _Stream, reply: dict[str, Any]) -> None:
        """The server ended it. What it told of is asked for again, ever later; a refusal is one for good."""
        stream.id = None
        if stream not in self._streams or self._closed:
            return None
        if stream.answer is not None or "error" in reply:
            return self._refused(stream)
        wait = min(FIRST_WAIT * 2.0 ** min(stream.failures, 10), LAST_WAIT)
        stream.failures += 1
        stream.timer = asyncio.get_running_loop().call_later(wait, self._open, stream)

    def _refused(self, stream: _Stream) -> None:
        answer = stream.answer
        self._drop(stream)
        if answer is not None:
            error = {"code": INVALID_PARAMS, "message": "The tool server does not tell of this resource."}
            asyncio.get_running_loop().call_soon(answer, {"error": error})

    def _drop(self, stream: _Stream) -> None:
        stream.answer = None
        if stream.timer is not None:
            stream.timer.cancel()
        if stream in self._streams:
            self._streams.remove(stream)
        if stream.id is not None:
            self._link.cancel(stream.id, "nobody listens any more")

    # What the server says.

    def notified(self, method: str, params: dict[str, Any] | None) -> Iterator[Told]:
        meta = (params or {}).get("_meta")
        if params is None or not isinstance(meta, Mapping) or SUBSCRIPTION_KEY not in meta:
            yield method, params
            return
        named = meta[SUBSCRIPTION_KEY]
        stream = next((one for one in self._streams if one.id is not None and str(one.id) == str(named)), None)
        if stream is None:  # of one that was ended meanwhile
            return
        if method == ACKNOWLEDGED:
            return self._acknowledged(stream, params.get("notifications"))
        kept = {key: value for key, value in meta.items() if key != SUBSCRIPTION_KEY}
        rest = {key: value for key, value in params.items() if key != "_meta"}
        yield method, ({**rest, "_meta": kept} if kept else rest or None)

    def _acknowledged(self, stream: _Stream, told: Any) -> None:
        stream.failures = 0
        answer, stream.answer = stream.answer, None
        if answer is None:
            return None
        if stream.timer is not None:
            stream.timer.cancel()
        taken = told.get("resourceSubscriptions") if isinstance(told, Mapping) else None
        if isinstance(taken, list) and stream.uri in taken:
            return answer({"result": {}})
        stream.answer = answer
        return self._refused(stream)

    def asked(self, method: str, params: dict[str, Any] | None, answer: Answer, during: int | None) -> Cancel:
        """The modern era has no requests of a server."""
        answer({"error": {"code": METHOD_NOT_FOUND, "message": "Method not found"}})
        return _nothing

    def close(self) -> None:
        """Who waits to be subscribed hears that the server has gone: what the link says later counts for nothing."""
        self._closed = True
        for stream in self._streams:
            answer, stream.answer = stream.answer, None
            if answer is not None:
                asyncio.get_running_loop().call_soon(answer, {"gone": "its session has ended"})
            if stream.timer is not None:
                stream.timer.cancel()


def _changes(capabilities: Any, name: str) -> bool:
    said = capabilities.get(name) if isinstance(capabilities, Mapping) else None
    return isinstance(said, Mapping) and said.get("listChanged") is True


def _nothing(_: str | None = None) -> None:
    """It is answered already."""
