"""From starting the command to the first listing understood, and the memory that the guard then holds."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks.speed.callers import StdioCaller
from benchmarks.speed.chains import SERVERS, Chain


@dataclass(frozen=True)
class Start:
    """Milliseconds to the first listing."""

    chain: Chain
    median: float
    slowest: float

    def as_json(self) -> dict[str, Any]:
        where = {"chain": self.chain.name, "server": self.chain.server}
        return {**where, "median_ms": self.median, "slowest_ms": self.slowest}


@dataclass(frozen=True)
class Memory:
    """Resident megabytes of one process of a guarded chain; `what` is the guard, its warden, or the tool server."""

    chain: Chain
    what: str
    megabytes: float

    def as_json(self) -> dict[str, Any]:
        return {"transport": self.chain.transport, "server": self.chain.server, "what": self.what, "mb": self.megabytes}


def measure_start(chains: list[Chain], repeats: int, tick: Callable[[], None]) -> list[Start]:
    """Each stdio chain started `repeats` times, in turns, after one start that warms the disk's cache."""
    stdio = [chain for chain in chains if chain.transport == "stdio"]
    times: list[list[float]] = [[] for _ in stdio]
    for repeat in range(repeats + 1):
        for at, chain in enumerate(stdio):
            with ExitStack() as stack:
                before = time.perf_counter()
                chain.open(stack).open()
                took = (time.perf_counter() - before) * 1000
            if repeat:
                times[at].append(took)
                tick()
    return [Start(chain, statistics.median(took), max(took)) for chain, took in zip(stdio, times, strict=True)]


def measure_memory(chains: list[Chain], calls: int, tick: Callable[[], None]) -> list[Memory]:
    """What each process of a guarded stdio chain holds after `calls` calls."""
    rows = []
    for chain in chains:
        if chain.transport != "stdio" or chain.name != "guard":
            continue
        with ExitStack() as stack:
            caller = chain.open(stack)
            assert isinstance(caller, StdioCaller)
            caller.open()
            for _ in range(calls):
                caller.echo(chain.tool)
            rows += [Memory(chain, what, size) for what, size in processes(caller.process.pid, chain.server)]
        tick()
    return rows


def processes(guard: int, server: str) -> list[tuple[str, float]]:
    """The guard and its descendants, by what they are, with resident megabytes."""
    table = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,rss=,args="], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    rows = [line.split(maxsplit=3) for line in table]
    children: dict[int, list[list[str]]] = {}
    for line in rows:
        children.setdefault(int(line[1]), []).append(line)
    (mine,) = [line for line in rows if int(line[0]) == guard]
    found, below = [("guard", int(mine[2]) / 1024)], list(children.get(guard, []))
    while below:
        line = below.pop()
        is_server = line[3].split() == list(SERVERS[server])
        found.append(("tool server" if is_server else "warden", int(line[2]) / 1024))
        below += children.get(int(line[0]), [])
    return found
