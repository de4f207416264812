"""Why a grant says nothing about a call, clause by clause: what refusals and explanations are made of.

Off the hot path: asked only once a call is refused. It asks the same questions as `matching.py`, so that nothing fails
here and no clause is named there, or the other way round (a property test holds the two together).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from mcp_guard.inspection.carried import carried_secrets
from mcp_guard.model import Answer, Call, Facts
from mcp_guard.policy import canonical
from mcp_guard.policy.budgets import Per, Rate
from mcp_guard.policy.constraints import (
    All,
    Constraint,
    DomainIn,
    Each,
    HostIn,
    NotName,
    OrNull,
    Under,
    Within,
    failure,
)
from mcp_guard.policy.index import Reach
from mcp_guard.policy.limits import count_in_words
from mcp_guard.policy.matching import Classes, charges_for, count_has_room, holds_back, is_grave, is_past, reaches
from mcp_guard.policy.past import why_closed
from mcp_guard.policy.rules import Limit, Rule, answer
from mcp_guard.policy.yaml_source import quoted

NEEDS_LOCK = (
    "a pattern doesn't reach a tool that may destroy, send or spend before `mcp-guard lock` has pinned it: "
    "name it exactly, say under `tools:` what it does, or lock it"
)


class Clause(Enum):
    """The part of a grant that failed."""

    TARGET = "target"
    WHEN = "when"
    UNTIL = "until"
    ARGUMENT = "argument"
    BUDGET = "budget"
    CARRIED = "carried"
    HISTORY = "history"
    PACE = "pace"  # a rate, or a budget whose window moves on: later there is room again


@dataclass(frozen=True, slots=True)
class Failure:
    """One clause that the call doesn't satisfy; `words` never quote a value. `unclear`: it isn't canonical."""

    clause: Clause
    words: str
    unclear: bool = False
    argument: str = ""  # whose value it is, if it is about one that was given


@dataclass(frozen=True, slots=True)
class Examined:
    """A grant and all that keeps it from carrying the call."""

    rule: Rule
    failures: tuple[Failure, ...]

    @property
    def clauses(self) -> set[Clause]:
        return {failed.clause for failed in self.failures}

    @property
    def words(self) -> str:
        return "; ".join(failed.words for failed in self.failures)


def examine(reach: Reach, call: Call, arguments: Mapping[str, Any] | None, classes: Classes, facts: Facts) -> Examined:
    """All clauses that fail; a budget is looked at only where everything else fits."""
    found = [*_circumstances(reach, call, classes, facts), *_limits(reach.rule, call, arguments, facts)]
    if not found:
        found = [*_budget(reach.rule, call, arguments, facts), *_secrets(reach.rule, call)]
    found += [Failure(Clause.HISTORY, words) for words in why_closed(reach.rule, facts)]
    return Examined(reach.rule, tuple(found))


def _circumstances(reach: Reach, call: Call, classes: Classes, facts: Facts) -> Iterator[Failure]:
    rule = reach.rule
    if not reaches(reach, call, classes, facts):
        if rule.effects and not classes <= rule.effects:
            beyond = ", ".join(sorted(classes - rule.effects))
            yield Failure(Clause.TARGET, f"the tool also has the effects {beyond}")
        elif is_grave(call, classes) and _was_there(call, facts):
            yield Failure(Clause.TARGET, NEEDS_LOCK)
        else:
            yield Failure(Clause.TARGET, "a pattern covers only what was there when the server was first seen")
    if rule.when is not None:
        try:
            if not rule.when.is_for(call.principal):
                yield Failure(Clause.WHEN, f"it is for {', '.join(rule.when.principals)}")
            elif not rule.when.holds(call, facts):
                yield Failure(
                    Clause.WHEN, f"it holds only {rule.when.window.words if rule.when.window else 'at times'}"
                )
        except Exception:
            yield Failure(Clause.WHEN, "the time can't be told")
    if is_past(rule.until, facts):
        yield Failure(Clause.UNTIL, f"it ended at {rule.until:%Y-%m-%dT%H:%M:%SZ}")


def _was_there(call: Call, facts: Facts) -> bool:
    try:
        return facts.known_at_first_sight(call.server, call.target)
    except Exception:
        return False


def _limits(rule: Rule, call: Call, arguments: Mapping[str, Any] | None, facts: Facts) -> Iterator[Failure]:
    if rule.uri is not None:
        yield from _value("the URI", rule.uri, call.target, facts)
    if arguments is None:
        yield Failure(Clause.ARGUMENT, "the arguments aren't an object")
        return
    if rule.arguments is not None:
        limits = rule.arguments
        for name, limit in limits.listed.items():
            if name not in arguments:
                yield Failure(Clause.ARGUMENT, f"argument {quoted(name)} is required and not given")
            else:
                yield from _value(f"argument {quoted(name)}", limit, arguments[name], facts, name)
        for name, value in arguments.items():
            if value is None and limits.nulls and name not in limits.listed:
                continue
            if name in limits.optional and name not in limits.listed:
                yield from _value(f"argument {quoted(name)}", limits.optional[name], value, facts, name)
            elif name not in limits.listed and not limits.others:
                yield Failure(Clause.ARGUMENT, f"argument {quoted(name)} isn't listed")
    if charges_for(rule, call, arguments, facts) is None:
        yield Failure(
            Clause.ARGUMENT, "an argument that its budget sums isn't there, isn't an exact number or is negative"
        )


def _value(what: str, limit: Limit, value: object, facts: Facts, name: str = "") -> Iterator[Failure]:
    said = answer(limit, value, facts)
    if said is Answer.YES:
        return
    try:
        words = failure(limit.constraint, value, facts) or "can't be evaluated"
        unclear = said is Answer.UNSURE and _reads_two_ways(limit.constraint, value)
    except Exception:
        words, unclear = "can't be evaluated", False
    yield Failure(Clause.ARGUMENT, f"{what}: {words}", unclear, name)


def _budget(rule: Rule, call: Call, arguments: Mapping[str, Any] | None, facts: Facts) -> Iterator[Failure]:
    for count, charge in zip(rule.counts, charges_for(rule, call, arguments, facts) or (), strict=False):
        if count_has_room(count, charge, facts):
            continue
        if isinstance(count, Rate):
            yield Failure(Clause.PACE, f"its rate is used up for now: {'; '.join(count_in_words(count))}")
        elif count.seconds and count.could_ever_take(charge):
            yield Failure(Clause.PACE, f"its budget is used up for now: {'; '.join(count_in_words(count))}")
        else:
            over = {Per.SESSION: "session", Per.MANDATE: "mandate"}.get(count.per, str(count.per))
            yield Failure(Clause.BUDGET, f"its budget for this {over} is used up, or this call would go beyond it")


def _secrets(rule: Rule, call: Call) -> Iterator[Failure]:
    if holds_back(rule, call):
        try:
            kinds = ", ".join(carried_secrets(call))
        except Exception:
            kinds = "it can't be looked at"
        yield Failure(Clause.CARRIED, f"there is a secret in it ({kinds})")


def _reads_two_ways(constraint: Constraint, value: object) -> bool:
    """Is the value a path, host or address that isn't canonical, where the constraint wants one?"""
    match constraint:
        case All(parts):
            return any(_reads_two_ways(part, value) for part in parts)
        case OrNull(other):
            return _reads_two_ways(other, value)
        case Each(element) if isinstance(value, list):
            return any(_reads_two_ways(element, one) for one in value)
        case Under() | Within() | NotName() if isinstance(value, str):
            return canonical.why_not_canonical(value) is not None
        case DomainIn() if isinstance(value, str):
            return isinstance(canonical.parse_mail_host(value), canonical.Unclear)
        case HostIn() if isinstance(value, str):
            return isinstance(canonical.parse_url(value), canonical.Unclear)
        case _:
            return False
