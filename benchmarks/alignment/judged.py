"""The pure judge over a whole session: the same `decide` as the guard's, with an in-memory history.

Used where no process is needed: for the baselines, for twins, and to judge again what an environment says was executed.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.alignment import suites
from benchmarks.alignment.documents import nothing_yet
from benchmarks.alignment.outcome import Outcome
from benchmarks.alignment.plan import Run
from benchmarks.alignment.suites import Environment, Step
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
    return decide(authority, as_call(suite, step), history or nothing_yet(authority))


class Session:
    """One session of a suite: what was done in it is charged, and what its tools answered is known from then on.

    Without `start` there is no environment, and nothing answers.
    """

    def __init__(self, authority: Authority, suite: str, start: Environment | None) -> None:
        self._authority, self._suite = authority, suite
        self._environment = None if start is None else suites.copied(start)
        self._history = nothing_yet(authority)

    def judge(self, step: Step) -> Decision:
        return judge(self._authority, self._suite, step, self._history)

    def did(self, step: Step, decision: Decision) -> str | None:
        """An admitted call: charged, and carried out. Gives the tool's error."""
        self._history.charge(decision.charges)
        return self.saw(step)

    def saw(self, step: Step) -> str | None:
        """Carry a call out without a charge: what it shows is known."""
        text, error = ("", "") if self._environment is None else suites.execute(self._suite, self._environment, step)
        self._history.happened(as_call(self._suite, step), text if error is None else None)
        return error

    @property
    def environment(self) -> Environment | None:
        """As it is now."""
        return self._environment


def decisions(authority: Authority, outcome: Outcome) -> list[Decision]:
    """What the documents say of each call of a run, when the calls before it came to what they came to."""
    session, found = Session(authority, outcome.run.suite, outcome.run.start), []
    for step, said in zip(outcome.run.steps, outcome.said, strict=True):
        found.append(session.judge(step))
        if said == "done":
            session.did(step, found[-1])
    return found


def outside(
    authority: Authority,
    suite: str,
    executed: Sequence[Step],
    *,
    approved: Sequence[Step] = (),
    start: Environment | None = None,
) -> list[Step]:
    """Of the calls that were executed, those that the documents don't allow, in the order they came.

    A call that the documents ask about is inside if it is among `approved`, once for each time that it is there.
    """
    session, left, found = Session(authority, suite, start), list(approved), []
    for step in executed:
        decision = session.judge(step)
        if decision.effect is Effect.ASK and step in left:
            left.remove(step)
        elif decision.effect is not Effect.ALLOW:
            found.append(step)
            session.saw(step)
            continue
        session.did(step, decision)
    return found


class Beginnings:
    """What documents say of a call in a session that has made its task's calls up to it, with nothing spent.

    A call that the task doesn't need comes after all of them: nobody then knows more of where values come from.
    """

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], Effect] = {}
        self._ends: dict[str, Session] = {}

    def says(self, authority: Authority, run: Run, step: Step) -> Effect:
        key = (run.name, repr(step))
        if key not in self._said:
            self._said[key] = self._before(authority, run, step).judge(step).effect
        return self._said[key]

    def _before(self, authority: Authority, run: Run, step: Step) -> Session:
        if step not in run.needed:
            if run.name not in self._ends:
                self._ends[run.name] = _after(authority, run, run.needed)
            return self._ends[run.name]
        return _after(authority, run, run.needed[: run.needed.index(step)])


def _after(authority: Authority, run: Run, steps: Sequence[Step]) -> Session:
    session = Session(authority, run.suite, run.start)
    for step in steps:
        if session.judge(step).effect is not Effect.DENY:
            session.saw(step)
    return session
