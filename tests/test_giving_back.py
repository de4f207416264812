"""A guard doesn't hold for ever what some big messages took for a moment."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from mcp_guard.giving_back import GROWN, GivingBack

FREED = """
import asyncio
from mcp_guard.giving_back import GivingBack, resident
looked_after = GivingBack()
before = resident()
kept = [b"%d" % n * 50_000 for n in range(10, 90) for _ in range(5)]
del kept[:-1]  # what is still in use stands above all that is free
grown = resident()
asyncio.run(looked_after.look())
print(grown - before, resident() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc holds on to what is free")
def test_what_is_free_goes_back_to_the_system_though_something_above_it_is_in_use() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    grown, left = map(int, done.stdout.split())
    assert grown > 30_000_000, "nothing was held on to, so that the test shows nothing"
    assert left < grown / 4


async def test_a_process_that_has_not_grown_is_left_alone() -> None:
    given = list[int]()
    looked_after = GivingBack(lambda: 50 << 20, lambda: given.append(1))
    for _ in range(3):
        await looked_after.look()
    grown = iter([50 << 20, (50 << 20) + GROWN])
    looked_after = GivingBack(lambda: next(grown), lambda: given.append(1))
    await looked_after.look()
    assert given == []


async def test_what_was_in_use_at_one_look_goes_back_at_the_next() -> None:
    process = {"in use": 0, "free": 0}
    looked_after = GivingBack(lambda: sum(process.values()), lambda: process.update(free=0))
    process["in use"] = 3 * GROWN
    await looked_after.look()
    process.update({"in use": 0, "free": 3 * GROWN})  # the message went, and the C library kept what it had
    await looked_after.look()
    assert process == {"in use": 0, "free": 0}


async def test_what_stays_in_use_is_not_looked_for_again_at_each_look() -> None:
    held, given = [0], list[int]()
    looked_after = GivingBack(lambda: held[-1], lambda: given.append(held[-1]))
    held.append(3 * GROWN)
    for _ in range(10):
        await looked_after.look()
    assert given == [3 * GROWN] * 2
