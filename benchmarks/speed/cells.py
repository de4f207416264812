"""Time of a call through each chain: all chains of one route alive at once, short rounds, a new order in each.

A cell is an era, a size and a number of calls at once. What a chain can't do is kept as such, with the reason: a peer
that hangs, crashes or doesn't speak an era costs its own cells and no more.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.speed.callers import ERAS, Broken, Caller, Era
from benchmarks.speed.chains import ROUTES, Chain
from benchmarks.speed.flood import flood
from benchmarks.speed.processes import Held, between, held, on_core

SIZES = {"20 B": 20, "10 KB": 10_240, "1 MB": 1_048_576}
AT_ONCE = (1, 16, 64)
WARM_UP = 20
PEER_PATIENCE = 5.0  # seconds for one answer of a peer
PEER_START = 20.0  # and for its first, while it starts: on a busy machine one of them was said not to speak an era
SLOW = 0.3  # seconds of one call, beyond which many at once would take minutes
Tick = Callable[[str], None]


@dataclass(frozen=True)
class Amounts:
    """How much is measured."""

    rounds: int = 7
    least_rounds: int = 5  # even when time runs out
    calls: int = 60  # of one turn, one after the other
    flood: int = 150  # of one turn with many at once
    turn: float = 0.25  # seconds after which a turn ends
    seconds: float = 480.0  # for all of it, and half as much again on a slow machine


@dataclass(frozen=True)
class Cell:
    """Which calls: an era, a size by name, how many at once."""

    era: Era
    size: str
    at_once: int


@dataclass
class Row:
    """One chain in one cell: a list of nanoseconds for each round, and calls a second of each."""

    chain: Chain
    cell: Cell
    rounds: list[list[int]] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    cpu_ns: int = 0
    why_not: str = ""

    @property
    def all(self) -> list[int]:
        return [one for taken in self.rounds for one in taken]

    @property
    def medians(self) -> list[float]:
        """Of each round, in microseconds."""
        return [statistics.median(taken) / 1000 for taken in self.rounds]

    @property
    def p50(self) -> float:
        """Microseconds, of all calls."""
        return statistics.median(self.all) / 1000

    @property
    def p99(self) -> float:
        ordered = sorted(self.all)
        return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] / 1000

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    @property
    def cpu(self) -> float:
        """Microseconds on a core for each call, of what stands in between."""
        return self.cpu_ns / len(self.all) / 1000 if self.all else 0.0

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles of the rounds' medians: how far to trust the number."""
        if len(self.rounds) < 2:
            return self.p50, self.p50
        low, _, high = statistics.quantiles(self.medians, n=4, method="inclusive")
        return low, high

    def added(self, base: Row) -> float:
        """Microseconds over another chain's: round by round, since what else the machine does hits both, then the
        median of the rounds."""
        return statistics.median(mine - theirs for mine, theirs in zip(self.medians, base.medians, strict=False))

    def against(self, base: Row) -> float:
        """How many times the other chain's total, the same way."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.medians, base.medians, strict=False))


@dataclass
class Standing:
    """What a chain holds and took: bytes after its calls, seconds to its first listing."""

    chain: Chain
    era: Era
    memory: Held = field(default_factory=Held)
    first_listing: float = 0.0


@dataclass
class Measured:
    rows: list[Row] = field(default_factory=list)
    standing: list[Standing] = field(default_factory=list)

    def row(self, chain: str, route: str, server: str, cell: Cell) -> Row | None:
        """The row, if it has figures."""
        for one in self.rows:
            where = (one.chain.name, one.chain.route, one.chain.server)
            if where == (chain, route, server) and one.cell == cell and not one.why_not:
                return one
        return None


def cells(era: Era) -> list[Cell]:
    """Many at once with 1 MB each would measure the client's pipes."""
    return [Cell(era, size, many) for size in SIZES for many in AT_ONCE if many == 1 or SIZES[size] < 1 << 20]


def measure(chains: list[Chain], amounts: Amounts, tick: Tick) -> Measured:
    """Every route in both eras, each with all of its chains at once."""
    result = Measured()
    routes = [route for route in ROUTES if any(chain.route == route for chain in chains)]
    share = amounts.seconds / (len(routes) * len(ERAS))
    for route in routes:
        for era in ERAS:
            tick(f"{route}, {era}")
            _route([chain for chain in chains if chain.route == route], era, amounts, share, result)
    return result


