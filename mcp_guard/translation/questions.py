"""A modern server's questions, put to a client of the legacy era: as requests, while its call waits.

Each is judged, recorded and shown as any request of a server (`asking.py`). When all are answered the call is made
again with the answers, and that is a call like any other: judged, charged and recorded (law 2). One that is refused or
stays unanswered ends the call: the modern era has no form in which the server could hear of that.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mcp_guard import asking, rounds
from mcp_guard.context import guarded
from mcp_guard.eras import Era
from mcp_guard.model import Call, Outcome
from mcp_guard.record.entries import Entry
from mcp_guard.transports.front import Cancel

if TYPE_CHECKING:
    from mcp_guard.passage import Passage

MAX_ROUNDS = 10
"""Times that one call of a client may be asked something: each is a call to the server."""


def are_for_us(passage: Passage, reply: dict[str, Any]) -> bool:
    """Is this answer a question that has to be put here, since the client doesn't know such answers?"""
    asks = rounds.is_asking(reply, passage.call.method, Era.MODERN) and "result" in reply
    return asks and passage.server.translated and passage.context.session.era is Era.LEGACY


def put(passage: Passage, entry: Entry, reply: dict[str, Any]) -> None:
    """Ask the client, and go on with the call, or end it."""
    try:
        questions = rounds.questions_in(reply)
    except (AttributeError, KeyError, TypeError, ValueError):
        return passage.withhold(entry, rounds.UNKNOWN_FORM)
    if passage.round >= MAX_ROUNDS:
        return passage.withhold(entry, "the server asks again and again")
    return _Putting(passage, entry, reply["result"].get("requestState"), set(questions)).begin(questions)


@dataclass(slots=True, eq=False)
class _Putting:
    passage: Passage
    entry: Entry
    state: str | None
    left: set[str]
    answers: dict[str, Any] = field(default_factory=dict)
    take_back: list[Cancel] = field(default_factory=list)
    over: bool = False

    def begin(self, questions: dict[str, rounds.Question]) -> None:
        passage = self.passage
        during = passage.request.at[1] if passage.request.at is not None else None
        passage.request.sent(self._cancelled)
        for key, (method, params) in questions.items():
            if self.over:
                return
            answered = partial(self._answered, key)
            self.take_back.append(asking.asked(passage.context, passage.server, method, params, answered, during))
        if not self.left and not self.over:
            self._go_on()

    def _answered(self, key: str, reply: dict[str, Any]) -> None:
        if self.over or key not in self.left:
            return None
        if "result" not in reply:
            self._end("answered")
            return self.passage.withhold(self.entry, "what the server asked was refused, or nobody answered it")
        self.answers[key] = reply["result"]
        self.left.discard(key)
        return None if self.left else self._go_on()

    def _go_on(self) -> None:
        self.over = True
        members = {"inputResponses": self.answers} if self.answers else {}
        state = {"requestState": self.state} if self.state is not None else {}
        call = self.passage.call
        same = {name: value for name, value in call.params.items() if name not in rounds.MEMBERS}
        again: Call = replace(call, params={**same, **members, **state}, continues=True)
        passage = replace(self.passage, call=again, round=self.passage.round + 1, origin=self.entry.id)
        request = self.passage.request
        self.passage.note(
            self.entry, Outcome.OK, "the server asks before it answers", lambda: guarded(request, passage.begin)
        )

    def _cancelled(self, reason: str | None) -> None:
        if not self.over:
            self._end(reason)
            self.passage.note(self.entry, Outcome.CANCELLED, "", lambda: None)

    def _end(self, reason: str | None) -> None:
        self.over = True
        for take_back in self.take_back:
            take_back(reason)
