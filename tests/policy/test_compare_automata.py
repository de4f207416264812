"""Patterns as automata match what the engine matches that judges real calls."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.policy.compare_automata import Automaton, TooMany, automaton, find_text
from mcp_guard.policy.compare_regex import has_complement, literal, longest, read_pattern
from mcp_guard.policy.constraint_kinds import Matches
from mcp_guard.policy.constraint_pattern import text_test, why_not_pattern

ATOMS = [
    "a",
    "b",
    "A",
    ".",
    "[ab]",
    "[^a]",
    "[a-c_-]",
    r"\d",
    r"\w",
    r"\s",
    r"\S",
    r"\W",
    r"\.",
    r"\-",
    "(?:ab)",
    "(a|b)",
    "[.]",
]
CHARACTERS = ["a", "b", "A", "c", "0", "_", "-", ".", " ", "\n", "\u00a0", "\u00e9", "\U0001f600", "]"]

patterns = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("(?:{}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,}", "*?", "{,1}"])),
    ),
    max_leaves=5,
)
texts = st.lists(st.sampled_from(CHARACTERS), max_size=5).map("".join)


def matches(machine: Automaton, text: str) -> bool:
    states = machine.start()
    for character in text:
        states = machine.step(states, ord(character))
    return 1 in states


@settings(max_examples=1500, deadline=None)
@given(patterns, texts)
def test_a_pattern_that_can_be_read_matches_what_the_engine_matches(pattern: str, text: str) -> None:
    tree = read_pattern(pattern)
    if tree is None or why_not_pattern(pattern) is not None:
        return
    assert matches(automaton(tree), text) == text_test(Matches(pattern).anchored)(text)
    limit = longest(tree)
    if limit is not None and matches(automaton(tree), text):
        assert len(text) <= limit


@settings(max_examples=500, deadline=None)
@given(patterns, patterns)
def test_a_text_that_is_found_is_one_that_only_the_first_matches(one: str, other: str) -> None:
    trees = read_pattern(one), read_pattern(other)
    if trees[0] is None or trees[1] is None:
        return
    found = find_text([automaton(trees[0])], [automaton(trees[1])])
    if found is not None:
        assert text_test(Matches(one).anchored)(found)
        assert not text_test(Matches(other).anchored)(found)


@pytest.mark.parametrize(
    "pattern", ["a{1,1000}", r"\p{L}", r"\bx", "^a", "a$", "[[:alpha:]]", "[a&&b]", "[]a]", "(?i)a", "a{,3}"]
)
def test_what_is_not_known_for_certain_is_not_read(pattern: str) -> None:
    assert read_pattern(pattern) is None


def test_nothing_is_found_between_a_pattern_and_a_wider_one() -> None:
    narrow, wide = (automaton(tree) for tree in map(read_pattern, ["(ab)+", "[ab]*"]) if tree is not None)
    assert find_text([narrow], [wide]) is None
    assert find_text([wide], [narrow]) == ""
    assert find_text([wide, narrow], [automaton(literal("ab"))], 3) is None


def test_a_search_without_end_is_given_up() -> None:
    tree = read_pattern("[ab]*a" + "[ab]" * 18)
    assert tree is not None and not has_complement(tree)
    with pytest.raises(TooMany):
        find_text([automaton(tree)], [automaton(tree)])
