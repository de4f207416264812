"""How often a client is told of what changes all the time."""

from __future__ import annotations

from itertools import pairwise

from mcp_guard.deliveries import AFTER, LONGEST, _Pace


def told_in(pace: _Pace, seconds: float, start: float = 0.0) -> list[float]:
    """When it is told of a list that changes without a pause."""
    moments = (start + step * AFTER for step in range(int(seconds / AFTER)))
    return [moment for moment in moments if pace.take(moment)]


def test_a_list_that_changes_all_the_time_is_told_of_less_and_less_often_but_never_given_up() -> None:
    told = told_in(_Pace(), 120)
    assert told[0] == 0
    assert len(told) < 40
    assert all(later - earlier <= LONGEST + 2 * AFTER for earlier, later in pairwise(told))


def test_after_a_quiet_while_a_change_is_told_at_once_again() -> None:
    pace = _Pace()
    told_in(pace, 60)
    assert pace.take(100)
    assert pace.take(100 + 2 * AFTER)
