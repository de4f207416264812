"""One question under way, from putting it to the one answer that counts.

Knows no rule and no record: `passage.py` judges the call again with what comes out of here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mcp_guard import log
from mcp_guard.approvals.port import Answered, Approver, Question, Unsettled
from mcp_guard.model import Approval

PATIENCE = 120.0
"""Seconds that a question may stay open. After that the answer is no, whatever comes later."""


class Asked:
    """Ends exactly once: with an approval of exactly this question, or with None."""

    __slots__ = ("_question", "_then", "_timer", "_withdraw")

    def __init__(self, question: Question, then: Answered) -> None:
        self._question = question
        self._then: Answered | None = then
        self._timer: asyncio.TimerHandle | None = None
        self._withdraw: Callable[[], None] = _nothing

    def put(self, approver: Approver) -> None:
        """Ask. An approver that raises has said no."""
        try:
            self._withdraw = approver.ask(self._question, self._answered)
        except Exception as error:
            log.warning("an approver failed, which counts as no", error=type(error).__name__)
            return self._end(None)
        if self._then is not None:
            self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._late)
        return None

    def withdraw(self) -> None:
        """The client gave up: whoever is asked is told, and no answer is taken any more."""
        self._then = None
        self._stop()

    def _late(self) -> None:
        log.warning("nobody answered in time, which counts as no", entry=self._question.entry)
        then, self._then = self._then, None
        self._stop()
        if then is not None:
            then(None)

    def _answered(self, approval: Approval | Unsettled | None) -> None:
        if isinstance(approval, Unsettled):
            return self._end(approval)
        # Bound to its entry, so that one approval carries one execution: an answer given before is for another entry.
        question = self._question
        fits = (
            isinstance(approval, Approval)
            and approval.tier >= question.tier
            and approval == question.yes(approval.by, approval.tier)
        )
        if approval is not None and not fits:
            log.warning("an approval of something else counts as no", entry=self._question.entry)
        return self._end(approval if fits else None)

    def _end(self, approval: Approval | Unsettled | None) -> None:
        then, self._then = self._then, None
        self._withdraw = _nothing
        if self._timer is not None:
            self._timer.cancel()
        if then is not None:
            then(approval)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            self._withdraw()
        except Exception as error:
            log.warning("a question could not be withdrawn", error=type(error).__name__)


def _nothing() -> None:
    """Nobody has been asked yet."""
