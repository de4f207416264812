"""A policy that is judged beside the one in force: what it would have said goes into the record, and nowhere else.

It is judged after the decision, in the same step and over the same history, so nothing that it says can change what
happens; an error in it is recorded as one. Its budgets count what rules of the same id in force have used.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcp_guard.model import Call, Decision, Effect, Facts, Otherwise, Reason
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority

NO_POLICY_CHANGES = frozenset(
    {
        *(Reason.PROTECTED, Reason.INVALID_ARGUMENTS, Reason.MALFORMED, Reason.UNKNOWN_METHOD, Reason.UNKNOWN_HANDLE),
        *(Reason.TOO_MANY, Reason.UNRECORDED, Reason.STOPPED, Reason.UNAVAILABLE, Reason.INTERNAL),
        Reason.SCANNED,
    }
)
"""Reasons of refusals that stay, whatever a policy says; so does what was taken away on this machine."""

_NOT_A_POLICYS = frozenset({"local", "scanner", "monitor"})
"""Layers whose word stays, too."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """The documents that would bind: the other policy, and the mandate in force if there is one."""

    authority: Authority

    def beside(self, decision: Decision, call: Call, facts: Facts) -> Otherwise | None:
        """What it would have said of a call that was decided so; None if that is the same. Never raises."""
        if decision.reason in NO_POLICY_CHANGES or any(rule.layer in _NOT_A_POLICYS for rule in decision.rules):
            return None
        try:
            other = decide(self.authority, call, facts)
        except Exception as error:
            return Otherwise(Effect.DENY, type(error).__name__)
        now = Effect.ASK if decision.approvals else decision.effect  # a yes was to the documents in force
        if other.effect is now:
            return None
        return Otherwise(other.effect, other.reason or "", tuple(rule.key for rule in other.rules))
