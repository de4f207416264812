"""What looking after changing files costs a guard: `python -m tests.accepting.measured` prints it for this machine."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mcp_guard.accepting import local
from tests.accepting.live import Running, only

TIMES = 2000
CONFIG = "version: 1\npolicy: policy.yaml\nservers:\n  raw: {command: [one]}\n"


def microseconds(act: Callable[[], object]) -> float:
    """The median of many times."""
    taken = []
    for _ in range(TIMES):
        start = time.perf_counter()
        act()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1e6


async def main() -> None:
    with tempfile.TemporaryDirectory() as home, Running(Path(home), only("echo", "send"), config=CONFIG) as scene:
        await scene.look(3)
        local.add(scene.house.state, scene.place, server="raw", tool="send", by="local:me")
        scene.record.read(scene.guard.renew)
        watch = scene.watch()
        print(f"a look at {len(watch.paths)} files, once a second: {microseconds(lambda: _look(scene)):.0f} us")
        renew = microseconds(lambda: scene.record.read(scene.guard.renew))
        print(f"local denies, in each judgement: {renew:.1f} us")
        start = time.perf_counter()
        scene.reload._stand()
        print(f"looking into a change of a policy of one rule: {(time.perf_counter() - start) * 1e3:.1f} ms")


def _look(scene: Running) -> bool:
    return scene.watch().due(scene.reload._accepted())


if __name__ == "__main__":
    asyncio.run(main())
