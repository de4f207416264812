"""Whether work grows with its size as it should, told from two sizes far apart: a margin that noise can't use up."""

from __future__ import annotations

import time
from collections.abc import Callable

TIMES = 32  # apart; what grows with the square costs 1,024 times as much
ALLOWED = 10 * TIMES


def linear(work: Callable[[int], object], small: int) -> bool:
    """Whether `work` of 32 times the size costs well under 32 squared times as much, in time of this process."""
    return fastest(work, small * TIMES, 2) < ALLOWED * fastest(work, small, 5)


def fastest(work: Callable[[int], object], size: int, tries: int) -> float:
    """The least seconds of the processor that `work` of `size` took in so many tries: other programs add little."""
    return min(_seconds(work, size) for _ in range(tries))


def _seconds(work: Callable[[int], object], size: int) -> float:
    started = time.process_time()
    work(size)
    return time.process_time() - started


def moderate(work: Callable[[int], object]) -> bool:
    """Whether `work(1)` costs less than what a thousand million turns of a loop cost here: ten seconds on an idle
    machine, more where others are at work, and next to nothing beside what grows with a square or worse.
    """
    return _seconds(work, 1) < 1000 * fastest(_turns, 1_000_000, 3)


def _turns(count: int) -> None:
    for _ in range(count):
        pass
