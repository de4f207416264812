"""Constraints in one spelling of their numbers, so that two that are equal to Python say the same.

Core. Python holds `1e23 == 99999999999999991611392`; a check goes by the digits that are written, and doesn't.
"""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import assert_never

from mcp_guard.policy.constraint_kinds import (
    All,
    Anything,
    Constraint,
    DomainIn,
    Each,
    Fields,
    From,
    HostIn,
    Matches,
    MaxItems,
    MaxLength,
    NoneOf,
    NotFrom,
    NotName,
    Number,
    OneOf,
    OrNull,
    Range,
    Some,
    Source,
    Under,
    Within,
)


def normal(constraint: Constraint) -> Constraint:
    """The same constraint; a whole number in it is an `int`."""
    match constraint:
        case OneOf():
            return _listed(constraint)
        case NoneOf(listed):
            return NoneOf(_listed(listed))
        case Range(low, high):
            return dataclasses.replace(
                constraint,
                low=None if low is None else _number(low),
                high=None if high is None else _number(high),
            )
        case Each(element):
            return Each(normal(element))
        case Some(element):
            return Some(normal(element))
        case Fields(named):
            return Fields(tuple((name, normal(part)) for name, part in named))
        case All(parts):
            return All(tuple(normal(part) for part in parts))
        case OrNull(other):
            return OrNull(normal(other))
        case Anything() | MaxLength() | Matches() | Under() | Within() | NotName() | MaxItems():
            return constraint
        case From(sources, free):
            return _sorted(sources, free)
        case NotFrom(From(sources, free)):
            return NotFrom(_sorted(sources, free))
        case DomainIn() | HostIn():
            return constraint
        case _:
            assert_never(constraint)


def _sorted(sources: tuple[Source, ...], free: bool) -> From:
    return From(tuple(sorted(set(sources), key=lambda one: (one.kind, one.tool, one.field, one.world))), free)


def _listed(listed: OneOf) -> OneOf:
    return dataclasses.replace(listed, numbers=tuple(_number(number) for number in listed.numbers))


def _number(number: Number) -> Number:
    written = Decimal(repr(number))
    return int(written) if written == written.to_integral_value() else number
