"""Ends of budgets and rates that can't be reached, and groups that say nothing. Part of `oddities.py`."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from mcp_guard.policy.budgets import Budget, Rate
from mcp_guard.policy.constraints import All, Constraint, OneOf, OrNull, Range
from mcp_guard.policy.document import Document
from mcp_guard.policy.limits import count_in_words
from mcp_guard.policy.rules import Rule


def unreachable_counts(rule: Rule) -> Iterator[str]:
    """Ends that another end of the same grant comes before, whatever is called; and amounts that never fit."""
    budget, rate = rule.budget, rule.rate
    if budget is not None and rate is not None:
        yield from _rate_against(budget, rate)
    if budget is None:
        return
    for name, most in budget.distinct.items():
        if budget.calls is not None and most >= budget.calls:
            yield f"`distinct` of `{name}` is never reached: there are at most {budget.calls} calls"
        elif (values := _values(rule, name)) is not None and most >= values:
            yield f"`distinct` of `{name}` is never reached: its limit takes {values} value{'' if values == 1 else 's'}"
    for name, limit in budget.sums.items():
        low, high = _bounds(rule, name)
        if low is not None and low > limit:
            yield f"it never carries a call: `{name}` is at least {low}, and its sum at most {limit}"
        elif budget.calls is not None and high is not None and high * budget.calls <= limit:
            yield f"the sum of `{name}` is never reached: {budget.calls} calls come to {high * budget.calls} at most"


def _rate_against(budget: Budget, rate: Rate) -> Iterator[str]:
    if budget.calls is None:
        return
    said = count_in_words(rate)[0]
    if budget.calls <= rate.calls and (not budget.seconds or budget.seconds >= rate.seconds):
        yield f"its rate ({said}) is never reached: its budget ends at {budget.calls} calls"
    elif budget.seconds and rate.calls * _fits(rate.seconds, budget.seconds) < budget.calls:
        yield f"its budget of {budget.calls} calls is never reached in a session: its rate is {said}"


def _fits(seconds: int, window: int) -> int:
    """Into how many windows of so many seconds the longer one falls; a part counts as one."""
    return -(-window // seconds)


def _bounds(rule: Rule, name: str) -> tuple[Decimal | None, Decimal | None]:
    limit = None if rule.arguments is None else rule.arguments.listed.get(name) or rule.arguments.optional.get(name)
    return (None, None) if limit is None else _range(limit.constraint)


def _range(constraint: Constraint) -> tuple[Decimal | None, Decimal | None]:
    match constraint:
        case Range(low, high):
            return _exact(low), _exact(high)
        case OneOf(numbers=numbers) if numbers and not constraint.texts and not constraint.flags:
            found = [Decimal(repr(number)) for number in numbers]
            return min(found), max(found)
        case OrNull(other):
            return _range(other)
        case All(parts):
            ranges = [_range(part) for part in parts]
            lows = [low for low, _ in ranges if low is not None]
            highs = [high for _, high in ranges if high is not None]
            return max(lows, default=None), min(highs, default=None)
        case _:
            return None, None


def _exact(number: int | float | None) -> Decimal | None:
    return None if number is None else Decimal(repr(number))


def _values(rule: Rule, name: str) -> int | None:
    """How many values the limit takes, if it is a list of them."""
    limit = None if rule.arguments is None else rule.arguments.listed.get(name) or rule.arguments.optional.get(name)
    if limit is None or not isinstance(limit.constraint, OneOf):
        return None
    return len(limit.constraint.values)


def odd_groups(layer: Document) -> Iterator[tuple[str, str]]:
    """Groups by name, with what is odd: one that is everybody. Which rules name a group isn't known any more."""
    for name, members in layer.groups.items():
        if "*" in members:
            yield name, f"group `{name}` is everybody: `*` fits any principal"
