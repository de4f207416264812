"""A server of the legacy era as clients of the modern era know one.

The envelope is taken off and results are completed. What the server asks in the middle of a call ends that call's
answer as a round (`input_required`): the server's own call is held until the client comes back with the answers, or
nobody does. Streams (`subscriptions/listen`) are kept here, from `resources/subscribe` and the server's notifications.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from mcp_guard.answers import ROUND_METHODS
from mcp_guard.deliveries import ACKNOWLEDGED, FLAGS, UPDATED
from mcp_guard.eras import LOG_LEVEL_KEY, SUBSCRIPTION_KEY
from mcp_guard.errors import ServerGone
from mcp_guard.translation.forms import bare, modern_reply
from mcp_guard.translation.held import MAX_HELD, Held
from mcp_guard.translation.interface import Told
from mcp_guard.transports.front import Answer, Cancel
from mcp_guard.transports.link import Link, Progress
from mcp_guard.wire import INVALID_PARAMS, METHOD_NOT_FOUND

Tell = Callable[[str, "dict[str, Any] | None"], None]


class AsModern:
    """Implements `way.Translation` for a client of the modern era. `tell` takes what a stream of ours has to say."""

    def __init__(self, link: Link, hello: dict[str, Any], tell: Tell, *, shared: bool) -> None:
        self.hello = hello
        self._shared = shared  # by several clients: a question must not reach another one's
        self._link = link
        self._tell = tell
        self._calls: dict[int, Held] = {}  # those that a server may ask something for
        self._streams: dict[int, dict[str, Any]] = {}  # by our id: what the client wants to be told
        self._last = 0
        self._level: object = None

    # Requests.

    def request(
        self, method: str, params: dict[str, Any] | None, answer: Answer, progress: Progress | None = None
    ) -> int:
        if method == "server/discover":
            return self._answer_here(answer, {"result": self.hello})
        if method == "subscriptions/listen":
            return self._listen((params or {}).get("notifications", {}))
        self._set_level((params or {}).get("_meta"))
        if method not in ROUND_METHODS:
            return self._link.request(method, bare(params), lambda reply: answer(modern_reply(method, reply)), progress)
        if params is not None and "requestState" in params:
            return self._continue(params, answer, progress)
        return self._begin(method, params, answer, progress)

    def _begin(self, method: str, params: dict[str, Any] | None, answer: Answer, progress: Progress | None) -> int:
        call = Held(answer, progress)

        def replied(reply: dict[str, Any]) -> None:
            if call.waiting:
                self._calls.pop(call.id, None)
            call.over(modern_reply(method, reply))

        call.id = self._link.request(method, bare(params), replied, call.progressed if progress else None)
        if not call.ended:
            self._calls[call.id] = call
        return call.id

    def _continue(self, params: dict[str, Any], answer: Answer, progress: Progress | None) -> int:
        """The client comes back with its answers: the call that was held goes on."""
        call = next((one for one in self._calls.values() if one.continued_by(params["requestState"])), None)
        if call is None:
            error = {"code": INVALID_PARAMS, "message": "The round is over: make the call anew."}
            return self._answer_here(answer, {"error": error})
        call.go_on(params.get("inputResponses"), answer, progress)
        if call.ended:
            del self._calls[call.id]
        return call.id

    def cancel(self, request_id: int, reason: str | None = None) -> None:
        if request_id in self._streams:
            return self._end(request_id)
        call = self._calls.pop(request_id, None)
        if call is not None:
            call.drop()
        return self._link.cancel(request_id, reason) if request_id > 0 else None

    def notify(self, method: str, params: dict[str, Any] | None) -> None:
        self._link.notify(method, params)

    def _answer_here(self, answer: Answer, reply: dict[str, Any]) -> int:
        """Answer without the server, and never from within the request. The link's own ids are above zero."""
        asyncio.get_running_loop().call_soon(answer, reply)
        self._last -= 1
        return self._last

    def _set_level(self, meta: object) -> None:
        """What a client wants to be told is said with each request; this server is told when it changes."""
        level = meta.get(LOG_LEVEL_KEY) if isinstance(meta, Mapping) else None
        if level is not None and level != self._level and "logging" in self.hello.get("capabilities", {}):
            self._level = level
            self._quietly("logging/setLevel", {"level": level})

    def _quietly(self, method: str, params: dict[str, Any]) -> None:
        try:
            self._link.request(method, params, lambda _: None)
        except ServerGone:
            return

    # Streams.

    def _listen(self, wanted: Any) -> int:
        """Its answer comes when it ends, and it ends with the client or the server."""
        self._last -= 1
        stream = self._last
        wanted = wanted if isinstance(wanted, Mapping) else {}
        uris = [uri for uri in wanted.get("resourceSubscriptions", []) if isinstance(uri, str)]
        taken: list[str] = []
        left = len(uris)
        self._streams[stream] = {**{flag: True for flag in FLAGS if wanted.get(flag) is True}, "uris": taken}

        def told() -> None:
            honoured: dict[str, Any] = {flag: True for flag in FLAGS if wanted.get(flag) is True}
            if uris:
                honoured["resourceSubscriptions"] = taken
            if stream in self._streams:
                self._tell(ACKNOWLEDGED, {"notifications": honoured, "_meta": {SUBSCRIPTION_KEY: stream}})

        def subscribed(uri: str, reply: dict[str, Any]) -> None:
            nonlocal left
            left -= 1
            if "result" in reply:
                taken.append(uri)
            if left == 0:
                told()

        for uri in uris:
            try:
                self._link.request("resources/subscribe", {"uri": uri}, partial(subscribed, uri))
            except ServerGone:
                subscribed(uri, {})
        if not uris:
            asyncio.get_running_loop().call_soon(told)
        return stream

    def _end(self, stream: int) -> None:
        uris = self._streams.pop(stream)["uris"]
        for uri in uris:
            if not any(uri in other["uris"] for other in self._streams.values()):
                self._quietly("resources/unsubscribe", {"uri": uri})

    # What the server says.

    def notified(self, method: str, params: dict[str, Any] | None) -> Iterator[Told]:
        flag = next((name for name, told in FLAGS.items() if told == method), None)
        if flag is None and method != UPDATED:
            yield method, params
            return
        for stream, wanted in list(self._streams.items()):
            if (flag is not None and wanted.get(flag)) or (method == UPDATED and wanted["uris"]):
                meta = (params or {}).get("_meta")
                meta = {**(meta if isinstance(meta, Mapping) else {}), SUBSCRIPTION_KEY: stream}
                yield method, {**(params or {}), "_meta": meta}

    def asked(self, method: str, params: dict[str, Any] | None, answer: Answer, during: int | None) -> Cancel:
        """Which call it belongs to, the transport may say; else it is the one that is under way, or the latest. Of
        several clients' calls, nobody could say whose client would be asked."""
        waiting = [call for call in self._calls.values() if call.waiting]
        there = [self._calls[during]] if during in self._calls else (waiting or list(self._calls.values()))
        held = sum(call.asks for call in self._calls.values())
        if not self._shared:
            there = there[-1:]
        if len(there) != 1 or (held >= MAX_HELD and not there[0].asks):
            answer({"error": {"code": METHOD_NOT_FOUND, "message": "Method not found"}})
            return _nothing
        call = there[0]
        if not call.asks:
            call.state = secrets.token_urlsafe(24)
            call.until(lambda: self.cancel(call.id, "nobody answers"))
        return call.ask(method, params, answer)

    def close(self) -> None:
        """Who waits for an answer gets it from the link, if only its end; who was to come back is awaited no more."""
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.ask_no_more() if call.waiting else call.drop()


def _nothing(_: str | None = None) -> None:
    """It is answered already."""
