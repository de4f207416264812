"""When a server counts as ill, and when as well again. No clock runs here."""

from __future__ import annotations

import pytest

from mcp_guard.health import MAX_CRASHES, MAX_TIME_OUTS, REST, Health


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def health(told: list[str]) -> Health:
    return Health(lambda event, why: told.append(event))


def test_a_server_that_crashed_too_often_in_a_row_is_not_waited_for_while_it_is_down(
    health: Health, told: list[str]
) -> None:
    for _ in range(MAX_CRASHES - 1):
        health.crashed("x", steady=False)
    assert not health.resting(0, down=True)
    health.crashed("x", steady=False)
    assert health.resting(0, down=True)
    assert not health.resting(0, down=False)  # it is back: calls find out how it is
    health.crashed("x", steady=False)
    assert told == ["ill"]


def test_a_crash_after_a_steady_while_counts_as_the_first(health: Health, told: list[str]) -> None:
    for _ in range(10):
        health.crashed("x", steady=True)
    assert not health.resting(0, down=True)
    assert told == []


def test_an_answer_right_after_a_restart_does_not_make_a_crashing_server_well(health: Health, told: list[str]) -> None:
    for _ in range(MAX_CRASHES):
        health.crashed("x", steady=False)
    health.answered(steady=False)
    assert told == ["ill"]
    health.answered(steady=True)
    health.answered(steady=True)
    assert told == ["ill", "well"]
    assert not health.resting(0, down=True)


def test_a_server_that_keeps_silent_is_left_alone_for_a_while(health: Health, told: list[str]) -> None:
    for _ in range(MAX_TIME_OUTS - 1):
        health.timed_out(100)
    assert not health.resting(100, down=False)
    health.timed_out(100)
    assert health.resting(100 + REST - 0.1, down=False)
    assert not health.resting(100 + REST, down=False)
    health.timed_out(200)  # one call found out that it is as before
    assert health.resting(200, down=False)
    assert told == ["ill"]


def test_one_answer_ends_a_row_of_time_outs(health: Health, told: list[str]) -> None:
    for _ in range(MAX_TIME_OUTS - 1):
        health.timed_out(0)
    health.answered(steady=False)
    health.timed_out(0)
    assert not health.resting(0, down=False)
    for _ in range(MAX_TIME_OUTS):
        health.timed_out(0)
    health.answered(steady=False)
    assert not health.resting(0, down=False)
    assert told == ["ill", "well"]
