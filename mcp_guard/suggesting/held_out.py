"""Over-block: how many calls that a suggestion wasn't made from would be refused under it.

Core. Those calls were allowed; asks, denies and conditions are the same under a suggestion, so only the grants that
carried a call can say something else of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from mcp_guard.model import Facts
from mcp_guard.policy.budgets import Per, exact_amount
from mcp_guard.policy.document import Document
from mcp_guard.policy.rules import Rule
from mcp_guard.report.seen import Seen


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Calls that weren't looked at. `untold`: values that weren't kept decide."""

    calls: int = 0
    refused: tuple[Seen, ...] = ()
    untold: tuple[Seen, ...] = ()

    @property
    def over_block(self) -> float | None:
        """The share of calls that would surely be refused; None without a call."""
        return len(self.refused) / self.calls if self.calls else None


@dataclass(slots=True)
class _Counts:
    """What grants have carried so far, by session; a sum of what isn't known counts as nothing."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    sums: dict[tuple[str, str, str], Decimal] = field(default_factory=dict)

    def has_room(self, rule: Rule, call: Seen) -> bool:
        budget = rule.budget
        if budget is None or budget.per is not Per.SESSION:
            return True
        if budget.calls is not None and self.calls[call.session, rule.key] + 1 > budget.calls:
            return False
        return all(self._summed(rule, call, name) <= limit for name, limit in budget.sums.items())

    def add(self, rule: Rule, call: Seen) -> None:
        self.calls[call.session, rule.key] += 1
        for name in rule.budget.sums if rule.budget is not None else ():
            self.sums[call.session, rule.key, name] = self._summed(rule, call, name)

    def _summed(self, rule: Rule, call: Seen, name: str) -> Decimal:
        so_far = self.sums.get((call.session, rule.key, name), Decimal(0))
        return so_far + (exact_amount(call.known.get(name)) or 0)


def carries(rule: Rule, call: Seen, facts: Facts) -> bool | None:
    """Would this grant carry the call, whatever was used? None: that hangs on values that weren't kept."""
    server, _, target = call.name.partition("/")
    return _fits(rule, call, facts) if rule.may_name(server, target) else False


def tried(document: Document, before: Iterable[Seen], calls: Iterable[Seen], facts: Facts) -> HeldOut:
    """`calls` under the grants of `document`; `before` were made first, and count."""
    rules = {rule.key: rule for rule in document.rules if rule.is_grant}
    counts = _Counts()
    for call in before:
        _carried(rules, call, counts, facts)
    number, refused, untold = 0, [], []
    for call in calls:
        number += 1
        said = _carried(rules, call, counts, facts)
        if said is None:
            untold.append(call)
        elif not said:
            refused.append(call)
    return HeldOut(number, tuple(refused), tuple(untold))


def _carried(rules: dict[str, Rule], call: Seen, counts: _Counts, facts: Facts) -> bool | None:
    """Would one of the grants that carried it carry it still? None: that hangs on values that weren't kept."""
    unknown = False
    for rule in (rules[key] for key in call.rules if key in rules):
        fits = carries(rule, call, facts) if counts.has_room(rule, call) else False
        if fits:
            counts.add(rule, call)
            return True
        unknown = unknown or fits is None
    return None if unknown else False


def _fits(rule: Rule, call: Seen, facts: Facts) -> bool | None:
    if rule.arguments is None:
        return True
    if call.wholly_known:
        return rule.arguments.permit(call.known, facts)
    named = rule.arguments.listed.keys() | rule.arguments.optional.keys()
    beyond = call.given.keys() - named - {"*", "left_out"}
    missing = rule.arguments.listed.keys() - call.given.keys()
    if (beyond and not rule.arguments.others) or (missing and not call.given.keys() & {"*", "left_out"}):
        return False
    return None
