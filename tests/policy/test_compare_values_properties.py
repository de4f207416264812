"""What is proved impossible of a value is never seen: whatever the constraints, the value and the links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.policy.compare_literals import Literal, Want
from mcp_guard.policy.compare_normal import normal
from mcp_guard.policy.compare_samples import sample
from mcp_guard.policy.compare_supposed import Supposed
from mcp_guard.policy.compare_values import impossible
from mcp_guard.policy.constraint_kinds import (
    All,
    Anything,
    Constraint,
    Domain,
    DomainIn,
    Each,
    Fields,
    HostIn,
    Matches,
    MaxItems,
    MaxLength,
    NoneOf,
    NotName,
    OneOf,
    OrNull,
    Place,
    Range,
    Some,
    Under,
    Within,
)
from mcp_guard.policy.constraints import compile_check

P = "/p"
TEXTS = ["", "a", "A", "ab", "b", "a\n", P, f"{P}/n", f"{P}/n/.env", f"{P}/n/m/x", "/q/x", "n", ".", "x@a.example"]
URLS = ["https://a.example/", "http://a.example/", "https://b.a.example/", "https://127.0.0.1/", "HTTPS://A.example/x"]
NUMBERS = [-1, 0, 1, 1.0, 2, 0.5, 2**53, 2**53 + 1, 2.0**53, 1e23, 10**23, 99999999999999991611392]
DOMAINS = [Domain(host, sub) for host in ("example", "a.example", "b.a.example", "127.0.0.1") for sub in (False, True)]
ROOTS = [
    *(Under(root) for root in ("/", P, f"{P}/n", f"{P}/n/m", "/P/n", "/q")),
    *(Under(f"{P}/n{rest}", start=start) for rest in ("", "/m") for start in (P, f"{P}/n")),
    Under(f"{P}/n", uri=True),
]
PATTERNS = ["a*", "a|b", "[^a]+", "[ab]{1,2}", ".*", r"\S*", "[A-Za-z]+", "/p/.*", "(?:a|ab)?", "a", "A", ".*/n(/.*)?"]
GLOBS = ["*.env", ".env", ".*", "n", "?", "N*", "*"]

texts = st.sampled_from([*TEXTS, *URLS])
numbers = st.sampled_from(NUMBERS)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abA"), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def one_of(draw: st.DrawFn) -> OneOf:
    kind = draw(st.sampled_from(["texts", "numbers", "mixed", "paths"]))
    if kind == "texts":
        return OneOf(tuple(draw(st.lists(texts, min_size=1, max_size=3, unique=True))))
    if kind == "numbers":
        return OneOf(numbers=tuple(draw(st.lists(numbers, min_size=1, max_size=3))))
    if kind == "paths":
        path = f"{P}/n/m/x"
        start = draw(st.sampled_from([P, f"{P}/n", ""]))
        return OneOf((path,), starts=((path, start),) if start else ())
    return OneOf(("a",), (1,), (True,))


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    low, high = draw(st.tuples(st.none() | numbers, st.none() | numbers).filter(lambda ends: ends != (None, None)))
    return Range(low, high, low_open=draw(st.booleans()), high_open=draw(st.booleans()))


leaves: st.SearchStrategy[Constraint] = st.one_of(
    st.just(Anything()),
    one_of(),
    st.builds(NoneOf, one_of()),
    ranges(),
    st.builds(MaxLength, st.integers(0, 3)),
    st.builds(Matches, st.sampled_from(PATTERNS)),
    st.sampled_from(ROOTS),
    st.just(Within()),
    st.builds(NotName, st.lists(st.sampled_from(GLOBS), min_size=1, max_size=2).map(tuple)),
    st.builds(DomainIn, st.lists(st.sampled_from(DOMAINS), min_size=1, max_size=3).map(tuple)),
    st.builds(HostIn, st.lists(st.builds(Place, st.sampled_from(DOMAINS)), min_size=1, max_size=2).map(tuple)),
    st.builds(MaxItems, st.integers(0, 3)),
)
constraints: st.SearchStrategy[Constraint] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Each, inner),
        st.builds(Some, inner),
        st.builds(lambda part: Fields((("a", part),)), inner),
        st.builds(lambda one, other: Fields((("a", one), ("b", other))), inner, inner),
        st.builds(lambda one, other: All((one, other)), inner, inner),
        st.builds(OrNull, inner),
    ),
    max_leaves=3,
)
LINKS: list[Mapping[str, str]] = [
    {},
    {P: "/q"},
    {f"{P}/n": "/q"},
    {f"{P}/n/m": "/q"},
    {f"{P}/n": P},
    {"/q/x": f"{P}/n/.env"},
    {f"{P}/n/m/x": "/q/.env"},
    {"/q": f"{P}/n"},
]
files = st.builds(lambda links: Supposed(links=links, cwd=P), st.sampled_from(LINKS))
wishes = st.builds(lambda constraint, want: Literal(normal(constraint), want), constraints, st.sampled_from(list(Want)))


def holds(literals: list[Literal], value: object, facts: Supposed) -> bool:
    return all(one.want.fits(compile_check(one.constraint)(value, facts)) for one in literals)


@settings(max_examples=1500, deadline=None)
@given(st.lists(wishes, min_size=1, max_size=3), values, files)
def test_what_is_proved_impossible_is_never_seen(literals: list[Literal], value: object, facts: Supposed) -> None:
    if impossible(tuple(literals)):
        assert not holds(literals, value, facts)
        assert sample(literals, facts) == []


@settings(max_examples=1500, deadline=None)
@given(leaves, leaves, st.sampled_from(list(Want)), st.sampled_from(list(Want)), values, files)
def test_two_single_constraints_are_proved_to_exclude_each_other_only_if_they_do(
    one: Constraint, other: Constraint, first: Want, second: Want, value: object, facts: Supposed
) -> None:
    literals = [Literal(normal(one), first), Literal(normal(other), second)]
    if impossible(tuple(literals)):
        for seen in (value, *TEXTS, *URLS, *NUMBERS):
            assert not holds(literals, seen, facts), seen


@settings(max_examples=300, deadline=None)
@given(constraints)
def test_a_constraint_implies_itself(constraint: Constraint) -> None:
    same = normal(constraint)
    assert impossible((Literal(same, Want.YES), Literal(same, Want.NO)))
    assert impossible((Literal(same, Want.YES), Literal(same, Want.NOT_YES)))
    assert impossible((Literal(same, Want.NO), Literal(same, Want.NOT_NO)))


@settings(max_examples=1000, deadline=None)
@given(constraints, values, files)
def test_the_same_constraint_in_one_spelling_answers_the_same(
    constraint: Constraint, value: object, facts: Supposed
) -> None:
    assert compile_check(normal(constraint))(value, facts) is compile_check(constraint)(value, facts)
