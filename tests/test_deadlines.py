"""One timer for all that wait equally long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from mcp_guard.deadlines import Deadlines

PATIENCE = 10.0
SHORT = 0.01
LONG = 3600.0


class Waiter:
    """Notes that it was told."""

    def __init__(self, told: list[Waiter], then: Callable[[], None] = lambda: None) -> None:
        self._told, self._then = told, then

    def overdue(self) -> None:
        self._told.append(self)
        self._then()


async def test_those_that_wait_too_long_are_told_once_in_their_order_and_those_that_are_done_never() -> None:
    deadlines, told, last = Deadlines(SHORT), list[Waiter](), asyncio.Event()
    first, second, third = Waiter(told), Waiter(told), Waiter(told, last.set)
    for one in (first, second, third):
        deadlines.add(one)
    deadlines.done(second)
    await asyncio.wait_for(last.wait(), PATIENCE)
    assert told == [first, third]
    again = asyncio.Event()
    deadlines.add(Waiter(told, again.set))  # also after everybody else was told
    await asyncio.wait_for(again.wait(), PATIENCE)
    assert len(told) == 3


async def test_nobody_is_told_early_though_the_timer_was_made_for_another_one() -> None:
    deadlines, told, over = Deadlines(SHORT), list[Waiter](), asyncio.Event()
    gone, loop = Waiter(told), asyncio.get_running_loop()
    deadlines.add(gone)
    woken = asyncio.Event()
    loop.call_later(SHORT / 2, woken.set)
    await woken.wait()
    began = loop.time()
    deadlines.add(Waiter(told, over.set))
    deadlines.done(gone)
    await asyncio.wait_for(over.wait(), PATIENCE)
    assert gone not in told
    assert loop.time() - began >= SHORT - 0.002


async def test_one_that_ends_the_others_or_fails_leaves_each_of_the_rest_told_at_most_once() -> None:
    deadlines, told, last = Deadlines(SHORT), list[Waiter](), asyncio.Event()

    def fails() -> None:
        deadlines.done(ended)
        raise RuntimeError

    failing, ended, after = Waiter(told, fails), Waiter(told), Waiter(told, last.set)
    for one in (failing, ended, after):
        deadlines.add(one)
    await asyncio.wait_for(last.wait(), PATIENCE)
    assert told == [failing, after]


async def test_a_thousand_calls_make_one_timer_and_a_server_that_is_closed_keeps_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, made = asyncio.get_running_loop(), list[asyncio.TimerHandle]()
    call_later = loop.call_later

    def counting(delay: float, callback: Callable[..., object]) -> asyncio.TimerHandle:
        made.append(call_later(delay, callback))
        return made[-1]

    monkeypatch.setattr(loop, "call_later", counting)
    deadlines, told = Deadlines(LONG), list[Waiter]()
    for _ in range(1000):
        deadlines.add(one := Waiter(told))
        deadlines.done(one)
    assert len(made) == 1
    deadlines.add(last := Waiter(told))
    deadlines.close()
    assert not made[0].cancelled()  # somebody waits
    deadlines.done(last)
    assert made[0].cancelled()
    assert told == []
