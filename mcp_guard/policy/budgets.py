"""How much of a grant may be used: budgets and rates, what a call costs them, and whether there is room for it.

Each is one count: of a session, of an account over several sessions, or of the last so many seconds. A window rolls: a
charge counts until exactly so much time has passed, so that no two windows meet at an edge where twice the limit fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeAlias

from mcp_guard.model import LONGEST_WINDOW, Charge, Facts, Usage
from mcp_guard.wire import digest

_ZERO = Decimal(0)
# A sum that doesn't fit these digits is no exact sum; the grant then doesn't match, instead of rounding in its favour.
_EXACT = Context(prec=120, traps=[Inexact, InvalidOperation, Overflow])


class Per(StrEnum):
    """What a budget is counted over."""

    SESSION = "session"
    MANDATE = "mandate"
    HOUR = "hour"
    DAY = "day"


WINDOWS = {Per.SESSION: 0, Per.MANDATE: 0, Per.HOUR: 3600, Per.DAY: LONGEST_WINDOW}
"""Seconds; 0: for as long as there is the session or the mandate."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How often, up to which sums of argument values, and with how many different values a grant may be used.

    Per session it is counted there. Per mandate: over all sessions that this principal has under this very mandate.
    Per hour and day, in a policy: over all sessions of the principal; in a mandate: over those under it.
    """

    calls: int | None
    sums: Mapping[str, Decimal]
    distinct: Mapping[str, int] = field(default_factory=dict)
    per: Per = Per.SESSION
    under: str = ""  # digest of the mandate that it stands in; empty in a policy
    seconds: int = field(init=False, default=0)  # how long a charge counts; 0: for good

    def __post_init__(self) -> None:
        object.__setattr__(self, "seconds", WINDOWS[self.per])

    @property
    def counted(self) -> frozenset[str]:
        """The arguments that it looks at, which therefore have to be given."""
        return frozenset({*self.sums, *self.distinct})

    def charge(self, rule: str, principal: str, arguments: Mapping[str, Any] | None, facts: Facts) -> Charge | None:
        """What the call costs; None if an argument that is counted isn't there, or a summed one can't be summed."""
        account = "" if self.per is Per.SESSION else account_of(principal, self.under)
        if not self.sums and not self.distinct:
            return _one_call(rule, account, self.seconds)
        given = arguments or {}
        sums: dict[str, Decimal] = {}
        for name in self.sums:
            amount = exact_amount(given.get(name))
            if amount is None:
                return None
            sums[name] = amount
        values: dict[str, str] = {}
        for name in self.distinct:
            if name not in given:
                return None
            values[name] = facts.fingerprint([rule, name, given[name]])
        return Charge(rule, 1, sums, values, account, self.seconds)

    def has_room(self, charge: Charge, facts: Facts) -> bool:
        """Would one more call, costing this, still be within the budget?"""
        if self.calls is not None or self.sums:
            used = facts.used(charge.rule, charge.account, charge.seconds)
            if not self._fits(charge, used):
                return False
        if not self.distinct:
            return True
        known = facts.values(*charge.count)
        return all(
            value in known.get(name, ()) or len(known.get(name, ())) + 1 <= self.distinct[name]
            for name, value in charge.values.items()
        )

    def _fits(self, charge: Charge, used: Usage) -> bool:
        if self.calls is not None and not used.calls + 1 <= self.calls:
            return False
        for name, amount in charge.sums.items():
            if not _EXACT.add(used.sums.get(name, _ZERO), amount) <= self.sums[name]:
                return False
        return True

    def could_ever_take(self, charge: Charge) -> bool:
        """Would there be room if nothing had been used?"""
        return self._fits(charge, Usage())


@dataclass(frozen=True, slots=True)
class Rate:
    """`rate: 10/m`: at most so many calls in any minute of a session, however many guards it has."""

    calls: int
    seconds: int

    def charge(self, rule: str, principal: str, arguments: Mapping[str, Any] | None, facts: Facts) -> Charge | None:
        """One call, for as long as it counts."""
        return _one_call(rule, "", self.seconds)

    def has_room(self, charge: Charge, facts: Facts) -> bool:
        """Were there fewer calls in the last so many seconds?"""
        return facts.used(charge.rule, charge.account, charge.seconds).calls + 1 <= self.calls

    def could_ever_take(self, charge: Charge) -> bool:
        """A rate of one or more takes a call sooner or later."""
        return True


Count: TypeAlias = Budget | Rate


@lru_cache(maxsize=1024)
def _one_call(rule: str, account: str, seconds: int) -> Charge:
    """What a call costs where nothing of it counts but that it was made: the same for every such call."""
    return Charge(rule, 1, {}, {}, account, seconds)


@lru_cache(maxsize=1024)
def account_of(principal: str, under: str) -> str:
    """Whose count it is that goes beyond a session: the principal's, by itself or under one mandate.

    No session has such a key (they are hexadecimal digits), and none of a name's letters is in it.
    """
    who = digest([principal])[:32]
    return f"mandate:{under[:32]}:{who}" if under else f"principal:{who}"


def exact_amount(value: object) -> Decimal | None:
    """A number that can be summed: exact, finite, not negative; None for anything else (bool is no number)."""
    if type(value) is int:
        amount = Decimal(value)
    elif type(value) is float:
        amount = Decimal(repr(value))  # the digits that are sent
    else:
        return None
    return amount if amount.is_finite() and amount >= 0 else None
