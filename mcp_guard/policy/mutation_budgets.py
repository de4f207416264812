"""A grant's budget or rate made weaker by one step, in every way: what mutation does to how much may be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import TypeAlias

from mcp_guard.policy.budgets import Budget, Per
from mcp_guard.policy.limits import count_in_words
from mcp_guard.policy.rules import Rule

More: TypeAlias = tuple[str, str, Rule]
"""What was done, the name of the probe that can tell, and the rule that is left."""

_SHORTER = {Per.DAY: Per.HOUR}  # a session or a mandate may be shorter than an hour, and longer than a day


def more_of(rule: Rule) -> Iterator[More]:
    """Every weaker form: each limit one step up, each limit gone, the window shorter."""
    if rule.budget is not None:
        yield from ((what, probe, replace(rule, budget=budget)) for what, probe, budget in _budgets(rule.budget))
    if rule.rate is not None:
        more = replace(rule.rate, calls=rule.rate.calls + 1)
        yield f"rate: {count_in_words(more)[0]}", "OFTEN", replace(rule, rate=more)
        yield "without `rate`", "OFTEN", replace(rule, rate=None)


def _budgets(budget: Budget) -> Iterator[tuple[str, str, Budget]]:
    if budget.calls is not None:
        yield "budget: one call more", "OFTEN", replace(budget, calls=budget.calls + 1)
        yield "budget: any number of calls", "OFTEN", replace(budget, calls=None)
    for name, limit in budget.sums.items():
        more = {**budget.sums, name: limit + _unit(limit)}
        left = {other: sum_ for other, sum_ in budget.sums.items() if other != name}
        yield f"budget: {more[name]} of {name}", "OFTEN", replace(budget, sums=more)
        yield f"budget: any sum of {name}", "OFTEN", replace(budget, sums=left)
    for name, most in budget.distinct.items():
        values = {other: limit for other, limit in budget.distinct.items() if other != name}
        yield f"budget: one more {name}", "VARIED", replace(budget, distinct={**budget.distinct, name: most + 1})
        yield f"budget: any number of {name}", "VARIED", replace(budget, distinct=values)
    if shorter := _SHORTER.get(budget.per):
        yield f"budget: per {shorter} instead of {budget.per}", "LATE", replace(budget, per=shorter)


def _unit(limit: Decimal) -> Decimal:
    exponent = limit.as_tuple().exponent
    return Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
