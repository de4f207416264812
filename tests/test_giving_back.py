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
    held, given = [50 << 20], list[int]()
    looked_after = GivingBack(lambda: held[-1], lambda: given.append(held[-1]))
    for now in (GROWN, 2 * GROWN, 0):  # of these, the second is more than it may be
        held.append((50 << 20) + now)
        await looked_after.look()
    assert given == [(50 << 20) + 2 * GROWN]


async def test_what_stays_in_use_is_not_looked_for_again_at_each_look() -> None:
    held, given = [0], list[int]()
    looked_after = GivingBack(lambda: held[-1], lambda: given.append(held[-1]))
    held.append(3 * GROWN)
    for _ in range(10):
        await looked_after.look()
    assert given == [3 * GROWN]
