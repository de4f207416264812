"""What the mandates grant beside what their tasks use, and what they cost to write and to read."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.alignment.effects import EFFECTFUL, effectful
from benchmarks.alignment.judged import Session
from benchmarks.alignment.plan import Run
from benchmarks.alignment.shares import Share
from mcp_guard.model import Effect
from mcp_guard.policy.constraints import Anything
from mcp_guard.policy.document import Authority, Document
from mcp_guard.policy.rules import Rule


@dataclass(frozen=True)
class Grants:
    """Of one task's mandate."""

    exercised: Share  # effectful entries (a grant and an effectful tool that it reaches) that the task's calls used
    left_any: Share  # authority arguments of these entries that may have any value


def grants(authority: Authority, run: Run) -> Grants:
    """What the mandate in `authority` grants, and what the calls that the task needs use of it."""
    policy, mandate = authority.layers
    entries = [(rule, tool) for rule in mandate.rules if rule.is_grant for tool in _reached(policy, rule, run.suite)]
    used = _used(authority, run)
    limits = [_is_any(rule, name) for rule, tool in entries for name in _authority(policy, run.suite, tool)]
    return Grants(
        Share(sum((rule.key, tool) in used for rule, tool in entries), len(entries)), Share(sum(limits), len(limits))
    )


def _reached(policy: Document, rule: Rule, suite: str) -> list[str]:
    def reaches(tool: str) -> bool:
        if rule.effects:
            entry = policy.tools.get(f"{suite}/{tool}")
            return entry is not None and entry.effects <= rule.effects
        return rule.may_name(suite, tool)

    return [tool for tool in sorted(EFFECTFUL[suite]) if reaches(tool)]


def _used(authority: Authority, run: Run) -> set[tuple[str, str]]:
    session, used = Session(authority, run.suite, run.start), set()
    for step in run.needed:
        decision = session.judge(step)
        if decision.effect is Effect.DENY:
            continue
        session.did(step, decision)
        if effectful(run.suite, step.tool):
            used |= {(charge.rule, step.tool) for charge in decision.charges}
    return used


def _authority(policy: Document, suite: str, tool: str) -> tuple[str, ...]:
    entry = policy.tools.get(f"{suite}/{tool}")
    return entry.authority if entry is not None else ()


def _is_any(rule: Rule, name: str) -> bool:
    if rule.arguments is None:
        return True
    limit = rule.arguments.listed.get(name) or rule.arguments.optional.get(name)
    return isinstance(limit.constraint, Anything) if limit is not None else rule.arguments.others


@dataclass(frozen=True)
class Burden:
    """Lines and words of mandates: in the middle, and at most."""

    lines: tuple[float, int]
    words: tuple[float, int]


def burden(mandates: Sequence[Path]) -> Burden:
    """Empty lines and comments don't count; the task's own words, repeated in it, do."""
    lines, words = [], []
    for path in mandates:
        written = [line for line in path.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
        lines.append(len(written))
        words.append(sum(len(line.split()) for line in written))
    return Burden((statistics.median(lines), max(lines)), (statistics.median(words), max(words)))
