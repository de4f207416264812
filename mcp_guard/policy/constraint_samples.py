"""Values that fit a limit, and values that just miss it. For suggestions: whoever uses them asks the judge first.

Core. Nothing here is relied upon: a sample that doesn't do what it should is thrown away by the caller.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, assert_never

from mcp_guard.policy.canonical import DEFAULT_PORTS
from mcp_guard.policy.constraint_kinds import (
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
    Place,
    Range,
    Some,
    Under,
    Within,
)

_ELSEWHERE: tuple[Any, ...] = ("elsewhere", "/elsewhere", 0, -1, True, None, [], {}, "https://elsewhere.example/")
_LONGEST = 2_000_000  # characters of a sample
_CENT = Decimal("0.01")
_REPEATED = 2000  # characters; a longer text is told by its length, which only one letter can be
_TRIES = ("a", "A", "1", "main", "HEAD", "a.md", "a/b", "x@example.com")  # for `matches`, which can't be turned round


def fitting(constraint: Constraint) -> Iterator[Any]:
    """Values that may fit, the plainest first."""
    match constraint:
        case Anything() | MaxLength() | From() | NotFrom():
            yield "x"
        case OneOf():
            yield from constraint.values
        case NoneOf():
            yield from ("x", 1)
        case Range():
            yield from _inside(constraint)
        case Matches() | NotName():
            yield from _TRIES
        case Under(root, uri):
            yield from ((f"file://{root}/a.md", f"file://{root}") if uri else (f"{root}/a.md", root))
        case Within():
            yield "a.md"
        case DomainIn(domains):
            for domain in domains:
                yield from (f"x@{_below(domain)}", _below(domain))
        case HostIn(places):
            yield from (_url(one, _below(one.domain)) for one in places)
        case Each(element) | Some(element):
            yield from ([value] for value in fitting(element))
        case MaxItems():
            yield ["x"]
        case Fields(named):
            samples = {name: next(fitting(inner), "x") for name, inner in named}
            yield samples
        case All(parts):
            for part in parts:
                yield from fitting(part)
        case OrNull(other):
            yield from fitting(other)
        case _:
            assert_never(constraint)


def missing(constraint: Constraint, fits: Any) -> Iterator[Any]:
    """Values that may just not fit; `fits` is one that does."""
    match constraint:
        case OneOf():
            for value in constraint.values:
                yield f"{value}/x" if isinstance(value, str) else "x" if isinstance(value, bool) else value + 1
        case NoneOf(listed):
            yield from listed.values
        case Range():
            yield from _outside(constraint)
        case MaxLength(limit) if limit < _LONGEST:
            yield "x" * (limit + 1)
            if isinstance(fits, str) and fits and limit < _REPEATED:
                yield (fits * (limit + 1))[: limit + 1]
        case Matches():
            yield from (f"{fits} x", f"-{fits}")
        case Under(root, uri):
            above = posixpath.dirname(root).rstrip("/")
            yield from (f"{'file://' if uri else ''}{path}" for path in (f"{above}/elsewhere", "/elsewhere"))
        case Within():
            yield from ("../elsewhere", "-x")
        case NotName(globs):
            parent = posixpath.dirname(fits) if isinstance(fits, str) else ""
            for glob in globs:
                yield from (posixpath.join(parent, glob.replace("*", star).replace("?", "x")) for star in ("x", ""))
        case DomainIn(domains):
            yield from (f"x@{host}" for domain in domains for host in _near(domain))
        case HostIn(places):
            yield from (_url(one, host) for one in places for host in _near(one.domain))
        case Each(element) | Some(element):
            inner = fits[0] if isinstance(fits, list) and fits else next(fitting(element), "x")
            yield from ([value] for value in missing(element, inner))
        case MaxItems(limit) if limit < _REPEATED:
            yield (fits if isinstance(fits, list) and fits else ["x"])[:1] * (limit + 1)
        case Fields(named):
            base = fits if isinstance(fits, dict) else {name: next(fitting(part), "x") for name, part in named}
            for name, part in named:
                yield from ({**base, name: value} for value in missing(part, base.get(name)))
        case All(parts):
            for part in parts:
                yield from missing(part, fits)
        case OrNull(other):
            yield from missing(other, fits)
        case Anything():
            return
        case MaxLength() | MaxItems():
            pass  # too large for a sample
        case From() | NotFrom():
            yield from ("somebody-else", "somebody@elsewhere.example")
        case _:
            assert_never(constraint)
    yield from _ELSEWHERE


def _below(domain: Domain) -> str:
    return f"www.{domain.host}" if domain.subdomains else domain.host


def _url(place: Place, host: str) -> str:
    return f"{place.scheme}://{host}{'' if place.port == DEFAULT_PORTS[place.scheme] else f':{place.port}'}/"


def _near(domain: Domain) -> tuple[str, ...]:
    return (domain.host, f"elsewhere.{domain.host}")


def _inside(limits: Range) -> Iterator[Any]:
    low, high = limits.low, limits.high
    if low is not None and high is not None:
        middle = (Decimal(repr(low)) + Decimal(repr(high))) / 2
        yield int(middle) if middle == int(middle) else float(middle)
    yield from (end for end in (low, high) if end is not None)
    yield from (float(Decimal(repr(end)) + step) for end, step in ((low, _CENT), (high, -_CENT)) if end is not None)
    yield from ((high - 1,) if low is None and high is not None else ())
    yield from ((low + 1,) if high is None and low is not None else ())


def _outside(limits: Range) -> Iterator[Any]:
    for end, sign in ((limits.low, -1), (limits.high, 1)):
        if end is not None:
            exact = Decimal(repr(end))
            yield from (end, float(exact + sign * _CENT), end + sign)
