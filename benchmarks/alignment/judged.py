"""The pure judge over a whole session: the same `decide` as the guard's, with an in-memory history.

Used where no process is needed: for the baselines, for twins, and to judge again what an environment says was executed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from benchmarks.alignment.documents import STARTED
from benchmarks.alignment.suites import Step
from mcp_guard.model import Call, Decision, Effect, EffectClass, Usage
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority

PRINCIPAL = "local:benchmark"


@dataclass
class History:
    """What has been used in one session. The suites' tools have no annotations and none comes later."""

    usage: dict[str, Usage] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return STARTED + timedelta(minutes=1)

    def used(self, rule: str) -> Usage:
        return self.usage.get(rule, Usage())

    def resolve(self, path: str) -> str | None:
        return path  # the suites' paths are names in an environment, not files of this machine

    def added_effects(self, server: str, tool: str) -> frozenset[EffectClass]:
        return frozenset()

    def described(self, server: str, tool: str) -> None:
        return None

    def known_at_first_sight(self, server: str, tool: str) -> bool:
        return True

    def charge(self, decision: Decision) -> None:
        """Count an allowed or approved call."""
        for charge in decision.charges:
            before = self.used(charge.rule)
            sums = {name: before.sums.get(name, Decimal(0)) + amount for name, amount in charge.sums.items()}
            self.usage[charge.rule] = Usage(before.calls + charge.calls, {**before.sums, **sums})


def as_call(suite: str, step: Step) -> Call:
    """The step as the guard sees it."""
    return Call(PRINCIPAL, "tools/call", suite, step.tool, {"name": step.tool, "arguments": step.args})


def judge(authority: Authority, suite: str, step: Step, history: History | None = None) -> Decision:
    """One call, in a session in which nothing has been used unless `history` says so."""
    return decide(authority, as_call(suite, step), history or History())


def outside(authority: Authority, suite: str, executed: Sequence[Step], *, approved: Sequence[Step] = ()) -> list[Step]:
    """Of the calls that were executed, those that the documents don't allow, in the order they came.

    A call that the documents ask about is inside if it is among `approved`, once for each time that it is there.
    """
    history, left, found = History(), list(approved), []
    for step in executed:
        decision = judge(authority, suite, step, history)
        if decision.effect is Effect.ASK and step in left:
            left.remove(step)
        elif decision.effect is not Effect.ALLOW:
            found.append(step)
            continue
        history.charge(decision)
    return found
