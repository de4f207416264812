"""What one run found: for a program (one JSON object), and the ratios that are quoted."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks.speed.cells import Amounts, Cell, Measured, Row
from benchmarks.speed.decisions import Judgement
from benchmarks.speed.growth import Curve, per_session
from benchmarks.speed.startup import Start
from mcp_guard import __version__

STACK = ("mcp", "orjson", "uvicorn", "uvloop", "httptools")


@dataclass
class Report:
    """One run. A part that wasn't asked for is empty."""

    amounts: Amounts
    peers: dict[str, str]
    measured: Measured = field(default_factory=Measured)
    judgements: list[Judgement] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    help_ms: float = 0.0
    curves: list[Curve] = field(default_factory=list)
    seconds: float = 0.0
    quick: bool = False
    cut_short: bool = False  # there was no time for all of it

    def as_json(self) -> dict[str, Any]:
        return {
            "machine": machine(),
            "peers": self.peers,
            "amounts": asdict(self.amounts),
            "seconds": round(self.seconds),
            "quick": self.quick,
            "cut_short": self.cut_short,
            "calls": [_as_json(row) for row in self.measured.rows],
            "standing": [
                {**_where(one.chain), "era": one.era, "memory": one.memory, "first_listing_s": one.first_listing}
                for one in self.measured.standing
            ],
            "judgements": [judgement.as_json() for judgement in self.judgements],
            "starts": [{**_where(one.chain), "median_ms": one.median} for one in self.starts],
            "help_ms": self.help_ms,
            "growth": [asdict(curve) for curve in self.curves],
            "kb_per_session": per_session(self.curves),
            "ratios": [asdict(ratio) for ratio in self.ratios()],
        }

    def ratios(self) -> list[Ratio]:
        """The aims, each beside what this run found. Only what was measured."""
        found = [*self._on_stdio(), *self._over_http(), *self._inside()]
        return [one for one in found if one.value is not None]

    def _row(self, chain: str, route: str, size: str = "20 B", many: int = 1, server: str = "sdk") -> Row | None:
        return self.measured.row(chain, route, server, Cell("legacy", size, many))

    def _best_peer(self, route: str) -> Row | None:
        rows = [row for row in self.measured.rows if row.chain.is_peer and row.chain.route == route]
        there = [row for row in rows if row.cell == Cell("legacy", "20 B", 1) and row.rounds and not row.why_not]
        return min(there, key=lambda row: row.p50, default=None)

    def _on_stdio(self) -> list[Ratio]:
        route, found = "stdio→stdio", []
        for size, aim in (("20 B", 250.0), ("10 KB", 400.0)):
            guard, direct = self._row("guard", route, size), self._row("direct", route, size)
            added = guard.added(direct) if guard is not None and direct is not None else None
            found.append(Ratio(f"stdio: added at {size}, p50, before the SDK's server", added, aim, "µs"))
        guard = self._row("guard", route)
        many, raw = self._row("guard", route, many=64), self._row("guard", route, many=64, server="raw")
        return [
            *found,
            Ratio("stdio: total against the bare relay's", _over(guard, self._row("bare relay", route)), 1.5, "x"),
            Ratio("stdio: total against the quickest peer's", _over(guard, self._best_peer(route)), 1.0, "x"),
            _rates("64 at once: calls/s against fastmcp's", many, self._row("fastmcp", route, many=64), 3.0),
            _rates("64 at once: calls/s against direct, SDK server", many, self._row("direct", route, many=64), 0.9),
            Ratio("64 at once: calls/s, raw server", None if raw is None else raw.rate, 25_000.0, "/s", False),
        ]

    def _over_http(self) -> list[Ratio]:
        route = "HTTP→HTTP"
        guard, peer = self._row("guard", route), self._best_peer(route)
        return [
            Ratio("HTTP→HTTP: total against direct", _over(guard, self._row("direct", route)), 1.8, "x"),
            Ratio("HTTP→HTTP: the quickest peer's total against ours", _over(peer, guard), 15.0, "x", False),
            Ratio("memory of each further HTTP session", per_session(self.curves), 60.0, "KB"),
        ]

    def _inside(self) -> list[Ratio]:
        rules = next((curve.points for curve in self.curves if curve.name == "rules"), {})
        memory = {one.chain.route: one.memory / 1e6 for one in self.measured.standing if one.chain.name == "guard"}
        return [
            Ratio("a decision in a hot loop, 1,000 rules", rules.get(1000), 3.0, "µs"),
            Ratio("memory on stdio, guard and warden", memory.get("stdio→stdio"), 45.0, "MB"),
            Ratio("memory over HTTP, guard and warden", memory.get("HTTP→HTTP"), 85.0, "MB"),
            Ratio("`mcp-guard --help`", self.help_ms or None, 100.0, "ms"),
        ]


@dataclass(frozen=True)
class Ratio:
    """One aim. `at_most`: the figure should be no more than the aim; else no less."""

    what: str
    value: float | None
    aim: float
    unit: str
    at_most: bool = True

    @property
    def reached(self) -> bool:
        value = self.value or 0.0
        return value <= self.aim if self.at_most else value >= self.aim


def machine() -> dict[str, str]:
    """What a reader needs to judge the numbers: nothing that identifies the machine."""
    stack = {"mcp-guard": __version__}
    for name in STACK:
        try:
            stack[name] = version(name)
        except PackageNotFoundError:
            stack[name] = "not installed"
    system = f"{platform.system()} {platform.machine()}"
    load = f"{os.getloadavg()[0]:.1f}"
    return {"python": sys.version.split()[0], "system": system, "cores": str(os.cpu_count()), "load": load, **stack}


def _over(row: Row | None, base: Row | None) -> float | None:
    return None if row is None or base is None else row.against(base)


def _rates(what: str, row: Row | None, base: Row | None, aim: float) -> Ratio:
    value = None if row is None or base is None else row.rate / base.rate
    return Ratio(what, value, aim, "x", at_most=False)


def _where(chain: Any) -> dict[str, str]:
    return {"chain": chain.name, "route": chain.route, "server": chain.server}


def _as_json(row: Row) -> dict[str, Any]:
    where = {**_where(row.chain), **asdict(row.cell)}
    if row.why_not or not row.rounds:
        return {**where, "not_measured": row.why_not}
    times = {"p50_us": row.p50, "quartiles_us": row.spread, "p99_us": row.p99, "calls_a_second": row.rate}
    return {**where, **times, "cpu_us": row.cpu, "rounds": len(row.rounds), "calls": len(row.all)}
