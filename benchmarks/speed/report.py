"""The same numbers for a person (tables) and for a program (one JSON object)."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.speed.calls import Row
from benchmarks.speed.decisions import Judgement
from benchmarks.speed.startup import Memory, Start

STACK = ("mcp-guard", "mcp", "orjson", "uvicorn")
HTTP_NOTE = "over HTTP, `added` counts from the SDK's server reached directly, whatever server stands behind the guard"


@dataclass(frozen=True)
class Report:
    """One run."""

    rounds: int
    calls: int
    rows: list[Row]
    judgements: list[Judgement]
    starts: list[Start]
    memory: list[Memory]

    def as_json(self) -> dict[str, Any]:
        return {
            "machine": machine(),
            "rounds": self.rounds,
            "calls_per_round": self.calls,
            "calls": [row.as_json() for row in self.rows],
            "judgements": [judgement.as_json() for judgement in self.judgements],
            "starts": [start.as_json() for start in self.starts],
            "memory": [memory.as_json() for memory in self.memory],
        }

    def show(self, console: Console) -> None:
        console.print(*(f"{name} {value}" for name, value in machine().items()), sep=", ")
        for table in (self.calls_table(), self.judgements_table(), self.starts_table(), self.memory_table()):
            console.print()
            console.print(table)

    def calls_table(self) -> Table:
        title = f"one call with 20 bytes, µs; {self.rounds} interleaved rounds of {self.calls} calls; {HTTP_NOTE}"
        table = grid(title, "transport", "server", "chain", *NUMBERS)
        for row in self.rows:
            quartiles = "" if row.added_quartiles is None else "{:.0f} to {:.0f}".format(*row.added_quartiles)
            added = ["" if value is None else f"{value:+.0f}" for value in (row.added_p50, row.added_p99)]
            where = (row.chain.transport, row.chain.server, row.chain.name)
            table.add_row(*where, f"{row.p50:.0f}", f"{row.p99:.0f}", added[0], quartiles, added[1])
        return table

    def judgements_table(self) -> Table:
        title = (
            "one judgement, µs, from cold: alone; with charge, entry and commit; then the outcome's entry and commit"
        )
        names = ("decide p50", "p99", "recorded p50", "p99", "outcome p50", "p99")
        table = grid(title, "rules", "for the tool", *names)
        for it in self.judgements:
            times = (f"{value:.1f}" for pair in (it.decide, it.step, it.outcome) for value in pair)
            table.add_row(str(it.rules), str(it.candidates), *times)
        return table

    def starts_table(self) -> Table:
        table = grid("from the start to the first listing, ms", "server", "chain", "median", "slowest")
        for start in self.starts:
            table.add_row(start.chain.server, start.chain.name, f"{start.median:.0f}", f"{start.slowest:.0f}")
        return table

    def memory_table(self) -> Table:
        table = grid("resident memory of a guarded stdio chain, MB", "server", "process", "MB")
        for row in self.memory:
            table.add_row(row.chain.server, row.what, f"{row.megabytes:.1f}")
        return table


NUMBERS = ("p50", "p99", "added p50", "quartiles of it by round", "added p99")


def grid(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    words = {"transport", "server", "chain", "process"}
    for column in columns:
        table.add_column(column, justify="left" if column in words else "right")
    return table


def machine() -> dict[str, str]:
    """What a reader needs to judge the numbers: nothing that identifies the machine."""
    stack = {name: version(name) for name in STACK}
    system = f"{platform.system()} {platform.machine()}"
    return {"python": sys.version.split()[0], "system": system, "cores": str(os.cpu_count()), **stack}
