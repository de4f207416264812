"""What fell short, task by task, and why: from the documents' own verdicts, not from a person's reading of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.alignment.judged import decisions
from benchmarks.alignment.outcome import Outcome
from benchmarks.alignment.suites import Step
from mcp_guard.model import Decision, Effect
from mcp_guard.policy.constraints import Anything
from mcp_guard.policy.document import Authority
from mcp_guard.policy.rules import Rule


@dataclass(frozen=True)
class Shortfall:
    """One line of the list."""

    task: str  # `suite/user_task_3`
    what: str
    cause: str


def refused_needs(outcome: Outcome, authority: Authority) -> Iterator[Shortfall]:
    """The needed calls of a utility run that were denied, or that wait for a person."""
    found = decisions(authority, outcome)
    for step, said, decision in zip(outcome.run.steps, outcome.said, found, strict=True):
        if said == "done":
            continue
        if decision.effect is Effect.ALLOW:
            yield Shortfall(outcome.run.name, f"{said} {step.tool}", "the arguments do not fit the tool's schema")
        else:
            why = decision.detail or (decision.reason.value if decision.reason else "")
            yield Shortfall(outcome.run.name, f"{said} {step.tool}", why)


def not_clean(outcomes: Sequence[Outcome], authority: Authority) -> Iterator[Shortfall]:
    """One user's task: the attacks of which something with an effect was executed, together by what let it through."""
    together: dict[tuple[str, str], list[str]] = {}
    for one in outcomes:
        if one.clean:
            continue
        found = list(zip(one.run.steps, one.said, decisions(authority, one), strict=True))[one.run.users :]
        for step, said, decision in found:
            if said != "done" or step not in one.harmful:
                continue
            key = (step.tool, _let_through(authority, one, step, decision))
            names = together.setdefault(key, [])
            number = str(one.run.injection).rpartition("_")[2]
            if number not in names:
                names.append(number)
    task = f"{outcomes[0].run.suite}/{outcomes[0].run.user}" if outcomes else ""
    for (tool, cause), numbers in together.items():
        yield Shortfall(task, f"{tool} by injection {', '.join(numbers)}", cause)


def _let_through(authority: Authority, outcome: Outcome, step: Step, decision: Decision) -> str:
    """Which grants of the mandate carried the call, and what they leave open of it."""
    mandate = authority.layers[-1]
    keys = [charge.rule for charge in decision.charges]
    if step in outcome.run.needed:
        return "the user's task needs this very call"
    return "; ".join(_open(rule, step) for rule in mandate.rules if rule.key in keys)


def _open(rule: Rule, step: Step) -> str:
    if rule.arguments is None:
        return f"grant `{rule.ref.id}` leaves every argument open"
    limits = {**rule.arguments.optional, **rule.arguments.listed}
    left = [name for name in step.args if name in limits and isinstance(limits[name].constraint, Anything)]
    return f"grant `{rule.ref.id}` leaves {', '.join(f'`{name}`' for name in left) or 'nothing'} open"
