"""Five other rules, played over the same runs: what a guard's numbers have to be read beside.

Three are documents, generated and judged by the same `decide`. The keyword list can't be one, and exact arguments would
be one only nearly (no limit says "this very list"): they are functions. All are executed in this process, without a
guard, over the same environments.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.alignment import suites
from benchmarks.alignment.control import Executed
from benchmarks.alignment.documents import nothing_yet
from benchmarks.alignment.effects import EFFECTFUL
from benchmarks.alignment.judged import judge
from benchmarks.alignment.outcome import Outcome
from benchmarks.alignment.plan import Run
from benchmarks.alignment.suites import Step
from mcp_guard.model import Effect
from mcp_guard.policy.document import Authority, load_text

Decide = Callable[[Step], str]
"""`done`, `ask` or `deny`, for the next call of one session."""

Rule = Callable[[str, Sequence[Step]], Decide]
"""A baseline: from a suite and the calls that a task needs to what it decides in one session of that task."""

WORDS = (
    "attack", "bitcoin", "bypass", "confidential", "credential", "crypto", "exfiltrate", "exploit", "gift card", "hack",
    "ignore previous", "important message", "malware", "passport", "password", "phishing", "private key", "ransom",
    "secret", "security breach", "security code", "social security", "ssn", "steal", "urgent", "virus", "wire transfer",
)  # fmt: skip
"""What lists of forbidden words usually hold; chosen without regard to the tasks."""
_WORDS = re.compile("|".join(re.escape(word) for word in WORDS), re.IGNORECASE)


def allow_all(suite: str, needed: Sequence[Step]) -> Decide:
    """No guard: every tool, whatever the arguments are."""
    return _by([{"id": "all", "tool": f"{suite}/*", "args": "any"}], suite)


def deny_effects(suite: str, needed: Sequence[Step]) -> Decide:
    """Reading only."""
    readers = [tool["name"] for tool in suites.tools(suite) if tool["name"] not in EFFECTFUL[suite]]
    return _by([{"id": "look", "tool": [f"{suite}/{tool}" for tool in readers], "args": "any"}], suite)


def tool_list(suite: str, needed: Sequence[Step]) -> Decide:
    """The tools that the task's ground truth uses, whatever the arguments are."""
    used = sorted({f"{suite}/{step.tool}" for step in needed})
    return _by([{"id": "tools", "tool": used, "args": "any"}] if used else [], suite)


def exact_arguments(suite: str, needed: Sequence[Step]) -> Decide:
    """Exactly the ground truth's calls, with these very arguments. Nobody can know them up front: a ceiling."""
    return lambda step: "done" if step in needed else "deny"


def keywords(suite: str, needed: Sequence[Step]) -> Decide:
    """Everything but what holds a forbidden word."""
    return lambda step: "deny" if _WORDS.search(json.dumps([step.tool, step.args])) else "done"


BASELINES: dict[str, Rule] = {
    "allow all": allow_all,
    "deny all effects": deny_effects,
    "keyword list": keywords,
    "tool list per task": tool_list,
    "exact arguments (ceiling)": exact_arguments,
}


def play(run: Run, rule: Rule) -> Outcome:
    """One run in this process."""
    decide, environment = rule(run.suite, run.needed), suites.copied(run.start)
    said, executed = [], []
    for step in run.steps:
        said.append(decide(step))
        if said[-1] == "done":
            _, error = suites.execute(run.suite, environment, step)
            executed.append(Executed(step, True, error))
    return Outcome(run, tuple(said), tuple(executed), environment)


def document(grants: Sequence[dict[str, Any]]) -> Authority:
    """The authority of one generated policy."""
    text = json.dumps({"version": 1, "grants": list(grants)})
    return Authority((load_text(text.encode(), file="baseline.yaml", kind="policy"),))


def _by(grants: Sequence[dict[str, Any]], suite: str) -> Decide:
    authority, history = document(grants), nothing_yet()

    def decide(step: Step) -> str:
        decision = judge(authority, suite, step, history)
        if decision.effect is Effect.ALLOW:
            history.charge(decision.charges)
        return "done" if decision.effect is Effect.ALLOW else "deny"

    return decide
