"""Shares and their intervals, held against values worked out elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.alignment.shares import Share


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],
)
def test_the_interval_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    assert Share(hits, of).interval == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_holds_the_share_and_stays_within_nothing_and_all(case: tuple[int, int]) -> None:
    share = Share(*case)
    low, high = share.interval
    assert share.value is not None and 0.0 <= low <= share.value + 1e-12 and share.value - 1e-12 <= high <= 1.0


def test_a_share_of_nothing_has_no_value_and_says_so() -> None:
    assert Share(0, 0).value is None and str(Share(0, 0)) == "-"
    assert Share(0, 0).interval == (0.0, 1.0)


def test_shares_add_up_by_their_counts_and_say_them() -> None:
    assert str(Share(1, 2) + Share(2, 2)) == "75.0% (3/4)"
