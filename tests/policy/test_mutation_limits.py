"""Limits weakened by one step: always wider in a grant, always narrower in a deny, and every kind in some way."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.model import Answer
from mcp_guard.policy.cases import NOW
from mcp_guard.policy.cases_facts import CaseFacts
from mcp_guard.policy.constraint_samples import fitting, missing
from mcp_guard.policy.constraints import Constraint, compile_check, parse_constraint, words
from mcp_guard.policy.mutation_limits import narrower, wider
from tests.policy.scene import Still


def parsed(data: Any, *, grant: bool = True) -> Constraint:
    return parse_constraint(data, in_grant=grant, variables={"project": "/srv/project"}, home="/home/u")


# every kind, with the weaker forms of a grant in words
WIDER: list[tuple[Any, list[str]]] = [
    ("any", []),
    ("x", ["anything"]),
    ({"in": ["x", "y"]}, ["anything"]),
    ("$project", ["an absolute path under /srv/project", "anything"]),
    ({"not_in": ["a"]}, ["anything"]),
    ({"not_in": ["a", 1, True]}, ["none of 1, true", "none of a, true", "none of a, 1", "anything"]),
    ({"min": 1}, ["at least 0", "anything"]),
    ({"above": 1}, ["at least 1", "anything"]),
    ({"max": 0.5}, ["at most 0.6", "anything"]),
    (
        {"above": 0, "max": 60},
        ["at most 60 and at least 0", "at most 61 and more than 0", "at most 60", "more than 0", "anything"],
    ),
    ({"max_length": 3}, ["text of at most 4 characters", "anything"]),
    ({"max_items": 3}, ["at most 4 elements", "anything"]),
    ({"matches": "a+"}, ["anything"]),
    ({"under": "/srv/project"}, ["an absolute path under /srv", "anything"]),
    ({"under": "/srv"}, ["anything"]),
    ({"within": "."}, ["anything"]),
    ({"not_name": [".env"]}, ["anything"]),
    ({"not_name": [".env", "*.key"]}, ["no segment like *.key", "no segment like .env", "anything"]),
    (
        {"domain_in": ["a.org", ".b.org"]},
        [
            "one mail address or host at a.org, .b.org or .a.org",
            "one mail address or host at a.org, .b.org or b.org",
            "anything",
        ],
    ),
    ({"host_in": ["a.org"]}, ["a URL at a.org or .a.org", "anything"]),
    ({"host_in": ["127.0.0.1"]}, ["anything"]),
    ({"each": {"max": 5}}, ["at least one element, each at most 6", "at least one element, each anything", "anything"]),
    (
        {"fields": {"k": {"max": 5}}},
        ["an object with exactly k: at most 6", "an object with exactly k: anything", "anything"],
    ),
    ({"max": 5, "null": "ok"}, ["at most 6, or null", "anything, or null"]),
    ({"from": ["task"]}, ["anything"]),
    ({"from": ["task", {"tool": "a/b", "field": "c"}]}, ["from the task or from a/b", "anything"]),
    ({"not_from": ["untrusted", "a/b"]}, ["not from a/b", "not from an untrusted result", "anything"]),
    (
        {"matches": "a+", "max_length": 3},
        [
            "text of at most 3 characters",
            "text that `a+` matches as a whole, text of at most 4 characters",
            "text that `a+` matches as a whole",
        ],
    ),
]
NARROWER: list[tuple[Any, list[str]]] = [
    ("any", []),
    ("x", []),
    ({"in": ["x", 1]}, ["exactly 1", "exactly x"]),
    ({"not_in": ["x"]}, []),
    ({"min": 1}, ["more than 1"]),
    ({"above": 50}, ["more than 51"]),
    ({"above": 0, "below": 2}, ["less than 2 and more than 1", "less than 1 and more than 0"]),
    ({"above": 0, "below": 1}, []),
    ({"min": 1, "max": 1}, []),
    ({"max_length": 3}, ["text of at most 2 characters"]),
    ({"max_length": 0}, []),
    ({"max_items": 1}, ["at most 0 elements"]),
    ({"matches": "a"}, []),
    ({"under": "/srv"}, []),
    ({"within": "."}, []),
    ({"not_name": ["a", "b"]}, []),
    ({"domain_in": ["a.org"]}, []),
    ({"domain_in": ["a.org", "b.org"]}, ["one mail address or host at b.org", "one mail address or host at a.org"]),
    ({"host_in": ["a.org", "b.org"]}, ["a URL at b.org", "a URL at a.org"]),
    ({"each": {"in": [1, 2]}}, ["at least one element, each exactly 2", "at least one element, each exactly 1"]),
    ({"some": {"in": [1, 2]}}, [f"a list in which some element is exactly {left}" for left in (2, 1)]),
    ({"fields": {"k": {"max": 5}}}, ["an object with exactly k: less than 5"]),
    ({"max": 5, "null": "ok"}, ["at most 5", "less than 5, or null"]),
    ({"max": 5, "not_in": [3]}, ["less than 5, not 3"]),
    ({"from": ["untrusted", "a/b"]}, ["from a/b", "from an untrusted result"]),
    ({"not_from": ["task"]}, ["not from the task or from a trusted result"]),
    ({"not_from": ["task", "trusted"]}, []),
]


@pytest.mark.parametrize(("data", "weaker"), WIDER, ids=[str(data) for data, _ in WIDER])
def test_a_grants_limit_is_widened_part_by_part_and_step_by_step(data: Any, weaker: list[str]) -> None:
    assert [words(found) for _, found in wider(parsed(data))] == weaker


@pytest.mark.parametrize(("data", "weaker"), NARROWER, ids=[str(data) for data, _ in NARROWER])
def test_a_denys_limit_loses_one_value_or_one_step(data: Any, weaker: list[str]) -> None:
    assert [words(found) for _, found in narrower(parsed(data, grant=False))] == weaker


def test_every_kind_of_limit_is_in_both_lists() -> None:
    kinds = {kind.__name__ for kind in get_args(Constraint)}
    assert {type(parsed(data, grant=False)).__name__ for data, _ in NARROWER} == kinds
    assert {type(parsed(data)).__name__ for data, _ in WIDER} == kinds - {"Some"}


VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, True, 0, 0.5, 1, 2, 5, 6, -1, 50.01, 61, "x", "X", "y", "a", "aa", "aaaa", "1", "", [], {}]),
    st.sampled_from(["/srv/project", "/srv/project/.env", "/srv/x", "/etc", "a.md", "..", ".ENV", "b/x.key"]),
    st.sampled_from(["a@a.org", "a@x.a.org", "b.org", "https://a.org/", "https://x.a.org/", "http://127.0.0.1/"]),
    st.lists(st.sampled_from([0, 1, 2, 5, 6, "x"]), max_size=4),
    st.dictionaries(st.sampled_from(["k", "l"]), st.sampled_from([0, 5, 6]), max_size=2),
)


@given(st.sampled_from([data for data, _ in WIDER]), VALUES)
def test_what_a_grant_permits_its_wider_forms_permit_too(data: Any, value: Any) -> None:
    constraint = parsed(data)
    if compile_check(constraint)(value, Still()) is Answer.YES:
        for what, weaker in wider(constraint):
            assert compile_check(weaker)(value, Still()) is Answer.YES, what


@given(st.sampled_from([data for data, _ in NARROWER]), VALUES)
def test_what_a_deny_lets_through_its_narrower_forms_let_through_too(data: Any, value: Any) -> None:
    constraint = parsed(data, grant=False)
    if compile_check(constraint)(value, Still()) is Answer.NO:
        for what, weaker in narrower(constraint):
            assert compile_check(weaker)(value, Still()) is Answer.NO, what


FACTS = CaseFacts(NOW, "/srv/project", {})
MIXED = {"not_in": ["a", 1, True]}  # of several types: clearly none of it is nothing
HISTORY = {"from", "not_from"}  # no sample shows where it comes from: a case with results does
SAMPLED = [data for data, _ in WIDER if data not in ("any", MIXED) and HISTORY.isdisjoint(data)]


@pytest.mark.parametrize("data", SAMPLED, ids=str)
def test_samples_fit_and_miss_every_kind_of_limit(data: Any) -> None:
    constraint = parsed(data)
    check = compile_check(constraint)
    fits = [value for value in fitting(constraint) if check(value, FACTS) is Answer.YES]
    assert fits
    assert any(check(value, FACTS) is not Answer.YES for value in missing(constraint, fits[0]))


@pytest.mark.parametrize("data", SAMPLED, ids=str)
def test_some_sample_tells_every_wider_form_from_its_limit(data: Any) -> None:
    constraint = parsed(data)
    check = compile_check(constraint)
    fits = next(value for value in fitting(constraint) if check(value, FACTS) is Answer.YES)
    for what, weaker in wider(constraint):
        between = compile_check(weaker)
        assert any(
            check(value, FACTS) is not Answer.YES and between(value, FACTS) is Answer.YES
            for value in missing(constraint, fits)
        ), what
