"""From starting the command to the first listing understood, and how long `mcp-guard --help` takes."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.speed.callers import Broken
from benchmarks.speed.chains import GUARD, Chain
from benchmarks.speed.servers import installed


@dataclass(frozen=True)
class Start:
    """Milliseconds to the first listing."""

    chain: Chain
    median: float
    slowest: float


def measure(chains: list[Chain], repeats: int, tick: Callable[[str], None]) -> list[Start]:
    """Each stdio chain started `repeats` times, in turns, after one start that warms the disk's cache."""
    stdio = [chain for chain in chains if chain.route == "stdio→stdio"]
    times: dict[Chain, list[float]] = {chain: [] for chain in stdio}
    for repeat in range(repeats + 1):
        tick(f"start {repeat}")
        for chain in stdio:
            took = _started(chain)
            if repeat and took is not None:
                times[chain].append(took)
    return [Start(chain, statistics.median(took), max(took)) for chain, took in times.items() if took]


def _started(chain: Chain) -> float | None:
    with ExitStack() as stack:
        before = time.perf_counter()
        try:
            chain.open(stack, "legacy").open()
        except (Broken, OSError, ValueError, KeyError):
            if not chain.is_peer:
                raise
            return None
        return (time.perf_counter() - before) * 1000


def help_ms(repeats: int) -> float:
    """The median of `mcp-guard --help`, after one that compiles what there is to compile."""
    taken = []
    for _ in range(repeats + 1):
        before = time.perf_counter()
        subprocess.run([*GUARD, "--help"], stdout=subprocess.DEVNULL, env=installed(), check=True)
        taken.append((time.perf_counter() - before) * 1000)
    return statistics.median(taken[1:])
