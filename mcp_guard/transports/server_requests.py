"""Requests that a server makes of the client, on either link: which wait for an answer, and that each gets one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mcp_guard.transports.front import Asked, Cancel
from mcp_guard.wire import INTERNAL_ERROR, INVALID_REQUEST

MAX_ASKED = 256
"""Requests of one server that may wait for their answers; one more is refused."""


@dataclass(slots=True, eq=False)
class _Asking:
    cancel: Cancel | None = None


class ServerRequests:
    """`take` gets each request but `ping`; `send` takes a message that goes to the server."""

    def __init__(self, take: Asked, send: Callable[[dict[str, Any]], None]) -> None:
        self._take = take
        self._send = send
        self._asking: dict[int | str, _Asking] = {}

    def asked(self, message: dict[str, Any], during: int | None) -> None:
        """One request of the server."""
        request_id = message["id"]
        if message["method"] == "ping":
            return self._answer(request_id, {"result": {}})
        key = _key(request_id)
        if key in self._asking or len(self._asking) >= MAX_ASKED:
            error = {"code": INVALID_REQUEST, "message": "a request with this id, or too many, are under way"}
            return self._answer(request_id, {"error": error})
        asking = self._asking[key] = _Asking()

        def answer(reply: dict[str, Any]) -> None:
            # Invariant: one answer for each request, and none after its cancellation.
            if self._asking.get(key) is asking:
                del self._asking[key]
                self._answer(request_id, reply)

        try:
            asking.cancel = self._take(message["method"], message.get("params"), answer, during)
        except Exception:
            answer({"error": {"code": INTERNAL_ERROR, "message": "The client could not be asked."}})
            raise
        return None

    def cancelled(self, params: dict[str, Any]) -> None:
        """The server takes a request back."""
        request_id, reason = params.get("requestId"), params.get("reason")
        asking = self._asking.pop(_key(request_id), None) if type(request_id) in (int, str) else None
        if asking is not None and asking.cancel is not None:
            asking.cancel(reason[:200] if isinstance(reason, str) else None)

    def close(self, why: str, odd: Callable[[str], None]) -> None:
        """No answer of anybody reaches the server any more."""
        waiting, self._asking = self._asking, {}
        for asking in waiting.values():
            try:
                if asking.cancel is not None:
                    asking.cancel(why)
            except Exception as error:  # it is one request's; the others end, too
                odd(f"not taken: {type(error).__name__}")

    def _answer(self, request_id: int | str, reply: dict[str, Any]) -> None:
        self._send({"jsonrpc": "2.0", "id": request_id, **reply})


def _key(request_id: Any) -> int | str:
    """`7` and `"7"` are two requests; a second one of the same id would take the first one's answer."""
    return request_id if type(request_id) is int else f"s{request_id}"
