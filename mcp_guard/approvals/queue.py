"""The one queue of questions, in the record: every way of asking a person answers there.

A guard process puts a question and looks for its answer; a command, the console, or the client itself gives it. An
approver of `port.py`: what comes out is data, which is judged again. While questions are open the record is looked at
five times a second; with none there is no timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import orjson

from mcp_guard import log
from mcp_guard.approvals import binding, slips
from mcp_guard.approvals.port import Answered, Question, Recalled, Unsettled
from mcp_guard.errors import GuardError
from mcp_guard.model import Approval, By
from mcp_guard.patience import patiently
from mcp_guard.record import questions, stops
from mcp_guard.record.store import Record
from mcp_guard.record.usage import UsageView
from mcp_guard.record.writer import Transaction

POLL = 0.2  # seconds between two looks while a question is open
WAIT = 45.0
"""Seconds that a client's call is held: many clients give up after 60. Then the answer is of kind `pending`."""
SLACK = 15.0
"""Seconds after `WAIT` by which a guard that held the call has let go of it, or was killed."""
BURST, BURST_SPAN = 20, timedelta(minutes=1)
"""Questions of one session in so long that freeze it. A person who reads takes more than three seconds for each; one
who is asked faster stops reading, and that is what an attacker who floods wants. Who needs more needs a grant."""


@dataclass(slots=True)
class _Open:
    """A question that a client waits for."""

    question: Question
    answered: Answered
    late: asyncio.TimerHandle


class Queue:
    """Puts questions into the record, and takes answers out of it. One for a guard process."""

    def __init__(self, record: Record, *, wait: float = WAIT) -> None:
        self._record = record
        self._wait = wait
        self._lease = timedelta(seconds=wait + SLACK)
        self._open: dict[str, _Open] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._version: int | None = None

    # --- the port ---

    def ask(self, question: Question, answered: Answered) -> Callable[[], None]:
        """Put the question. Nobody who can't see it is asked: a call that can't be shown is answered with no."""
        patiently(partial(self._enter, question, answered), lambda: answered(None))
        return partial(self._withdraw, question.entry)

    def recall(self, view: UsageView, question: Question) -> Recalled:
        """What was answered about this very call before, or for its session, in law 2's transaction."""
        key = self._record.key
        asking = binding.asking(question, key)
        said = questions.stands(view, asking, question.digest, lambda one: binding.fits(one, question.call, key))
        if said is False:
            return Recalled(refused=True)
        approval = said if isinstance(said, Approval) else questions.given(view, asking, question.digest)
        if approval is not None:
            return Recalled(approvals=(approval,))
        return Recalled(entry=questions.take_over(view, asking, self._lease))

    # --- questions on their way ---

    def _enter(self, question: Question, answered: Answered) -> None:
        put = self._record.change(partial(self._put, question))
        if not put:
            log.warning("a session asks too much and is frozen: `mcp-guard approvals unfreeze`", key=question.session)
            return answered(Unsettled.FROZEN)
        try:
            slips.write(self._record.directory, question)
        except GuardError as error:
            log.warning("a question can't be shown, which counts as no", why=str(error))
            self._withdraw(question.entry)
            return answered(None)
        loop = asyncio.get_running_loop()
        if not question.waits:
            self._record.change(lambda moment: questions.let_wait(moment, question.entry))
            return answered(Unsettled.PENDING)
        late = loop.call_later(self._wait, self._late, question.entry)
        self._open[question.entry] = _Open(question, answered, late)
        if self._timer is None:
            self._version = None
            self._timer = loop.call_later(POLL, self._look)
        log.info("a person is asked: `mcp-guard approvals list`", question=question.entry)
        return None

    def _put(self, question: Question, moment: Transaction) -> bool:
        """Add the question, unless it is one that is taken over. False: the session is frozen."""
        slips.remove(self._record.directory, questions.lapse(moment))
        if questions.is_open(moment, question.entry):
            return True
        if questions.asked_lately(moment, question.session, moment.now - BURST_SPAN) >= BURST:
            why = f"{BURST} questions within {BURST_SPAN.seconds} seconds"
            stops.halt(moment, f"session:{question.session}", why)
            return False
        questions.ask(moment, binding.asking(question, self._record.key), self._lease)
        return True

    def look(self) -> None:
        """Look for answers now: one was given by this very process."""
        for entry, state, by, tier in self._answers():
            self._settled(entry, state, by, tier)

    def _look(self) -> None:
        self._timer = None
        if not self._open:
            return
        self._timer = asyncio.get_running_loop().call_later(POLL, self._look)
        try:
            version = self._record.look("PRAGMA data_version")[0][0]
            if version != self._version:
                self.look()
                self._version = version
        except GuardError as error:
            log.warning("the record could not be asked for answers", error=str(error))

    def _answers(self) -> list[tuple[str, str, str, int]]:
        query = """SELECT entry, state, answerer, answered_in FROM questions
            WHERE state!='open' AND entry IN (SELECT value FROM json_each(?))"""
        found = self._record.look(query, (orjson.dumps(list(self._open)).decode(),))
        return [(entry, state, by, tier) for entry, state, by, tier in found]

    def _settled(self, entry: str, state: str, by: str, tier: int) -> None:
        one = self._open.pop(entry)
        one.late.cancel()
        slips.remove(self._record.directory, [entry])
        one.answered(one.question.yes(by, By(tier)) if state == "approved" else Unsettled.NO)

    def _late(self, entry: str) -> None:
        """Nobody has answered yet: the client is told so, and whoever repeats the call takes the question over."""
        one = self._open.pop(entry, None)
        if one is not None:
            patiently(
                lambda: self._record.change(lambda moment: questions.let_wait(moment, entry)),
                lambda: None,  # then the question's lease ends a little later by itself
            )
            one.answered(Unsettled.PENDING)

    def _withdraw(self, entry: str) -> None:
        one = self._open.pop(entry, None)
        if one is not None:
            one.late.cancel()
        slips.remove(self._record.directory, [entry])
        patiently(lambda: self._record.change(lambda moment: questions.withdraw(moment, entry)), lambda: None)
