"""Earlier calls that fill a budget or a rate, and one more: the histories that suggestions are made up from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from mcp_guard.policy.cases import Case, Step
from mcp_guard.policy.cases_form import MAX_TIMES
from mcp_guard.policy.rules import Rule

_MOST = 20  # earlier calls that fill a sum or a number of values, or that are spread over time


def often(rule: Rule, base: Case) -> Iterator[Case]:
    """The call as often as fills each end of what may be used, then once more."""
    for case in _filled(rule, base):
        yield case
        yield from _spread_out(rule, case)


def smaller(rule: Rule | None, base: Case) -> Iterator[Case]:
    """The call as it is, and with small amounts, where a sum would be reached first."""
    yield base
    if rule is not None and rule.budget is not None and rule.budget.sums:
        small = (dict.fromkeys(rule.budget.sums, amount) for amount in (1, 0.01))
        yield from (with_arguments(base, {**base.call.arguments, **amounts}) for amounts in small)


def varied(rule: Rule, base: Case) -> Iterator[Case]:
    """As many different values as fill the budget, each in a call, then one more."""
    for name, most in rule.budget.distinct.items() if rule.budget is not None else ():
        for values in _different(base.call.arguments.get(name, "x"), most + 1) if most < _MOST else ():
            *filling, last = [with_arguments(base, {**base.call.arguments, name: value}) for value in values]
            case = replace(last, before=(*_others_before(base), *(Step(one.call, base.at) for one in filling)))
            yield case
            yield from _spread_out(rule, case)


def with_arguments(base: Case, arguments: Mapping[str, Any]) -> Case:
    """The same call with other arguments."""
    return replace(base, call=replace(base.call, params={**base.call.params, "arguments": dict(arguments)}))


def _filled(rule: Rule, base: Case) -> Iterator[Case]:
    budget, rate = rule.budget, rule.rate
    ends = [count.calls for count in (budget, rate) if count is not None and count.calls is not None]
    first = _others_before(base)
    yield from (replace(base, before=(*first, Step(base.call, base.at, end))) for end in ends if end <= MAX_TIMES)
    if budget is None:
        return
    for name, limit in budget.sums.items():
        for count in range(1, min(budget.calls or _MOST, _MOST + 1)):
            share = (limit / count).quantize(Decimal("0.01"))
            filling = with_arguments(base, {**base.call.arguments, name: _number(share)}).call
            for amount in (_number(limit - share * count + Decimal("0.01")), 0.01, 0.5, 1):
                last = with_arguments(base, {**base.call.arguments, name: amount})
                yield replace(last, before=(*first, Step(filling, base.at, count)))


def _others_before(base: Case) -> tuple[Step, ...]:
    """What came before of other tools: values that the call carries may come from their answers."""
    return tuple(step for step in base.before if step.call.name != base.call.name)


def _spread_out(rule: Rule, case: Case) -> Iterator[Case]:
    """The same history at the pace of the rate, which would end it first."""
    if rule.rate is None or sum(step.times for step in case.before) > _MOST:
        return
    calls = [step for step in case.before for _ in range(step.times)]
    pace = timedelta(seconds=rule.rate.seconds)
    steps = [replace(step, times=1, at=case.at - pace * back) for back, step in enumerate(reversed(calls), 1)]
    yield replace(case, before=tuple(reversed(steps)))


def _different(value: Any, count: int) -> Iterator[list[Any]]:
    """So many different values of its kind: names get numbers at either end, numbers go up."""
    if isinstance(value, str):
        yield [f"{value}{number or ''}" for number in range(count)]
        yield [f"{number or ''}{value}" for number in range(count)]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield [value + number for number in range(count)]


def _number(exact: Decimal) -> int | float:
    return int(exact) if exact == int(exact) else float(exact)