def _route(chains: list[Chain], era: Era, amounts: Amounts, share: float, result: Measured) -> None:
    order = random.Random(1)  # noqa: S311 - shuffles rounds
    rows = {(chain, cell): Row(chain, cell) for chain in chains for cell in cells(era)}
    result.rows += rows.values()
    with ExitStack() as stack:
        callers: dict[Chain, Caller] = {}
        processes: dict[Chain, tuple[int, ...]] = {}
        for chain in chains:
            standing = Standing(chain, era)
            caller = _opened(chain, era, stack, standing, [rows[chain, cell] for cell in cells(era)])
            if caller is not None:
                callers[chain], processes[chain] = caller, between(caller.roots)
                result.standing.append(standing)
        until = time.monotonic() + share
        for number in range(amounts.rounds):
            if number >= amounts.least_rounds and time.monotonic() > until:
                break
            for cell in cells(era):
                if number and time.monotonic() > until + share / 2:
                    break
                turns = [chain for chain in callers if not rows[chain, cell].why_not]
                order.shuffle(turns)
                for chain in turns:
                    began = time.monotonic()
                    _turn(callers[chain], processes[chain], rows[chain, cell], amounts)
                    if rows[chain, cell].why_not and time.monotonic() - began > PEER_PATIENCE:
                        _give_up(chain, era, rows)
        for standing in result.standing:
            if standing.era == era and standing.chain in callers:
                standing.memory = held(processes[standing.chain])


def _opened(chain: Chain, era: Era, stack: ExitStack, standing: Standing, rows: list[Row]) -> Caller | None:
    """A caller that has listed and is warm; None, and the reason in its rows, if it can't be had."""
    began = time.perf_counter()
    try:
        caller = chain.open(stack, era)
        usual = PEER_PATIENCE if chain.is_peer else caller.patience
        caller.patience = PEER_START if chain.is_peer else caller.patience
        caller.open()
        caller.patience = usual
        standing.first_listing = time.perf_counter() - began
        _warm_up(caller, rows)
        return caller
    except (Broken, OSError, ValueError, KeyError) as error:
        if not chain.is_peer:
            raise
        for row in rows:
            row.why_not = f"doesn't speak this era: {_short(error)}" if era == "modern" else _short(error)
        return None


def _warm_up(caller: Caller, rows: list[Row]) -> None:
    """Some calls that don't count. One that starts a process for each call isn't asked for many at once."""
    began, taken = time.monotonic(), list[int]()
    while len(taken) < WARM_UP and (not taken or time.monotonic() - began < 3):
        taken.append(caller.echo())
    usual = statistics.median(taken) / 1e9
    if usual > SLOW:
        for row in rows:
            if row.cell.at_once > 1:
                row.why_not = f"one call takes {usual:.1f} s"


def _give_up(chain: Chain, era: Era, rows: dict[tuple[Chain, Cell], Row]) -> None:
    """One that hung: each of its other cells would wait as long."""
    for cell in cells(era):
        row = rows[chain, cell]
        if not row.rounds:
            row.why_not = row.why_not or "it hung in another cell"


def _turn(caller: Caller, processes: tuple[int, ...], row: Row, amounts: Amounts) -> None:
    size, many = SIZES[row.cell.size], row.cell.at_once
    gc.collect()
    gc.disable()
    try:
        caller.wake()
        before = on_core(processes)
        if many == 1:
            taken, seconds = _one_by_one(caller, size, amounts)
        else:
            done = flood(caller, many, amounts.flood, size, amounts.turn)
            taken, seconds = done.taken, done.seconds
        row.cpu_ns += max(0, on_core(processes) - before)  # less, if one of them has ended
        row.rounds.append(taken)
        row.rates.append(len(taken) / seconds)
    except (Broken, OSError, ValueError, KeyError) as error:
        if not row.chain.is_peer:
            raise
        row.rounds.clear()
        row.why_not = _short(error)
    finally:
        gc.enable()


def _one_by_one(caller: Caller, size: int, amounts: Amounts) -> tuple[list[int], float]:
    began, taken = time.perf_counter(), list[int]()
    while len(taken) < amounts.calls and (len(taken) < 2 or time.perf_counter() - began < amounts.turn):
        taken.append(caller.echo(size))
    return taken, time.perf_counter() - began


def _short(error: Exception) -> str:
    """One line of it, without a path of this machine."""
    words = [word for word in " ".join(str(error).split()).split(" ") if "/" not in word]
    return " ".join(words)[:160] or type(error).__name__
