"""What a call passes where nothing is watched beside the rules: the steps of `watch.py`, each of which does nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp_guard.model import Approval, Call, Decision, Outcome
    from mcp_guard.record.entries import Entry, Request
    from mcp_guard.record.usage import UsageView
    from mcp_guard.session import InFlight


class Unwatched:
    """A call of a guard that has nothing watched: every step passes as it is."""

    def traced(self, call: Call) -> Call:
        """The call as it is judged and sent."""
        return call

    @property
    def takes_time(self) -> bool:
        """Does `looked_at` wait for somebody, so that the tool may be another one meanwhile?"""
        return False

    def looked_at(self, call: Call, request: InFlight, then: Callable[[], None]) -> None:
        """Have it looked at before it is judged; then judge, if the client still waits."""
        then()

    def described(self, request: Request) -> Request:
        """What the entry keeps of it."""
        return request

    def narrowed(self, decision: Decision, call: Call, view: UsageView, approvals: Collection[Approval]) -> Decision:
        """The decision together with what else has a say. Never milder than it was."""
        return decision

    def budgets(self, view: UsageView, decision: Decision) -> None:
        """It is about to be charged."""

    def decided(self, call: Call, entry: Entry) -> None:
        """The decision is committed."""

    def answered(self, call: Call, reply: Mapping[str, Any], then: Callable[[str], None]) -> None:
        """Have the answer looked at; `then` gets why it isn't passed on, or nothing."""
        then("")

    def settled(self, outcome: Outcome, answer: Mapping[str, Any], note: str) -> str:
        """What became of it, and what the client is given; returns the note that the outcome's entry has."""
        return note

    def ended(self, outcome: Outcome, answer: Mapping[str, Any]) -> None:
        """What became of it."""


UNWATCHED = Unwatched()
