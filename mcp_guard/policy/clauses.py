"""A rule taken apart into clauses, each with what it says of one call: what coverage counts.

A clause is what can be written and left out by itself: a name under `tool`, one part of one argument's limit, that an
argument is given, that nothing else is, `when`, `until`, each end of a budget, `ask`. The questions are those of
`matching.py`, asked one clause at a time (a property test holds the two together).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from mcp_guard.model import Answer, By, Call, EffectClass, Facts, Kind
from mcp_guard.policy.budgets import Budget, Per
from mcp_guard.policy.canonical import loose
from mcp_guard.policy.constraints import (
    All,
    Anything,
    Constraint,
    Each,
    Fields,
    NoneOf,
    NotName,
    OneOf,
    OrNull,
    Range,
    compile_check,
    words,
)
from mcp_guard.policy.limits import count_in_words
from mcp_guard.policy.matching import charges_for, has_room, holds_back, is_about_secrets, is_past
from mcp_guard.policy.names import NamePattern
from mcp_guard.policy.order import After
from mcp_guard.policy.past import may_concern, open_now
from mcp_guard.policy.rules import Arguments, Rule, When


@dataclass(frozen=True, slots=True)
class Moment:
    """One call as a clause sees it."""

    call: Call
    arguments: Mapping[str, Any]
    classes: frozenset[EffectClass]
    facts: Facts


Test: TypeAlias = Callable[[Moment], bool | None]
"""Does the clause let its rule speak? None: the call doesn't come to it (another name, an argument not given)."""

Value: TypeAlias = Callable[[Moment], Any]
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Clause:
    """One part of a rule. `two_sided`: it is covered once a case passes it and a case fails because of it alone."""

    words: str
    test: Test
    two_sided: bool = True


def clauses_of(rule: Rule) -> tuple[Clause, ...]:
    """All clauses of a rule, in a fixed order."""
    found = [*_target(rule), *_when(rule), *_order(rule)]
    if rule.uri is not None:
        found += _parts("uri", rule.uri.constraint, rule.is_grant, lambda moment: moment.call.target)
    if rule.arguments is not None:
        found += _granted(rule, rule.arguments) if rule.is_grant else _concerned(rule.arguments)
    return (*found, *_rest(rule))


# --- who, where, when ---


def _target(rule: Rule) -> Iterator[Clause]:
    if rule.effects:
        said = ", ".join(sorted(rule.effects))
        fits = rule.effects.issuperset if rule.is_grant else rule.effects.intersection
        yield Clause(f"effect: {said}", lambda moment: bool(fits(moment.classes)))
    for name in rule.names:
        shown = name.server if rule.kind is Kind.RESOURCE else str(name)
        yield Clause(shown, _named(rule, name), two_sided=False)


def _named(rule: Rule, name: NamePattern) -> Test:
    def test(moment: Moment) -> bool | None:
        server, target = moment.call.server, "" if rule.kind is Kind.RESOURCE else moment.call.target
        meant = name.matches(server, target) if rule.is_grant else name.covers(loose(server), loose(target))
        return meant or None

    return test


def _when(rule: Rule) -> Iterator[Clause]:
    when = rule.when
    if when is not None and when.principals:
        yield Clause(f"when: principal {' or '.join(when.principals)}", _holds(rule, replace(when, window=None)))
    if when is not None and when.window is not None:
        yield Clause(f"when: time {when.window.words}", _holds(rule, replace(when, principals=())))
    for label in when.labels if when is not None else ():
        yield Clause(f"when: label {label}", _open(replace(rule, when=When(labels=(label,)), after=None, once=False)))
    for label in when.no_labels if when is not None else ():
        yield Clause(
            f"when: no label {label}", _open(replace(rule, when=When(no_labels=(label,)), after=None, once=False))
        )


def _order(rule: Rule) -> Iterator[Clause]:
    """What came before. In a grant each name is a clause; in an ask or a deny they count together."""
    bare = replace(rule, when=None, once=False)
    if rule.after is not None and not rule.is_grant:
        yield Clause(f"after {' or '.join(rule.after.names)}", _open(bare))
    elif rule.after is not None:
        for one in singly(rule.after):
            yield Clause(f"after {one.names[0]}", _open(replace(bare, after=one)))
    if rule.once:
        yield Clause("once", _open(replace(rule, when=None, after=None)))


def singly(after: After) -> list[After]:
    """Each name by itself."""
    tools = [replace(after, tools=(name,), grants=(), meanings=()) for name in after.tools]
    grants = zip(after.grants, after.meanings, strict=True)
    return [*tools, *(replace(after, tools=(), grants=(key,), meanings=(said,)) for key, said in grants)]


def _open(part: Rule) -> Test:
    ask = open_now if part.is_grant else may_concern
    return lambda moment: ask(part, moment.facts)


def _holds(rule: Rule, when: When) -> Test:
    ask = when.holds if rule.is_grant else when.may_hold
    return lambda moment: ask(moment.call, moment.facts)


def _rest(rule: Rule) -> Iterator[Clause]:
    if rule.until is not None:
        until = rule.until
        yield Clause(f"until {until:%Y-%m-%dT%H:%M:%SZ}", lambda moment: not is_past(until, moment.facts))
    if rule.budget is not None:
        yield from _ends(rule, rule.budget)
    if rule.rate is not None:
        (said,) = count_in_words(rule.rate)
        yield Clause(f"rate: {said}", _affords(replace(rule, budget=None)))
    if rule.deny_secrets:
        yield Clause("deny_secrets", _about_secrets(rule))
    yield from (Clause(f"result: {what}", lambda moment: True, two_sided=False) for what in rule.result.in_words())
    if rule.asks:
        by = rule.ref.by
        yield Clause("ask" if by is By.PERSON else f"ask by {by.name.lower()}", lambda moment: True, two_sided=False)


