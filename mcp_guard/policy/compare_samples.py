"""Values that may satisfy wishes: guessed from the limits that the wishes speak of, then tried.

Core. Nothing here is trusted: a guess counts only after every check, and later the judge, has agreed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import assert_never

from mcp_guard.model import Facts, Json
from mcp_guard.policy.canonical import DEFAULT_PORTS
from mcp_guard.policy.compare_automata import TooMany, automaton, find_text
from mcp_guard.policy.compare_literals import Literal, Want
from mcp_guard.policy.compare_regex import EVERY, Chars, Repeat, Tree, read_pattern
from mcp_guard.policy.constraint_check import Check
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
    Under,
    Within,
)
from mcp_guard.policy.constraint_paths import FILE_URI
from mcp_guard.policy.constraints import compile_check

_SOMETHING = Repeat(Chars(EVERY), 1, None)

MAX_TEXT = 2_000_000  # characters of a guess
MAX_LIST = 10_000
MAX_DEPTH = 3  # lists and objects within each other
MAX_GUESSES = 4000

_COMMON: tuple[Json, ...] = ("x", 1, "", 0, -1, True, None, "/elsewhere/x", "X", 0.5, [], ["x"], {}, {"x": 1})


def sample(literals: Sequence[Literal], facts: Facts, most: int = 4) -> list[Json]:
    """Up to `most` values that satisfy all wishes under these facts; none if no guess does.

    What is nested too deeply isn't guessed at: each level multiplies the guesses.
    """
    if any(_depth(one.constraint) > MAX_DEPTH for one in literals):
        return []
    checks = [(check_of(one.constraint), one.want) for one in literals]
    fitting = (
        value
        for value in islice(_guesses(literals, facts), MAX_GUESSES)
        if all(want.fits(check(value, facts)) for check, want in checks)
    )
    return list(islice(fitting, most))


@lru_cache(maxsize=4096)
def _depth(constraint: Constraint) -> int:
    match constraint:
        case Each(element=inner) | Some(element=inner):
            return 1 + _depth(inner)
        case OrNull(other=inner):
            return _depth(inner)
        case Fields(named):
            return 1 + max((_depth(part) for _, part in named), default=0)
        case All(parts):
            return max(_depth(part) for part in parts)
        case _:
            return 0


@lru_cache(maxsize=4096)
def check_of(constraint: Constraint) -> Check:
    """The check of a constraint, made once."""
    return compile_check(constraint)


def _guesses(literals: Sequence[Literal], facts: Facts) -> Iterator[Json]:
    leaves = [leaf for one in literals for leaf in _leaves(one.constraint)]
    names = [name for leaf in leaves if isinstance(leaf, NotName) for name in _names(leaf)]
    yield from _words(literals)
    yield from _of_one(literals, facts)
    for leaf in leaves:
        yield from _near(leaf, names, facts)
    yield from _COMMON
    yield from _long(leaves, facts)


def _of_one(literals: Sequence[Literal], facts: Facts) -> Iterator[Json]:
    """Lists of one element that satisfies all wishes about elements."""
    leaves = [(leaf, one.want) for one in literals for leaf in _leaves(one.constraint)]
    wishes = [Literal(leaf.element, want) for leaf, want in leaves if isinstance(leaf, (Each, Some))]
    if wishes:
        yield from ([value] for value in sample(wishes, facts, 2))


def _leaves(constraint: Constraint) -> Iterator[Constraint]:
    match constraint:
        case All(parts):
            for part in parts:
                yield from _leaves(part)
        case OrNull(other):
            yield from _leaves(other)
        case NoneOf(listed):
            yield listed
        case _:
            yield constraint


def _near(leaf: Constraint, names: Sequence[str], facts: Facts) -> Iterator[Json]:
    """Values at and just beyond the limits of one constraint."""
    match leaf:
        case OneOf():
            yield from leaf.values
            yield from (f"{text}x" for text in leaf.texts[:2])
            yield from (number + 1 for number in leaf.numbers[:2])
        case Range(low, high):
            yield from _around(low, high)
        case Under(root, uri):
            prefix = FILE_URI if uri else ""
            below = root.rstrip("/")
            yield from (f"{prefix}{below}/{name}" for name in ("x", *names))
            yield prefix + root
        case Within():
            yield from ("x", *names, "x/y")
        case NotName():
            yield from (f"/{name}" for name in ("x", *names))
            yield from names
        case DomainIn(domains):
            for domain in domains:
                yield from (f"a@{domain.host}", f"a@a.{domain.host}", domain.host)
            yield "a@elsewhere.example"
        case HostIn(places):
            for place in places:
                port = "" if place.port == DEFAULT_PORTS[place.scheme] else f":{place.port}"
                yield from (f"{place.scheme}://{under}{place.domain.host}{port}/" for under in ("", "a."))
            yield "https://elsewhere.example/"
        case Each(element) | Some(element):
            yield from ([value] for want in Want for value in sample([Literal(element, want)], facts, 2))
        case MaxItems(limit):
            if limit < MAX_LIST:
                yield from (["x"] * limit, ["x"] * (limit + 1))
        case Fields(named):
            yield from _objects(named, facts)
        case From() | NotFrom():
            yield from ("x", "x@elsewhere.example", 1)
        case Anything() | Matches() | MaxLength() | NoneOf() | All() | OrNull():
            return
        case _:
            assert_never(leaf)


def _around(low: Number | None, high: Number | None) -> Iterator[Json]:
    if low is not None and high is not None:
        yield (low + high) // 2
        yield low + (high - low) / 2
    for end in (high, low):
        if end is not None:
            yield from (end, end + 1, end - 1, end + 0.5, end - 0.5)


def _names(leaf: NotName) -> Iterator[str]:
    for glob in leaf.globs:
        yield glob.replace("*", "x").replace("?", "x")
        if glob.replace("*", ""):
            yield glob.replace("*", "").replace("?", "x")


def _objects(named: Sequence[tuple[str, Constraint]], facts: Facts) -> Iterator[Json]:
    fitting = {name: sample([Literal(part, Want.YES)], facts, 1) for name, part in named}
    whole = {name: values[0] for name, values in fitting.items() if values}
    yield whole
    for name, part in named:
        wrong = (value for want in (Want.NO, Want.NOT_YES) for value in sample([Literal(part, want)], facts, 1))
        yield from ({**whole, name: value} for value in wrong)
        yield {other: value for other, value in whole.items() if other != name}
    yield {**whole, "another": "x"}


def _words(literals: Sequence[Literal]) -> Iterator[str]:
    """Texts that the patterns which are to match do match, and those which aren't don't."""
    patterns = [(leaf, one.want) for one in literals for leaf in _leaves(one.constraint) if isinstance(leaf, Matches)]
    trees = [(tree, want) for leaf, want in patterns if (tree := read_pattern(leaf.pattern)) is not None]
    inside = [tree for tree, want in trees if want in (Want.YES, Want.NOT_NO)]
    outside = [tree for tree, want in trees if want not in (Want.YES, Want.NOT_NO)]
    something: list[Tree] = [_SOMETHING]
    choices: list[list[Tree]] = [inside, *([tree] for tree in inside), *([something] if outside else [])]
    refusals: list[list[Tree]] = [outside, *([tree] for tree in outside), []]
    for some in choices:
        for others in refusals:
            try:
                text = find_text([automaton(tree) for tree in some], [automaton(tree) for tree in others])
            except TooMany:
                continue
            if text is not None:
                yield text


def _long(leaves: Sequence[Constraint], facts: Facts) -> Iterator[Json]:
    """Texts and lists that are just as long as a limit allows, or one longer."""
    elements = [sample([Literal(leaf.element, Want.YES)], facts, 1) for leaf in leaves if isinstance(leaf, Each)]
    for leaf in leaves:
        if isinstance(leaf, MaxLength) and leaf.limit < MAX_TEXT:
            yield from ("x" * leaf.limit, "x" * (leaf.limit + 1))
            for root in (other.root for other in leaves if isinstance(other, Under)):
                yield f"{root}/".ljust(leaf.limit + 1, "x")
        if isinstance(leaf, MaxItems) and leaf.limit < MAX_LIST:
            yield from (found * length for found in elements if found for length in (leaf.limit, leaf.limit + 1))
