"""Can a number satisfy these wishes? Exact: as decimals, the way numbers are checked.

Core.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from mcp_guard.policy.compare_literals import Literal, Want
from mcp_guard.policy.compare_supposed import PLAIN
from mcp_guard.policy.constraint_kinds import Number, OneOf, Range, exact
from mcp_guard.policy.constraints import compile_check

Exact: TypeAlias = int | Decimal

WHOLE = 2**53
"""Beyond it several whole numbers are one to a reader that knows doubles only: a listed one reaches its neighbours."""


class Span(NamedTuple):
    """Numbers from `low` to `high`; None is without end; an open end leaves its limit out."""

    low: Exact | None = None
    high: Exact | None = None
    low_open: bool = False
    high_open: bool = False

    def meet(self, other: Span) -> Span:
        low, low_open = max(
            (self.low, self.low_open),
            (other.low, other.low_open),
            key=lambda end: (end[0] is not None, end[0] or 0, end[1]),
        )
        ends = [
            (end, is_open)
            for end, is_open in ((self.high, self.high_open), (other.high, other.high_open))
            if end is not None
        ]
        high, high_open = min(ends, key=lambda end: (end[0], not end[1])) if ends else (None, False)
        return Span(low, high, low_open, high_open)

    @property
    def empty(self) -> bool:
        if self.low is None or self.high is None or self.low < self.high:
            return False
        return self.low > self.high or self.low_open or self.high_open


def no_number(literals: Sequence[Literal]) -> bool:
    """Proved: no number satisfies all of these, which are about numbers."""
    listed = next(
        (one.constraint for one in literals if one.want is Want.YES and isinstance(one.constraint, OneOf)), None
    )
    if listed is not None:
        return not any(fits_all(number, literals) for number in listed.numbers)
    spans = [Span()]
    for literal in literals:
        choices = _spans(literal)
        if choices is not None:
            spans = [met for span in spans for choice in choices if not (met := span.meet(choice)).empty]
    return not any(_holds_one(span, literals) for span in spans)


def fits_all(value: object, literals: Iterable[Literal]) -> bool:
    """Does a value satisfy all wishes, which depend on no file?"""
    return all(one.want.fits(compile_check(one.constraint)(value, PLAIN)) for one in literals)


def as_number(value: Exact) -> Number | None:
    """The JSON number that is exactly this; None if there is none."""
    if value == int(value):
        return int(value)
    number = float(value)
    return number if math.isfinite(number) and exact(number) == value else None


def _holds_one(span: Span, literals: Sequence[Literal]) -> bool:
    if span.low is None or span.low != span.high:
        return True  # an interval: more numbers than a list takes out of it
    number = as_number(span.low)
    return number is not None and fits_all(number, literals)


def _spans(literal: Literal) -> list[Span] | None:
    """The intervals that the wish confines a number to; None if it doesn't."""
    constraint = literal.constraint
    if isinstance(constraint, OneOf):
        if literal.want is Want.NOT_NO and not constraint.texts and not constraint.flags:
            return [_around(number) for number in constraint.numbers]
        return None
    if not isinstance(constraint, Range):
        return None
    low = None if constraint.low is None else exact(constraint.low)
    high = None if constraint.high is None else exact(constraint.high)
    if literal.want in (Want.YES, Want.NOT_NO):
        return [Span(low, high, constraint.low_open, constraint.high_open)]
    below = [] if low is None else [Span(high=low, high_open=not constraint.low_open)]
    above = [] if high is None else [Span(low=high, low_open=not constraint.high_open)]
    return [*below, *above]


def _around(number: Number) -> Span:
    """The numbers that some reader takes for this one."""
    if abs(number) <= WHOLE:
        return Span(exact(number), exact(number))
    try:
        rounded = float(number)
    except OverflowError:
        return Span(exact(number), exact(number))
    below, above = math.nextafter(rounded, -math.inf), math.nextafter(rounded, math.inf)
    return Span(
        None if math.isinf(below) else int(below),
        None if math.isinf(above) else int(above),
    )
