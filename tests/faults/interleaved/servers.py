"""Links to servers that answer, crash, keep silent, forget their session and change their lists, by chance.

They keep the one promise of `transports.link.Link`: a request is answered once unless it was cancelled, if only by
`gone`. Whether the real ones keep it is tested with them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Any

from mcp_guard.downstream import Downstream
from mcp_guard.errors import ServerGone
from mcp_guard.transports.front import Answer
from mcp_guard.transports.link import Progress

LEGACY, MODERN = "2025-11-25", "2026-07-28"
CAPABILITIES = {"tools": {"listChanged": True}, "resources": {"subscribe": True}}
COMPLETE = {"resultType": "complete"}
ANSWERS: dict[str, dict[str, Any]] = {
    "tools/list": {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}], **COMPLETE},
    "tools/call": {"content": [], **COMPLETE},
    "resources/subscribe": {},
}
HOLDS_ON = 100.0
"""Seconds after which a forgotten session's response breaks off: longer than any call may take."""


class ScriptedLink:
    """One life of one server. `eras` are those that it speaks."""

    def __init__(self, server: Downstream, life: int, chance: random.Random, eras: str) -> None:
        self._server = server
        self._life = life
        self._chance = chance
        self._eras = eras
        self._waiting: dict[int, Answer] = {}
        self._last = 0
        self._gone = False

    async def start(self) -> None:
        await asyncio.sleep(self._chance.choice([0, 0, 0.01, 0.3, 20]))
        if self._chance.random() < 0.1:
            raise self._chance.choice([OSError, ValueError, RuntimeError])("it can't be reached")

    def request(
        self, method: str, params: dict[str, Any] | None, answer: Answer, progress: Progress | None = None
    ) -> int:
        if self._gone:
            raise ServerGone("it has ended")
        self._last += 1
        self._waiting[self._last] = answer
        acts: list[Callable[[], None]] = [
            partial(self._answer, self._last, self._said(method)),
            partial(self._answer, self._last, {"error": {"code": -32603, "message": "no"}}),
            self._crash,
            self._forget,
            self._change,
            _nothing,
        ]
        act = self._chance.choices(acts, [20, 1, 1, 1, 1, 2])[0]
        asyncio.get_running_loop().call_later(self._chance.choice([0, 0.001, 0.05, 2, 9]), act)
        return self._last

    def cancel(self, request_id: int, reason: str | None = None) -> None:
        self._waiting.pop(request_id, None)

    def notify(self, method: str, params: dict[str, Any] | None) -> None:
        """It does not care."""

    def pause(self, paused: bool) -> None:
        """It has no pipe."""

    def close(self) -> None:
        self._gone = True
        asyncio.get_running_loop().call_soon(self._end, "closed")

    def _said(self, method: str) -> dict[str, Any]:
        if method == "initialize" and "l" in self._eras:
            return {"result": {"protocolVersion": LEGACY, "capabilities": CAPABILITIES, "serverInfo": {}}}
        if method == "server/discover" and "m" in self._eras:
            return {"result": {"supportedVersions": [MODERN], "capabilities": CAPABILITIES, **COMPLETE}}
        if method in ANSWERS:
            return {"result": ANSWERS[method]}
        return {"error": {"code": -32601, "message": "Method not found"}}

    def _answer(self, request_id: int, reply: dict[str, Any]) -> None:
        answer = self._waiting.pop(request_id, None)
        if answer is not None:
            answer(reply)

    def _end(self, why: str) -> None:
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            answer({"gone": why})

    def _crash(self) -> None:
        """As a process does: what waits is answered, then the end is told."""
        if not self._gone:
            self._gone = True
            self._end("it has ended")
            self._server._ended(self._life, "it has ended")

    def _forget(self) -> None:
        """As a session on HTTP does: the end is told, and what waits goes on by itself, for a long time."""
        if not self._gone:
            self._gone = True
            self._server._ended(self._life, "its session has ended")
            asyncio.get_running_loop().call_later(HOLDS_ON, self._end, "its stream ended without an answer")

    def _change(self) -> None:
        self._server._notified(self._life, "notifications/tools/list_changed", None)


def _nothing() -> None:
    """It keeps silent."""
