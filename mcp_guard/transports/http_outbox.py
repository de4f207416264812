"""One request that a conversation carries, and what came back for it so far: notifications, questions, the answer.

Callbacks in, coroutines out. Whoever writes to the client reads here, and may hand that to another meanwhile: nothing
is lost, and nothing is asked of the conversation again. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from mcp_guard.transports.front import Answer, Ask, Cancel, Conversation, Exchange
from mcp_guard.wire import serialize

MAX_WAITING = 1000
"""Notifications that wait for a client that doesn't read; beyond it the oldest are dropped.

The servers aren't held back (`Conversation.pause`): in the modern era one client would stall others that share them.
"""
MAX_WAITING_BYTES = 16 << 20
"""Bytes of them, of which one may be as long as a message can be."""


class Outbox:
    """Notifications on their way out: synchronous in, asynchronous out, in order."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, dict[str, Any] | None, int]] = deque()
        self._size = 0
        self._wake: anyio.Event | None = None  # set by who waits
        self._closed = False

    @property
    def empty(self) -> bool:
        """Does nothing wait?"""
        return not self._waiting

    def put(self, method: str, params: dict[str, Any] | None) -> None:
        if self._closed:
            return
        size = len(serialize(params)) if params is not None else 0
        self._waiting.append((method, params, size))
        self._size += size
        while len(self._waiting) > MAX_WAITING or (self._size > MAX_WAITING_BYTES and len(self._waiting) > 1):
            self._size -= self._waiting.popleft()[2]
        self._tell()

    def close(self) -> None:
        """Take nothing more; `drain` returns when what waits is written."""
        self._closed = True
        self._tell()

    async def drain(self, write: Callable[[str, dict[str, Any] | None], Awaitable[None]]) -> None:
        """Write until closed and empty."""
        while True:
            while self._waiting:
                method, params, size = self._waiting.popleft()
                self._size -= size
                await write(method, params)
            if self._closed:
                return
            self._wake = anyio.Event()
            await self._wake.wait()

    def _tell(self) -> None:
        if self._wake is not None:
            self._wake.set()


class UnderWay:
    """One request, from its handing over to a conversation. `answer` is None until that has come."""

    __slots__ = ("_exchange", "_held", "_way", "_woken", "answer", "outbox")

    def __init__(self) -> None:
        self.answer: dict[str, Any] | None = None
        self.outbox = Outbox()
        self._exchange: Exchange | None = None
        self._way: Ask | None = None
        self._held: list[_Question] = []
        self._woken: asyncio.Future[None] | None = None

    def begin(
        self, conversation: Conversation, method: str, params: dict[str, Any] | None, id: int | str, *, can_ask: bool
    ) -> None:
        """Hand it over; once. `can_ask`: servers may ask this client something meanwhile."""
        ask = self._ask if can_ask else None
        self._exchange = conversation.request(
            method, params, id=id, answer=self._answered, notify=self._notified, ask=ask
        )

    async def soon(self, seconds: float) -> dict[str, Any] | None:
        """The answer, if it comes within these seconds and nothing comes before it."""
        if self.answer is None and self._silent:
            loop = asyncio.get_running_loop()
            self._woken = loop.create_future()
            timer = loop.call_later(seconds, self.wake)
            try:
                await self._woken
            finally:
                timer.cancel()
        return self.answer if self._silent else None

    @property
    def _silent(self) -> bool:
        return self.outbox.empty and not self._held

    def wake(self) -> None:
        """Let `soon` end."""
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def ask_by(self, way: Ask) -> None:
        """There is a way to ask the client now; what waited for one goes first."""
        self._way = way
        held, self._held = self._held, []
        for question in held:
            question.put(way)

    def fail(self, code: int, message: str) -> None:
        """Answer it with an error of the guard's own, unless it is answered."""
        if self.answer is None:
            self._answered({"error": {"code": code, "message": message}})

    def cancel(self, reason: str | None) -> None:
        """Nobody waits any more. Nothing happens once it is answered."""
        if self.answer is None and self._exchange is not None:
            self._exchange.cancel(reason)

    def _answered(self, message: dict[str, Any]) -> None:
        if self.answer is None:
            self.answer = message
        self.outbox.close()
        self.wake()

    def _notified(self, method: str, params: dict[str, Any] | None) -> None:
        self.outbox.put(method, params)
        self.wake()

    def _ask(self, method: str, params: dict[str, Any] | None, answer: Answer) -> Cancel:
        if self._way is not None:
            return self._way(method, params, answer)
        question = _Question(method, params, answer)
        self._held.append(question)
        self.wake()
        return question.cancel


class _Question:
    """A server's request that waits for a way to the client."""

    def __init__(self, method: str, params: dict[str, Any] | None, answer: Answer) -> None:
        self._asked = method, params, answer
        self._cancel: Cancel | None = None
        self._dropped = False

    def put(self, way: Ask) -> None:
        if not self._dropped:
            self._cancel = way(*self._asked)

    def cancel(self, reason: str | None) -> None:
        self._dropped = True
        if self._cancel is not None:
            self._cancel(reason)
