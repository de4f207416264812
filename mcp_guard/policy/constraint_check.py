"""A constraint as a function from a value to one of three answers. The hot path: everything is prepared beforehand.

Core. Total: any JSON value gets an answer, nothing raises. The rules behind the answers:

- YES only if every reader agrees that the value satisfies the constraint: exact type, exact text, canonical path.
- NO only if every reader agrees that it doesn't. A value of another JSON type is UNSURE (a server may read `"60"` as
  60), so is a text that differs in letter case, white space or compatibility letters only, and a path, host or
  address that isn't canonical. Grants need YES, asks and denies fire unless NO, so both fail closed.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias, assert_never

from mcp_guard.model import Answer, Facts
from mcp_guard.policy.canonical import (
    flattened,
    loose,
    tidied,
    why_not_absolute,
    without_trailing_slash,
)
from mcp_guard.policy.constraint_hosts import check_domain_in, check_host_in
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
    OneOf,
    OrNull,
    Range,
    Some,
    Under,
    Within,
    exact,
)
from mcp_guard.policy.constraint_paths import (
    check_not_name,
    check_under,
    check_within,
    leads_straight,
    leads_to_none_of,
)
from mcp_guard.policy.constraint_pattern import text_test
from mcp_guard.policy.constraint_sources import check_from

Check: TypeAlias = Callable[[object, Facts], Answer]

YES, NO, UNSURE = Answer.YES, Answer.NO, Answer.UNSURE


def compile_check(constraint: Constraint) -> Check:
    """`constraint` as a function of a value and the facts; call once per rule, not per call."""
    match constraint:
        case Anything():
            return lambda value, facts: YES
        case OneOf():
            return _one_of(constraint)
        case NoneOf(listed):
            return _opposite(_one_of(listed))
        case Range():
            return _range(constraint)
        case MaxLength(limit):
            return _at_most(str, limit)
        case MaxItems(limit):
            return _at_most(list, limit)
        case Matches():
            return _matches(constraint)
        case Under():
            return check_under(constraint)
        case Within():
            return check_within
        case NotName(globs):
            return check_not_name(globs)
        case DomainIn(domains):
            return check_domain_in(domains)
        case HostIn(places):
            return check_host_in(places)
        case Each(element):
            return _each(compile_check(element))
        case Some(element):
            return _some(compile_check(element))
        case Fields(named):
            return _fields({name: compile_check(part) for name, part in named})
        case All(parts):
            return _all(tuple(compile_check(part) for part in parts))
        case OrNull(other):
            return _or_null(compile_check(other))
        case From():
            return check_from(constraint)
        case NotFrom(of):
            return _opposite(check_from(of))
        case _:
            assert_never(constraint)


def _one_of(listed: OneOf) -> Check:
    texts, flags = frozenset(listed.texts), frozenset(listed.flags)
    starts = dict(listed.starts)
    numbers = frozenset(exact(number) for number in listed.numbers)
    rounded = frozenset(float(number) for number in listed.numbers)  # as a reader has them that knows doubles only
    alike = frozenset(form for text in texts for form in _forms(text))
    paths = tuple(without_trailing_slash(text) for text in listed.texts if why_not_absolute(text) is None)
    # A list of several types says NO to nobody: `"1"` beside a listed 1 may be that 1.
    miss = NO if bool(texts) + bool(numbers) + bool(flags) == 1 else UNSURE

    def check(value: object, facts: Facts) -> Answer:
        if type(value) is str:
            if value in texts:
                return YES if leads_straight(value, starts.get(value, ""), facts) else UNSURE
            if not texts or miss is UNSURE or _reads_like(value, alike):
                return UNSURE
            return leads_to_none_of(value, paths, facts) if paths else NO
        if type(value) is int or (type(value) is float and math.isfinite(value)):
            if exact(value) in numbers:
                return YES
            return miss if numbers and not _rounds_to_one_of(value, rounded) else UNSURE
        if type(value) is bool:
            if value in flags:
                return YES
            return miss if flags else UNSURE
        return UNSURE

    return check


@lru_cache(maxsize=4096)
def _forms(listed: str) -> tuple[str, str]:
    """How a listed text may be read; documents say the same few again and again. Never of a call's value."""
    return loose(listed), tidied(listed)


