"""A limit made weaker by one step, in every way that the language has: what mutation does to arguments and URIs.

In a grant weaker means wider; in an ask or a deny it means narrower, since there a limit that fits is what speaks.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import TypeAlias, assert_never

from mcp_guard.inspection.obligations import TYPES, Obligations
from mcp_guard.policy.canonical import why_odd_host
from mcp_guard.policy.constraints import (
    All,
    Anything,
    Constraint,
    Domain,
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
    Source,
    Under,
    Within,
    words,
)

Weaker: TypeAlias = tuple[str, Constraint]
"""What was done, and the limit that is left."""


def wider(constraint: Constraint) -> Iterator[Weaker]:
    """Every weaker form of a grant's limit: each part dropped, each bound moved by one step."""
    match constraint:
        case Anything() | Some():  # `some` can't stand in a grant
            return
        case All(parts):
            for index, part in enumerate(parts):
                for what, weaker in wider(part):
                    yield what, _all((*parts[:index], weaker, *parts[index + 1 :]))
        case OrNull(other):
            yield from ((what, OrNull(weaker)) for what, weaker in wider(other))
        case Each(element):
            yield from ((f"each: {what}", Each(weaker)) for what, weaker in wider(element))
            yield _dropped(constraint)
        case Fields(named):
            for index, (name, inner) in enumerate(named):
                for what, weaker in wider(inner):
                    yield f"{name}: {what}", Fields((*named[:index], (name, weaker), *named[index + 1 :]))
            yield _dropped(constraint)
        case NotName(globs):
            for glob in globs if len(globs) > 1 else ():
                yield f"without not_name {glob}", NotName(tuple(other for other in globs if other != glob))
            yield _dropped(constraint)
        case NoneOf(listed):
            yield from ((f"not_in {what}", NoneOf(left)) for what, left in _less(listed))
            yield _dropped(constraint)
        case OneOf() | Range() | MaxLength() | MaxItems() | Under() | DomainIn() | HostIn():
            yield from ((f"{words(weaker)} instead of {words(constraint)}", weaker) for weaker in _one_step(constraint))
            yield _dropped(constraint)
        case From(sources, free):
            for source in sources:
                if source.field:
                    less = replace(source, field="")
                    wide = tuple(less if one is source else one for one in sources)
                    yield f"any field of {source.tool} instead of {source.field}", From(wide, free)
            yield _dropped(constraint)
        case NotFrom(From(sources, free)):
            yield from ((f"not_from {what}", NotFrom(From(left, free))) for what, left in _fewer(sources))
            yield _dropped(constraint)
        case Matches() | Within():
            yield _dropped(constraint)
        case _:
            assert_never(constraint)


def narrower(constraint: Constraint) -> Iterator[Weaker]:
    """Every narrower form of an ask's or a deny's limit that takes one value, or one step, out of its reach."""
    match constraint:
        case OneOf():
            yield from ((f"in {what}", left) for what, left in _less(constraint))
        case Range() | MaxLength() | MaxItems():
            yield from ((f"{words(less)} instead of {words(constraint)}", less) for less in _one_step_in(constraint))
        case DomainIn(domains) if len(domains) > 1:
            for domain in domains:
                yield f"without {domain}", DomainIn(tuple(other for other in domains if other != domain))
        case HostIn(places) if len(places) > 1:
            for place in places:
                yield f"without {place}", HostIn(tuple(other for other in places if other != place))
        case All(parts):
            for index, part in enumerate(parts):
                for what, less in narrower(part):
                    yield what, All((*parts[:index], less, *parts[index + 1 :]))
        case Each(element):
            yield from ((f"each: {what}", Each(less)) for what, less in narrower(element))
        case Some(element):
            yield from ((f"some: {what}", Some(less)) for what, less in narrower(element))
        case OrNull(other):
            yield "without null", other
            yield from ((what, OrNull(less)) for what, less in narrower(other))
        case Fields(named):
            for index, (name, inner) in enumerate(named):
                for what, less in narrower(inner):
                    yield f"{name}: {what}", Fields((*named[:index], (name, less), *named[index + 1 :]))
        case From(sources, free):
            yield from ((f"from {what}", From(left, free)) for what, left in _fewer(sources))
        case NotFrom(From(sources, free)):
            known = {source.kind for source in sources}
            for more in (Source("task"), Source("trusted")):
                if more.kind not in known:
                    yield f"not_from {more.kind} as well", NotFrom(From((*sources, more), free))
        case Anything() | NoneOf() | Matches() | Under() | Within() | NotName() | DomainIn() | HostIn():
            return  # no smaller step that the language could say
        case _:
            assert_never(constraint)


def _fewer(sources: tuple[Source, ...]) -> Iterator[tuple[str, tuple[Source, ...]]]:
    """Without one of them, if that leaves any."""
    for source in sources if len(sources) > 1 else ():
        yield f"without {source.tool or source.kind}", tuple(one for one in sources if one is not source)


