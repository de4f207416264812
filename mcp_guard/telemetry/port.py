"""What the guard tells telemetry, and when: the port that OpenTelemetry fills. Nothing here waits or raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from mcp_guard.model import Call, Decision, Outcome, Reason
from mcp_guard.policy.document import Authority
from mcp_guard.record.entries import Entry
from mcp_guard.record.usage import UsageView
from mcp_guard.session import InFlight, Session


class Span(Protocol):
    """One call."""

    def carried_by(self, call: Call) -> Call:
        """The call with this span as the parent of what its server does."""

    def budgets(self, authority: Authority, view: UsageView, decision: Decision) -> None:
        """An allowed call is about to be charged: how much will be left."""

    def decided(self, entry: Entry) -> None:
        """The decision is committed; of a call that a person was asked about, a second one may follow."""

    def ended(self, outcome: Outcome, answer: Mapping[str, Any]) -> None:
        """What became of an allowed call, and what the client is given."""

    def over(self) -> None:
        """Nobody waits for an answer any more."""


class Telemetry(Protocol):
    """Spans and metrics of one guard process."""

    def begin(self, session: Session, call: Call, request: InFlight, *, listed: bool) -> Span:
        """A call came in. `listed`: its target's name is one that a server lists."""

    def refused(self, method: str, reason: Reason) -> None:
        """Something was refused that never became a call."""

    def close(self) -> None:
        """Send what is left, for a bounded time."""