def _rounds_to_one_of(value: int | float, rounded: frozenset[float]) -> bool:
    """Beyond 2^53 several whole numbers, such as ids, are one number to many a reader."""
    try:
        return float(value) in rounded
    except OverflowError:
        return False


def _reads_like(text: str, alike: frozenset[str]) -> bool:
    """Could a careless reader take `text` for one of the listed ones (their loose and tidied forms)?"""
    if loose(text) in alike:
        return True
    return ("/" in text or "\\" in text or "%" in text) and tidied(text) in alike


def _opposite(check: Check) -> Check:
    opposite = {YES: NO, NO: YES, UNSURE: UNSURE}
    return lambda value, facts: opposite[check(value, facts)]


def _range(constraint: Range) -> Check:
    tests: list[tuple[Callable[[Any, Any], bool], int | Decimal]] = []
    if constraint.low is not None:
        tests.append((operator.gt if constraint.low_open else operator.ge, exact(constraint.low)))
    if constraint.high is not None:
        tests.append((operator.lt if constraint.high_open else operator.le, exact(constraint.high)))

    def check(value: object, facts: Facts) -> Answer:
        if type(value) is int:
            number: int | Decimal = value
        elif type(value) is float and math.isfinite(value):
            number = Decimal(repr(value))
        else:  # a bool is no number, and NaN compares with nothing
            return UNSURE
        for holds, limit in tests:
            if not holds(number, limit):
                return NO
        return YES

    return check


def _at_most(kind: type[str] | type[list[Any]], limit: int) -> Check:
    def check(value: object, facts: Facts) -> Answer:
        if not isinstance(value, kind):
            return UNSURE
        return YES if len(value) <= limit else NO

    return check


def _matches(constraint: Matches) -> Check:
    fits = text_test(constraint.anchored)
    fits_loosely = text_test(f"(?i){constraint.anchored}")

    def check(value: object, facts: Facts) -> Answer:
        if type(value) is not str:
            return UNSURE
        try:
            if fits(value):
                return YES
            # `.` stops at a line break, and many tools ignore letter case: neither makes a clear NO.
            return UNSURE if fits_loosely(value) or fits_loosely(flattened(value)) else NO
        except ValueError:  # a lone surrogate
            return UNSURE

    return check


def _each(check_element: Check) -> Check:
    def check(value: object, facts: Facts) -> Answer:
        if type(value) is not list:
            return UNSURE
        if not value:
            return NO
        return _every(check_element(element, facts) for element in value)

    return check


def _some(check_element: Check) -> Check:
    def check(value: object, facts: Facts) -> Answer:
        if type(value) is not list:
            return UNSURE
        answer = NO
        for element in value:
            said = check_element(element, facts)
            if said is YES:
                return YES
            if said is UNSURE:
                answer = UNSURE
        return answer

    return check


def _fields(checks: dict[str, Check]) -> Check:
    lookalikes = frozenset(loose(name) for name in checks)

    def check(value: object, facts: Facts) -> Answer:
        """Another field, or one that is absent, is never YES (closed, required) and never NO.

        In a deny the fields are open and absent means any, as its `args` are: one more field must not silence it.
        """
        if type(value) is not dict:
            return UNSURE
        others = [name for name in value if name not in checks]
        if any(loose(str(name)) in lookalikes for name in others):  # `Mode` beside `mode`: which one is read?
            return UNSURE
        answer = _every(part(value[name], facts) for name, part in checks.items() if name in value)
        if answer is YES and (others or len(value) < len(checks)):
            return UNSURE
        return answer

    return check


def _all(checks: tuple[Check, ...]) -> Check:
    def check(value: object, facts: Facts) -> Answer:
        answer = YES
        for part in checks:
            said = part(value, facts)
            if said is NO:
                return NO
            if said is UNSURE:
                answer = UNSURE
        return answer

    return check


def _or_null(check_other: Check) -> Check:
    return lambda value, facts: YES if value is None else check_other(value, facts)


def _every(answers: Iterable[Answer]) -> Answer:
    result = YES
    for answer in answers:
        if answer is NO:
            return NO
        if answer is UNSURE:
            result = UNSURE
    return result