def less_done(wanted: Obligations) -> Iterator[tuple[str, Obligations]]:
    """Each wish left out, each limit moved by one step: what a slip makes of `result`."""
    if wanted.redact and not wanted.patterns:
        yield "without redact", replace(wanted, redact=False)
    for named in wanted.patterns:
        yield f"without redact {named[0]}", replace(wanted, patterns=tuple(set(wanted.patterns) - {named}))
    if wanted.strip_hidden:
        yield "without strip_hidden", replace(wanted, strip_hidden=False)
    if wanted.quarantine:
        yield "without quarantine", replace(wanted, quarantine=False)
    if wanted.truncate is not None:
        yield f"truncate {wanted.truncate + 1}", replace(wanted, truncate=wanted.truncate + 1)
    if wanted.max_size is not None:
        yield f"max_size {wanted.max_size + 1}", replace(wanted, max_size=wanted.max_size + 1)
    for more in TYPES if wanted.types is not None else ():
        if wanted.types is not None and more not in wanted.types:
            yield f"types with {more}", replace(wanted, types=wanted.types | {more})


def _dropped(constraint: Constraint) -> Weaker:
    return f"any instead of {words(constraint)}", Anything()


def _all(parts: tuple[Constraint, ...]) -> Constraint:
    left = tuple(part for part in parts if part != Anything())
    return left[0] if len(left) == 1 else All(left) if left else Anything()


def _less(listed: OneOf) -> Iterator[tuple[str, OneOf]]:
    """The list without one of its values, if that leaves any."""
    if len(listed.values) < 2:
        return
    for text in listed.texts:
        yield f"without {text}", replace(listed, texts=tuple(other for other in listed.texts if other != text))
    for number in listed.numbers:
        yield (
            f"without {number}",
            replace(listed, numbers=tuple(other for other in listed.numbers if other is not number)),
        )
    for flag in listed.flags:
        yield f"without {flag}", replace(listed, flags=tuple(other for other in listed.flags if other is not flag))


def _one_step(constraint: OneOf | Range | MaxLength | MaxItems | Under | DomainIn | HostIn) -> Iterator[Constraint]:
    match constraint:
        case OneOf(texts=(path,)) if path.startswith("/") and len(constraint.values) == 1 and path != "/":
            yield Under(path, start=dict(constraint.starts).get(path, ""))
        case Range(low, high):
            if low is not None:
                closed = replace(constraint, low_open=False)
                yield closed if constraint.low_open else replace(constraint, low=_stepped(low, -1))
            if high is not None:
                closed = replace(constraint, high_open=False)
                yield closed if constraint.high_open else replace(constraint, high=_stepped(high, 1))
            if low is not None and high is not None:
                yield replace(constraint, low=None, low_open=False)
                yield replace(constraint, high=None, high_open=False)
        case MaxLength(limit):
            yield MaxLength(limit + 1)
        case MaxItems(limit):
            yield MaxItems(limit + 1)
        case Under(root):
            parent = posixpath.dirname(root)
            if parent != "/":
                yield replace(constraint, root=parent, start="")
        case DomainIn(domains):
            yield from (DomainIn((*domains, more)) for domain in domains for more in _beside(domain))
        case HostIn(places):
            for place in places:
                yield from (HostIn((*places, replace(place, domain=more))) for more in _beside(place.domain))
        case OneOf():
            return


def _one_step_in(constraint: Range | MaxLength | MaxItems) -> Iterator[Constraint]:
    match constraint:
        case Range(low, high):
            if low is not None:
                opened = replace(constraint, low_open=True)
                less = replace(constraint, low=_stepped(low, 1)) if constraint.low_open else opened
                yield from (less,) if _has_room(less) else ()
            if high is not None:
                opened = replace(constraint, high_open=True)
                less = replace(constraint, high=_stepped(high, -1)) if constraint.high_open else opened
                yield from (less,) if _has_room(less) else ()
        case MaxLength(limit) if limit > 0:
            yield MaxLength(limit - 1)
        case MaxItems(limit) if limit > 0:
            yield MaxItems(limit - 1)
        case _:
            return


def _has_room(found: Range) -> bool:
    return found.low is None or found.high is None or Decimal(repr(found.low)) < Decimal(repr(found.high))


def _stepped(number: int | float, steps: int) -> int | float:
    """The next number with as many digits: 100 and 101, 0.5 and 0.6."""
    if isinstance(number, int):
        return number + steps
    exact = Decimal(repr(number))
    exponent = exact.as_tuple().exponent
    return float(exact + Decimal(steps).scaleb(exponent if isinstance(exponent, int) else 0))


def _beside(domain: Domain) -> Iterator[Domain]:
    """A leading dot too many, or one too few."""
    if domain.subdomains or why_odd_host(domain.host) is None:
        yield replace(domain, subdomains=not domain.subdomains)
