"""A call at a legacy server that may wait for its client: what the server asked, and who gets the next answer."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Mapping
from typing import Any

from mcp_guard.answers import MAX_QUESTIONS
from mcp_guard.transports.front import Answer, Cancel
from mcp_guard.transports.link import Progress
from mcp_guard.wire import INTERNAL_ERROR

MAX_HELD = 64
"""Calls of one server that may wait for their clients."""
HELD_SECONDS = 3600.0
"""How long one waits: as long as a round's state is good for."""
TOGETHER = 0.02
"""Seconds in which a server's further questions still come with the first: each answer costs the client a call."""


class Held:
    """Between two answers nobody waits (`_answer` is None): what comes then is kept for who comes back."""

    def __init__(self, answer: Answer, progress: Progress | None) -> None:
        self.id = 0
        self.state = ""
        self.ended = False
        self._answer: Answer | None = answer
        self._progress = progress
        self._questions: dict[str, tuple[dict[str, Any], Answer]] = {}  # not shown yet
        self._shown: dict[str, Answer] = {}
        self._last = 0
        self._reply: dict[str, Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._soon: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> bool:
        """Is the client there?"""
        return self._answer is not None

    @property
    def asks(self) -> bool:
        """Has the server asked something? Then the call lasts as long as its client may take to answer."""
        return self.state != ""

    def until(self, give_up: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_later(HELD_SECONDS, give_up)

    def progressed(self, params: dict[str, Any]) -> None:
        if self._progress is not None and self._answer is not None:
            self._progress(params)

    def ask(self, method: str, params: dict[str, Any] | None, answer: Answer) -> Cancel:
        """Put one question of the server; what this returns takes it back."""
        if len(self._questions) + len(self._shown) >= MAX_QUESTIONS:
            answer({"error": {"code": INTERNAL_ERROR, "message": "too many questions"}})
            return lambda _: None
        self._last += 1
        key = f"q{self._last}"
        self._questions[key] = ({"method": method, **({} if params is None else {"params": params})}, answer)
        self._show_soon()

        def take_back(_: str | None) -> None:
            self._questions.pop(key, None)
            self._shown.pop(key, None)

        return take_back

    def _show_soon(self) -> None:
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(TOGETHER, self._show)

    def _show(self) -> None:
        """The questions end the client's request: it comes back with the answers."""
        self._soon = None
        if self._answer is None or not self._questions:
            return
        asked, self._questions = self._questions, {}
        self._shown.update({key: answer for key, (_, answer) in asked.items()})
        requests = {key: question for key, (question, _) in asked.items()}
        self._give({"result": {"resultType": "input_required", "inputRequests": requests, "requestState": self.state}})

    def continued_by(self, state: object) -> bool:
        """Is this the state of a round of this call, whose client isn't here?"""
        return self.asks and isinstance(state, str) and hmac.compare_digest(state.encode(), self.state.encode())

    def go_on(self, responses: object, answer: Answer, progress: Progress | None) -> None:
        """The client is back. A question that it left out is answered all the same: the server waits for it."""
        given = responses if isinstance(responses, Mapping) else {}
        self._answer, self._progress = answer, progress
        shown, self._shown = self._shown, {}
        for key, reply in shown.items():
            missing = {"error": {"code": INTERNAL_ERROR, "message": "the client gave no answer"}}
            reply({"result": given[key]} if isinstance(given.get(key), dict) else missing)
        if self._reply is not None:
            asyncio.get_running_loop().call_soon(self._give, self._reply)
        elif self._questions:
            self._show_soon()

    def over(self, reply: dict[str, Any]) -> None:
        """The server's own answer, or its end: for who waits, or who comes back."""
        self.ended = True
        if self.waiting:
            self._stop_timers()
            self._give(reply)
        else:
            self._reply = reply

    def _give(self, reply: dict[str, Any]) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer(reply)

    def ask_no_more(self) -> None:
        """The server's questions are over, with its session: a client that answered them would come too late."""
        self._questions.clear()
        self._stop_timers()

    def drop(self) -> None:
        """Nobody comes back: neither client nor server hears any more of it."""
        self._answer = None
        self._stop_timers()

    def _stop_timers(self) -> None:
        for timer in (self._timer, self._soon):
            if timer is not None:
                timer.cancel()
        self._timer = self._soon = None
