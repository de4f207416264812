"""What a call that is asked about would take of which budget or rate, and how much of that is used: for a person.

Read in the transaction that asks. By the time of an answer more may be used: the call is judged again then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mcp_guard.model import Charge, Facts
from mcp_guard.policy.budgets import Budget, Per, Rate
from mcp_guard.policy.rules import Rule


def taking(rules: Iterable[Rule], charges: Iterable[Charge], facts: Facts) -> list[dict[str, Any]]:
    """One for each count that the call is charged to, as plain data."""
    by_key = {rule.key: rule for rule in rules}
    found = ((charge, by_key.get(charge.rule)) for charge in charges if charge.calls or charge.sums)
    return [_taken(charge, None if rule is None else _limit(rule, charge), facts) for charge, rule in found]


def words(one: Mapping[str, Any]) -> str:
    """`policy/pay: 1 of its calls (2 of 5 used), 48.6 of amount (100 of 200 used), per session`."""
    of, used = _object(one.get("of")), _object(one.get("used"))
    calls = [f"{one['calls']} of its calls{_used(used, of, 'calls')}"] if one.get("calls") else []
    limits, before = _object(of.get("sums")), _object(used.get("sums"))
    sums = [f"{amount} of {name}{_used(before, limits, name)}" for name, amount in _object(one.get("sums")).items()]
    values = [f"{name}: {text}" for name, text in _object(one.get("values")).items()]
    per = [f"per {one['per']}"] if one.get("per") else []
    return f"{one.get('rule', '?')}: {', '.join([*calls, *sums, *values, *per])}"


def _limit(rule: Rule, charge: Charge) -> Budget | Rate | None:
    """What this charge is counted against. A rate is counted in the session, as no budget for a time is."""
    budget, rate = rule.budget, rule.rate
    if budget is not None and (budget.seconds, budget.per is Per.SESSION) == (charge.seconds, not charge.account):
        return budget
    return rate if rate is not None and rate.seconds == charge.seconds and not charge.account else None


def _taken(charge: Charge, limit: Budget | Rate | None, facts: Facts) -> dict[str, Any]:
    said: dict[str, Any] = {"rule": charge.rule, "calls": charge.calls}
    said["sums"] = {name: str(amount) for name, amount in charge.sums.items()}
    if limit is None:
        return said
    used = facts.used(*charge.count)
    said["used"] = {"calls": used.calls, "sums": {name: str(used.sums.get(name, 0)) for name in charge.sums}}
    if isinstance(limit, Rate):
        return said | {"of": {"calls": limit.calls}, "per": f"{limit.seconds} s"}
    sums = {name: str(amount) for name, amount in limit.sums.items()}
    return said | {
        "of": {"calls": limit.calls, "sums": sums},
        "values": dict(_values(charge, limit, facts)),
        "per": limit.per.value,
    }


def _values(charge: Charge, limit: Budget, facts: Facts) -> Iterator[tuple[str, str]]:
    known = facts.values(*charge.count) if charge.values else {}
    for name, value in charge.values.items():
        before = known.get(name, ())
        kind = "a value used before" if value in before else "a new value"
        yield name, f"{kind} ({len(before)} of {limit.distinct[name]} used)"


def _used(used: Mapping[str, Any], of: Mapping[str, Any], name: str) -> str:
    return "" if of.get(name) is None else f" ({used.get(name, 0)} of {of[name]} used)"


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
