"""The pure judge over a whole session: the same `decide` as the guard's, with an in-memory history.

Used where no process is needed: for the baselines, for twins, and to judge again what an environment says was executed.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.alignment.documents import nothing_yet
from benchmarks.alignment.suites import Step
from mcp_guard.model import Call, Decision, Effect
from mcp_guard.policy.cases_facts import CaseFacts
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority

PRINCIPAL = "local:benchmark"


def as_call(suite: str, step: Step) -> Call:
    """The step as the guard sees it."""
    return Call(PRINCIPAL, "tools/call", suite, step.tool, {"name": step.tool, "arguments": step.args})


def judge(authority: Authority, suite: str, step: Step, history: CaseFacts | None = None) -> Decision:
    """One call, in a session in which nothing has been used unless `history` says so."""
    return decide(authority, as_call(suite, step), history or nothing_yet())


def outside(authority: Authority, suite: str, executed: Sequence[Step], *, approved: Sequence[Step] = ()) -> list[Step]:
    """Of the calls that were executed, those that the documents don't allow, in the order they came.

    A call that the documents ask about is inside if it is among `approved`, once for each time that it is there.
    """
    history, left, found = nothing_yet(), list(approved), []
    for step in executed:
        decision = judge(authority, suite, step, history)
        if decision.effect is Effect.ASK and step in left:
            left.remove(step)
        elif decision.effect is not Effect.ALLOW:
            found.append(step)
            continue
        history.charge(decision.charges)
    return found
