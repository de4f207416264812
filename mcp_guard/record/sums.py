"""Exact addition of what budgets are charged, and what is said where it can't be."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow

from mcp_guard.errors import RecordFailed
from mcp_guard.model import Charge, Usage
from mcp_guard.record.entries import decimal_text

# Invariant: sums are exact. With rounding, enough tiny amounts beside a huge one would cost nothing.
_EXACT = Context(prec=64, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])


def added_sums(sums: dict[str, Decimal], more: Iterable[tuple[str, Decimal]], sign: int = 1) -> dict[str, Decimal]:
    """Exact addition by name. Raises ArithmeticError where 64 digits don't hold the result."""
    total = dict(sums)
    for name, amount in more:
        total[name] = _EXACT.add(total.get(name, Decimal(0)), _EXACT.multiply(amount, sign))
    return total


def added(usage: Usage, charge: Charge) -> Usage:
    """What is used with one more charge. Raises RecordFailed if that can't be said exactly."""
    try:
        if charge.calls < 0:
            raise ValueError("a budget can only be charged a count of zero or more")
        if not charge.sums:
            return Usage(usage.calls + charge.calls, usage.sums)
        for amount in charge.sums.values():
            decimal_text(amount)
        return Usage(usage.calls + charge.calls, added_sums(dict(usage.sums), charge.sums.items()))
    except (ArithmeticError, ValueError) as error:
        raise RecordFailed(f"what `{charge.rule}` has used can't be added up exactly; there is no call") from error


def changed(rule: str) -> RecordFailed:
    """What is stored isn't what a guard writes."""
    return RecordFailed(f"what `{rule}` has used was changed by somebody else; keep the record as evidence")
