"""`python -m benchmarks.beside [--json]`: what a call pays for what is done beside its decision, in microseconds.

Keeping its values (`record: {values: true}`), and judging it under a candidate too: the demo's policy beside itself.
Each is timed alone, call after call in one process, without the decision and its entry (`benchmarks.record` has those).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.table import Table

from mcp_guard.bundled import bundled
from mcp_guard.candidate import Candidate
from mcp_guard.model import Call, Decision, Effect, Facts
from mcp_guard.policy.document import Authority, load_policy
from mcp_guard.record.entries import Entry
from mcp_guard.record.values import Values
from mcp_guard.report.replay import World

CALLS = 5000
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
ALLOWED = Decision(Effect.ALLOW)
ARGUMENTS = {"path": "src/cart/tax.py", "content": "def tax(amount):\n    return amount * 19 / 100\n"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        figures |= timed("keeping the values", keeping(Path(place)))
        figures |= timed("a candidate", judging(Path(place)))
    if options.json:
        print(json.dumps(figures, indent=2))
        return 0
    table = Table("what", "µs a call")
    for name, figure in figures.items():
        table.add_row(name, f"{figure:,.1f}")
    Console().print(table)
    return 0


def timed(name: str, step: Callable[[int], object]) -> dict[str, float]:
    """The first calls open files and fill caches; they aren't counted."""
    for number in range(CALLS // 10):
        step(-1 - number)
    taken = []
    for number in range(CALLS):
        start = time.perf_counter_ns()
        step(number)
        taken.append((time.perf_counter_ns() - start) / 1000)
    taken.sort()
    return {f"{name}, p50": statistics.median(taken), f"{name}, p99": taken[len(taken) * 99 // 100]}


def keeping(directory: Path) -> Callable[[int], object]:
    directory.chmod(0o700)
    values = Values(directory, bytes(32))

    def step(number: int) -> None:
        values.keep(Entry("a" * 32, number, number, "s", ALLOWED, NOW), {**ARGUMENTS, "line": number}, KNOWN)

    return step


KNOWN = {**dict.fromkeys(ARGUMENTS), "line": None}


def judging(directory: Path) -> Callable[[int], object]:
    """The facts are those of a replay: labels can't be told, and where a path leads is taken as it is written."""
    policy = load_policy(bundled("policies", "demo.yaml"), variables={"project": str(directory)})
    candidate = Candidate(Authority((policy,)))
    facts = World(strict=False, seen=lambda _: None, now=NOW, session="s", leads=lambda path: path)
    allowed = {"arguments": {"path": str(directory / "notes" / "a.txt"), "content": "some words"}}
    call = Call("me", "tools/call", "files", "write_file", cast("dict[str, Any]", allowed))

    def step(number: int) -> None:
        candidate.beside(ALLOWED, call, cast("Facts", facts))

    return step


if __name__ == "__main__":
    sys.exit(main())
