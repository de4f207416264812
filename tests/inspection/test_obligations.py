"""Wishes of several grants add up and never get lost."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.inspection.obligations import NOTHING, TYPES, Obligations
from mcp_guard.policy.mutation_limits import less_done

LIMITS = st.none() | st.integers(1, 5)
PATTERNS = st.lists(st.sampled_from([("a", "x"), ("b", "y")]), unique=True).map(lambda some: tuple(sorted(some)))
WISHES = st.builds(
    Obligations,
    redact=st.booleans(),
    patterns=PATTERNS,
    truncate=LIMITS,
    strip_hidden=st.booleans(),
    quarantine=st.booleans(),
    max_size=LIMITS,
    types=st.none() | st.frozensets(st.sampled_from(TYPES)),
).map(lambda one: dataclasses.replace(one, redact=one.redact or bool(one.patterns)))
EVERY = Obligations(True, (("a", "x"),), 5, True, True, 9, frozenset({"text"}))


@given(WISHES, WISHES, WISHES)
def test_adding_up_loses_nothing_in_any_order(one: Obligations, two: Obligations, three: Obligations) -> None:
    assert one | two == two | one
    assert (one | two) | three == one | (two | three)
    assert one | one == one | NOTHING == NOTHING | one == one
    assert (one | two).covers(one)
    assert not one.covers(two) or (one | three).covers(two)


def test_every_wish_is_known_in_every_way() -> None:
    """A field that is added and forgotten somewhere is found here."""
    for field in dataclasses.fields(Obligations):
        without = dataclasses.replace(EVERY, **{field.name: getattr(NOTHING, field.name)})
        assert EVERY.covers(without)
        assert not without.covers(EVERY), field.name
        assert set(without.in_words()) < set(EVERY.in_words()), field.name
        assert bool(without)
    weaker = [less for _, less in less_done(EVERY)]
    assert all(EVERY.covers(less) and less != EVERY for less in weaker)
    for field in dataclasses.fields(Obligations):
        if field.name != "redact":  # patterns keep it; alone it is dropped below
            assert any(getattr(less, field.name) != getattr(EVERY, field.name) for less in weaker), field.name
    assert [less for _, less in less_done(Obligations(redact=True))] == [NOTHING]
