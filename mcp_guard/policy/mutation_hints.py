"""A case that would have noticed a mutant: proposed as a line to paste, and only once both documents have judged it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Any

from mcp_guard.errors import InputError
from mcp_guard.model import Decision, Effect
from mcp_guard.policy.any_task import any_task, mandate_of
from mcp_guard.policy.cases import NOW, Case, Step, Suite, bind, load_cases, named_call
from mcp_guard.policy.cases_form import REASONS
from mcp_guard.policy.cases_run import Played, play
from mcp_guard.policy.cases_text import written
from mcp_guard.policy.constraint_samples import fitting, missing
from mcp_guard.policy.mutation import Mutant, Probe
from mcp_guard.policy.mutation_bases import bases, resource_call
from mcp_guard.policy.mutation_often import often, smaller, varied, with_arguments

EXAMPLE = "AKIA" + "EXAMPLEEXAMPLE12"  # of the form of a key, and nobody's
_TRIES = 200  # candidates for one mutant


def suggestion(suite: Suite, mutant: Mutant, played: Iterable[Played]) -> str:
    """`- {why: ..., call: ..., expect: deny}`: passes under the document and fails under the mutant; or empty."""
    try:
        return _found(suite, mutant, played)
    except ArithmeticError:  # the end of a grant may be the end of time, and a sum beyond what can be divided
        return ""


def _found(suite: Suite, mutant: Mutant, played: Iterable[Played]) -> str:
    for candidate in islice(_candidates(mutant, _starts(suite, mutant, played)), _TRIES):
        case = _for_a_task(candidate, suite, mutant)
        decision = play(suite, case).decision
        expecting = replace(case, **_expectation(decision, mutant), why=_why(mutant))
        if not play(suite, expecting, mutant.document).passed:
            line = written(expecting, any_task(case) if case.mandate is not None else "")
            if line and _holds(suite, line, mutant):
                return line
    return ""


def _starts(suite: Suite, mutant: Mutant, played: Iterable[Played]) -> list[Case]:
    """The calls to change. What is to be repeated, now or later, has to be let through to begin with."""
    found = list(bases(mutant, suite.document, played))
    if mutant.probe not in (Probe.OFTEN, Probe.LATE, Probe.VARIED):
        return found
    variants = [case for one in found for case in smaller(mutant.rule, one)]
    return [
        case for case in variants if play(suite, _for_a_task(case, suite, mutant)).decision.effect is not Effect.DENY
    ]


def _for_a_task(case: Case, suite: Suite, mutant: Mutant) -> Case:
    """The case under a mandate that grants all of it, where the policy wants one."""
    wanted = suite.document.needs_mandate and mutant.probe is not Probe.ALONE
    task = any_task(case) if wanted else ""
    return replace(case, mandate=mandate_of(task)) if task else case


def _why(mutant: Mutant) -> str:
    return f"notices {mutant.name}: {mutant.what.partition(' instead of ')[0].replace('`', '')}"


def _expectation(decision: Decision, mutant: Mutant) -> dict[str, Any]:
    """What the document decides; by its rule, where that one decided."""
    ids = [rule.id for rule in decision.rules]
    decides = decision.effect is not Effect.DENY or any(rule.effect is Effect.DENY for rule in decision.rules)
    named = mutant.name if mutant.name in ids else ids[0] if ids else None
    reason = decision.reason if decision.reason in REASONS[decision.effect] else None
    return {
        "expect": decision.effect,
        "rule": named if decides else None,
        "reason": None if decides else reason,
        "obligations": tuple(decision.obligations.in_words()) if mutant.what.startswith("result: ") else None,
    }


def _holds(suite: Suite, line: str, mutant: Mutant) -> bool:
    """Read back as a person would paste it: does it pass, and does the mutant fail it?"""
    try:
        pasted = bind(load_cases(f"cases:\n  {line}\n".encode(), "suggestion"), suite.document, {})
    except (InputError, UnicodeEncodeError):
        return False
    found = replace(suite, cases=pasted.cases)
    return all(play(found, case).passed and not play(found, case, mutant.document).passed for case in found.cases)


# --- what to change ---


def _candidates(mutant: Mutant, bases: list[Case]) -> Iterator[Case]:
    for base in bases:
        match mutant.probe:
            case Probe.AS_IT_IS:
                yield base
            case Probe.VALUE:
                yield from _values(mutant, base)
            case Probe.URI:
                uris = missing(mutant.limit, base.call.target) if mutant.limit is not None else ()
                yield from (
                    replace(base, call=resource_call(base.call.server, uri, base.call.principal))
                    for uri in uris
                    if type(uri) is str
                )
            case Probe.ASKED:
                called = f"{base.call.server}/{mutant.argument}"
                yield replace(base, call=named_call(base.call.kind, called, base.call.principal), before=())
            case Probe.MISSING:
                left = {name: value for name, value in base.call.arguments.items() if name != mutant.argument}
                yield with_arguments(base, left)
            case Probe.EXTRA:
                yield with_arguments(base, {**base.call.arguments, "unlisted": True})
            case Probe.OFTEN if mutant.rule is not None:
                yield from often(mutant.rule, base)
            case Probe.LATE:
                yield from _later(mutant, base)
            case Probe.CARRYING:
                for name in (*base.call.arguments, "unlisted"):
                    yield with_arguments(base, {**base.call.arguments, name: EXAMPLE})
            case Probe.PAST:
                yield from _other_pasts(mutant, base)
            case Probe.VARIED if mutant.rule is not None:
                yield from varied(mutant.rule, base)
            case Probe.ALONE:
                yield replace(base, before=(), mandate=None)
            case Probe.WHO:
                for other in ("local:somebody-else", "http:9", "nobody"):
                    yield replace(base, call=replace(base.call, principal=other), before=())
            case Probe.WHEN:
                yield from (replace(base, at=NOW + timedelta(hours=hours), before=()) for hours in range(0, 168, 3))


def _other_pasts(mutant: Mutant, base: Case) -> Iterator[Case]:
    """The same call in sessions with other labels, and after itself."""
    when = mutant.rule.when if mutant.rule is not None else None
    labels = (*when.labels, *when.no_labels) if when is not None else ()
    yield replace(base, labels=frozenset(), before=())
    yield replace(base, labels=frozenset(labels), before=())
    for label in labels:
        yield replace(base, labels=frozenset({label}), before=())
        yield replace(base, labels=frozenset(labels) - {label}, before=())
    yield replace(base, before=(Step(base.call, base.at),))


def _values(mutant: Mutant, base: Case) -> Iterator[Case]:
    arguments, name, limit = dict(base.call.arguments), mutant.argument, mutant.limit
    if limit is None:
        return
    fits = arguments.get(name, next(fitting(limit), "x"))
    values = list(islice(missing(limit, fits), 60))
    values = [*fitting(limit), *values] if mutant.rule is not None and not mutant.rule.is_grant else values
    for value in values:
        yield with_arguments(base, {**arguments, name: value})
    for value in values:  # what another rule refuses by its name may still be reached by another one
        path = value[0] if isinstance(value, list) and value else value
        if isinstance(path, str) and path.startswith("/") and path.count("/") > 1:
            link = f"{path.rpartition('/')[0]}/link"
            linked = [f"{link}/a"] if isinstance(value, list) else f"{link}/a"
            yield replace(with_arguments(base, {**arguments, name: linked}), links={link: path})


def _later(mutant: Mutant, base: Case) -> Iterator[Case]:
    if mutant.rule is not None and mutant.what.startswith("budget"):  # its window: fill it, and wait
        waited = timedelta(hours=2)
        yield from (replace(one, at=one.at + waited) for one in often(mutant.rule, base))
        return
    until = mutant.rule.until if mutant.rule is not None else None
    if until is not None:
        late = max(until, base.at)
        yield from (replace(base, at=late + timedelta(hours=hours), before=()) for hours in range(168))
        return
    for days in (1, 30, 3650):
        yield replace(base, at=base.at + timedelta(days=days), before=(Step(base.call, base.at),))
