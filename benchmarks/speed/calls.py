"""Time of a call through each chain: all chains alive at once, short rounds, a new order in each."""

from __future__ import annotations

import gc
import random
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks.speed.chains import Chain

WARM_UP = 50


@dataclass(frozen=True)
class Row:
    """What one chain took, in microseconds. `added` compares round by round with the direct chain beside it."""

    chain: Chain
    p50: float
    p99: float
    added_p50: float | None
    added_quartiles: tuple[float, float] | None  # of the rounds' added medians: how much to trust the number
    added_p99: float | None

    def as_json(self) -> dict[str, Any]:
        where = {"chain": self.chain.name, "transport": self.chain.transport, "server": self.chain.server}
        times = {"p50_us": self.p50, "p99_us": self.p99, "added_p50_us": self.added_p50, "added_p99_us": self.added_p99}
        return {**where, **times, "added_p50_quartiles_us": self.added_quartiles}


def measure(chains: list[Chain], rounds: int, calls: int, tick: Callable[[], None]) -> list[Row]:
    """`rounds` rounds of `calls` calls through every chain; `tick` is called after each chain's turn."""
    order = random.Random(1)  # noqa: S311 - shuffles rounds
    samples: list[list[list[int]]] = [[] for _ in chains]
    with ExitStack() as stack:
        callers = []
        for chain in chains:
            caller = chain.open(stack)
            caller.open()
            for _ in range(WARM_UP):
                caller.echo(chain.tool)
            callers.append(caller)
        for _ in range(rounds):
            turns = list(range(len(chains)))
            order.shuffle(turns)
            gc.collect()
            gc.disable()
            for turn in turns:
                callers[turn].wake(chains[turn].tool)
                samples[turn].append([callers[turn].echo(chains[turn].tool) for _ in range(calls)])
                tick()
            gc.enable()
    return [row(chain, samples[at], samples[direct(chains, chain)]) for at, chain in enumerate(chains)]


def direct(chains: list[Chain], chain: Chain) -> int:
    """The direct chain to the same server on the same transport; over HTTP there is one, of the SDK's server."""
    bases = [at for at, other in enumerate(chains) if other.base and other.transport == chain.transport]
    return next((at for at in bases if chains[at].server == chain.server), bases[0])


def row(chain: Chain, rounds: list[list[int]], base: list[list[int]]) -> Row:
    p50, p99 = percentiles(rounds)
    if chain.base:
        return Row(chain, p50, p99, None, None, None)
    pairs = zip(rounds, base, strict=True)
    added = [(statistics.median(mine) - statistics.median(other)) / 1000 for mine, other in pairs]
    low, middle, high = statistics.quantiles(added, n=4)
    return Row(chain, p50, p99, middle, (low, high), p99 - percentiles(base)[1])


def percentiles(rounds: list[list[int]]) -> tuple[float, float]:
    """p50 and p99 over all rounds together, in microseconds."""
    cuts = statistics.quantiles([sample for samples in rounds for sample in samples], n=100)
    return cuts[49] / 1000, cuts[98] / 1000
