"""A case that would have noticed a mutant: proposed as a line to paste, and only once both documents have judged it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from mcp_guard.errors import InputError
from mcp_guard.model import Decision, Effect
from mcp_guard.policy.cases import NOW, Case, Step, Suite, bind, load_cases, named_call
from mcp_guard.policy.cases_form import MAX_TIMES, REASONS
from mcp_guard.policy.cases_run import Played, play
from mcp_guard.policy.cases_text import written
from mcp_guard.policy.constraint_samples import fitting, missing
from mcp_guard.policy.mutation import Mutant, Probe
from mcp_guard.policy.mutation_bases import bases, resource_call

_MOST = 20  # earlier calls that fill a sum
_TRIES = 200  # candidates for one mutant


def suggestion(suite: Suite, mutant: Mutant, played: Iterable[Played]) -> str:
    """`- {why: ..., call: ..., expect: deny}`: passes under the document and fails under the mutant; or empty."""
    try:
        return _found(suite, mutant, played)
    except ArithmeticError:  # the end of a grant may be the end of time, and a sum beyond what can be divided
        return ""


def _found(suite: Suite, mutant: Mutant, played: Iterable[Played]) -> str:
    for case in islice(_candidates(mutant, _starts(suite, mutant, played)), _TRIES):
        decision = play(suite, case).decision
        expecting = replace(case, **_expectation(decision, mutant), why=_why(mutant))
        if not play(suite, expecting, mutant.document).passed:
            line = written(expecting)
            if line and _holds(suite, line, mutant):
                return line
    return ""


def _starts(suite: Suite, mutant: Mutant, played: Iterable[Played]) -> list[Case]:
    """The calls to change. What is to be repeated, now or later, has to be let through to begin with."""
    found = list(bases(mutant, suite.document, played))
    if mutant.probe not in (Probe.OFTEN, Probe.LATE):
        return found
    return [case for case in found if play(suite, case).decision.effect is not Effect.DENY]


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
                yield _with(base, left)
            case Probe.EXTRA:
                yield _with(base, {**base.call.arguments, "unlisted": True})
            case Probe.OFTEN:
                yield from _repeated(mutant, base)
            case Probe.LATE:
                yield from _later(mutant, base)
            case Probe.PAST:
                yield from _other_pasts(mutant, base)
            case Probe.WHO:
                for other in ("local:somebody-else", "http:9", "nobody"):
                    yield replace(base, call=replace(base.call, principal=other), before=())
            case Probe.WHEN:
                yield from (replace(base, at=NOW + timedelta(hours=hours), before=()) for hours in range(0, 168, 3))


def _with(base: Case, arguments: dict[str, Any]) -> Case:
    return replace(base, call=replace(base.call, params={**base.call.params, "arguments": arguments}))


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
        yield _with(base, {**arguments, name: value})
    for value in values:  # what another rule refuses by its name may still be reached by another one
        path = value[0] if isinstance(value, list) and value else value
        if isinstance(path, str) and path.startswith("/") and path.count("/") > 1:
            link = f"{path.rpartition('/')[0]}/link"
            linked = [f"{link}/a"] if isinstance(value, list) else f"{link}/a"
            yield replace(_with(base, {**arguments, name: linked}), links={link: path})


def _repeated(mutant: Mutant, base: Case) -> Iterator[Case]:
    """As often as fills the budget, then once more."""
    budget = mutant.rule.budget if mutant.rule is not None else None
    if budget is None:
        return
    if budget.calls is not None and budget.calls <= MAX_TIMES:
        for amount in (None, 1, 0.01):  # small ones, where a sum would be reached first
            call = _with(base, {**base.call.arguments, **dict.fromkeys(budget.sums if amount else (), amount)})
            yield replace(call, before=(Step(call.call, base.at, budget.calls),))
    for name, limit in budget.sums.items():
        for count in range(1, min(budget.calls or _MOST, _MOST + 1)):
            share = (limit / count).quantize(Decimal("0.01"))
            filling = _with(base, {**base.call.arguments, name: _number(share)}).call
            for amount in (_number(limit - share * count + Decimal("0.01")), 0.01, 0.5, 1):
                last = _with(base, {**base.call.arguments, name: amount})
                yield replace(last, before=(Step(filling, base.at, count),))


def _number(exact: Decimal) -> int | float:
    return int(exact) if exact == int(exact) else float(exact)


def _later(mutant: Mutant, base: Case) -> Iterator[Case]:
    until = mutant.rule.until if mutant.rule is not None else None
    if until is not None:
        late = max(until, base.at)
        yield from (replace(base, at=late + timedelta(hours=hours), before=()) for hours in range(168))
        return
    for days in (1, 30, 3650):
        yield replace(base, at=base.at + timedelta(days=days), before=(Step(base.call, base.at),))