def _ends(rule: Rule, budget: Budget) -> Iterator[Clause]:
    """Each end of a budget."""
    over = "" if budget.per is Per.SESSION else f" per {budget.per}"
    plain = replace(budget, calls=None, sums={}, distinct={})
    if budget.calls is not None:
        part = replace(plain, calls=budget.calls)
        yield Clause(f"budget: {budget.calls} calls{over}", _affords(replace(rule, budget=part, rate=None)))
    for name, limit in budget.sums.items():
        part = replace(plain, sums={name: limit})
        yield Clause(f"budget: {limit} of {name}{over}", _affords(replace(rule, budget=part, rate=None)))
    for name, most in budget.distinct.items():
        part = replace(plain, distinct={name: most})
        said = f"budget: {most} different {name}{over}"
        yield Clause(said, _affords(replace(rule, budget=part, rate=None)))


def _about_secrets(rule: Rule) -> Test:
    if rule.is_grant:
        return lambda moment: not holds_back(rule, moment.call)
    return lambda moment: is_about_secrets(rule, moment.call)


def _affords(part: Rule) -> Test:
    def test(moment: Moment) -> bool | None:
        charges = charges_for(part, moment.call, moment.arguments, moment.facts)
        return charges is not None and has_room(part, charges, moment.facts)

    return test


# --- arguments ---


def _granted(rule: Rule, limits: Arguments) -> Iterator[Clause]:
    counted = rule.budget.counted if rule.budget is not None else frozenset()
    for name, limit in limits.listed.items():
        if name not in counted:  # a sum wants it, too
            yield Clause(f"{name}: given", _given(name))
        yield from _parts(name, limit.constraint, True, _value_of(name))
    for name, limit in limits.optional.items():
        yield from _parts(name, limit.constraint, True, _value_of(name, nulls=limits.nulls))
    if not limits.others:
        known = limits.listed.keys() | limits.optional.keys()
        yield Clause("nothing else", lambda moment: _beyond(moment, known, nulls=limits.nulls) == [])


def _concerned(limits: Arguments) -> Iterator[Clause]:
    """An argument that isn't given is a clear no to every part of its limit, as `Arguments.concern` has it."""
    for name, limit in limits.listed.items():
        given = _given_loosely(name)
        parts = list(_parts(name, limit.constraint, False, _value_of(name)))
        for part in parts or [Clause(f"{name}: given", given)]:
            yield replace(part, test=_or_imitated(part.test, given, name))


def _beyond(moment: Moment, known: Collection[str], *, nulls: bool) -> list[str]:
    given = moment.arguments.items()
    return [name for name, value in given if name not in known and not (nulls and value is None)]


def _given(name: str) -> Test:
    return lambda moment: name in moment.arguments


def _given_loosely(name: str) -> Test:
    return lambda moment: name in moment.arguments or any(loose(given) == loose(name) for given in moment.arguments)


def _or_imitated(test: Test, given: Test, name: str) -> Test:
    """An argument that looks like the one that is named keeps a deny or an ask speaking, whatever that one is."""

    def either(moment: Moment) -> bool | None:
        said = test(moment)
        if said is None:
            return given(moment)
        return said or any(other != name and loose(other) == loose(name) for other in moment.arguments)

    return either


def _value_of(name: str, *, nulls: bool = False) -> Value:
    """`nulls`: null counts as not given."""

    def value_of(moment: Moment) -> Any:
        value = moment.arguments.get(name, _ABSENT)
        return _ABSENT if nulls and value is None else value

    return value_of


def _parts(name: str, constraint: Constraint, grant: bool, value_of: Value) -> Iterator[Clause]:
    for part in parts_of(constraint, grant=grant):
        yield Clause(f"{name}: {words(part)}", _satisfied(part, grant, value_of))


def _satisfied(part: Constraint, grant: bool, value_of: Value) -> Test:
    check = compile_check(part)

    def test(moment: Moment) -> bool | None:
        value = value_of(moment)
        if value is _ABSENT:
            return None
        said = check(value, moment.facts)
        return said is Answer.YES if grant else said is not Answer.NO

    return test


def parts_of(constraint: Constraint, *, grant: bool = True) -> Iterator[Constraint]:
    """The constraint as parts that all have to hold. In a deny or an ask, lists and names stay whole."""
    match constraint:
        case Anything():
            return
        case All(parts):
            for part in parts:
                yield from parts_of(part, grant=grant)
        case Range(low, high) if low is not None and high is not None:
            yield replace(constraint, high=None, high_open=False)
            yield replace(constraint, low=None, low_open=False)
        case OrNull(other):
            yield from (OrNull(part) for part in parts_of(other, grant=grant))
        case NotName(globs) if grant:
            yield from (NotName((glob,)) for glob in globs)
        case NoneOf(listed) if grant:
            yield from (NoneOf(one) for one in _singly(listed))
        case Each(element) if grant:
            yield from (Each(part) for part in parts_of(element)) if element != Anything() else (constraint,)
        case Fields(named) if grant:
            every = tuple((name, Anything()) for name, _ in named)
            if all(inner == Anything() for _, inner in named):
                yield constraint
            for index, (name, inner) in enumerate(named):
                for part in parts_of(inner):
                    yield Fields((*every[:index], (name, part), *every[index + 1 :]))
        case _:
            yield constraint


def _singly(listed: OneOf) -> Iterator[OneOf]:
    starts = dict(listed.starts)
    for text in listed.texts:
        yield OneOf(texts=(text,), starts=((text, starts[text]),) if text in starts else ())
    yield from (OneOf(numbers=(number,)) for number in listed.numbers)
    yield from (OneOf(flags=(flag,)) for flag in listed.flags)
