"""`python -m benchmarks.record [--entries N] [--json]`: what the record costs. Progress goes to standard error.

Latency and rate: one process, one call after another, a decision with a charge and its outcome. The rest on a record
of N entries (1,000,000 by default): its size, `verify`, the first reading of a long record, and filters after that.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from mcp_guard.model import Charge, Decision, Effect, Kind, Outcome, Reason, RuleRef
from mcp_guard.record import schema
from mcp_guard.record.entries import Request
from mcp_guard.record.keys import signing_seed
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.record.signing import Signer
from mcp_guard.record.store import Record
from mcp_guard.record.usage import UsageView
from mcp_guard.record.verify import examine
from mcp_guard.wire import keyed_digest

CALLS = 5000
EVERY = 1000  # entries between two checkpoints
SERVERS = ("bank", "files", "mail", "web")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.record", description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        for durability in ("process", "disk"):
            figures |= latency(Path(place) / durability, durability)
        figures |= long_record(Path(place) / "long", options.entries)
    if options.json:
        print(json.dumps(figures, indent=2))
        return 0
    table = Table("what", "figure")
    for name, figure in figures.items():
        table.add_row(name, f"{figure:,.1f}" if figure < 1000 else f"{figure:,.0f}")
    Console().print(table)
    return 0


def request(number: int, key: bytes) -> Request:
    params = {"name": "transfer_money", "arguments": {"amount": number, "recipient": "DE02120300000000202051"}}
    return Request(
        principal=f"person-{number % 7}",
        session=f"{number % 50:016x}",
        method="tools/call",
        server=SERVERS[number % len(SERVERS)],
        target=f"tool_{number % 40}",
        kind=Kind.TOOL,
        shape={"amount": "integer", "recipient": "string 22"},
        digest=keyed_digest(key, params),
        authority_digest="a" * 64,
        client="assistant 1.2",
        values={"amount": "d" * 32, "recipient": "e" * 32},
    )


def judge(number: int) -> Callable[[UsageView], Decision]:
    rule = RuleRef("policy", f"rule-{number % 30}", Effect.ALLOW, "/home/me/project/policy.yaml", 12, 5)
    if number % 10 == 0:
        refused = Decision(Effect.DENY, Reason.NO_GRANT, permitted=("amount: above 0, at most 100",))
        return lambda _: refused
    allowed = Decision(Effect.ALLOW, rules=(rule,), charges=(Charge(rule.key),))
    return lambda _: allowed


def call(record: Record, number: int) -> None:
    entry = record.step(request(number, record.key), judge(number))
    if entry.decision.allowed:
        record.finish(entry, Outcome.OK, duration_ms=1.5)


def latency(directory: Path, durability: Any) -> dict[str, float]:
    """One call's two commits in a loop, and the entries that one core takes."""
    with Record.open(directory, session="benchmark", clock=lambda: datetime.now(UTC), durability=durability) as record:
        calls = CALLS if durability == "process" else CALLS // 10
        taken = []
        began = time.perf_counter()
        for number in range(calls):
            start = time.perf_counter_ns()
            call(record, number)
            taken.append((time.perf_counter_ns() - start) / 1000)
        rate = record._writer.head.seq / (time.perf_counter() - began)
    taken.sort()
    return {
        f"a call's two entries, p50, µs ({durability})": statistics.median(taken),
        f"a call's two entries, p99, µs ({durability})": taken[len(taken) * 99 // 100],
        f"entries a second on one core ({durability})": rate,
    }


def long_record(directory: Path, entries: int) -> dict[str, float]:
    with Progress(console=Console(stderr=True)) as progress:
        fill(directory, entries, progress)
    size = (directory / "guard.db").stat().st_size
    figures: dict[str, float] = {"entries in the long record": entries, "bytes an entry": size / entries}
    began, worked = time.perf_counter(), time.process_time()
    report = examine(schema.open_for_reading(directory))
    figures["verify, s"] = time.perf_counter() - began
    figures["verify, s of the processor (what it would take on a machine of its own)"] = time.process_time() - worked
    assert report.count == 0
    with open_for_reading(directory) as query:
        began = time.perf_counter()
        query.counts("effect", Filter())
        figures["first reading (index), s"] = time.perf_counter() - began
    figures["index, bytes an entry"] = (directory / "index.db").stat().st_size / entries
    for name, took in filters(directory).items():
        figures[f"{name}, s"] = took
    return figures


def fill(directory: Path, entries: int, progress: Progress) -> None:
    """As many entries, a second apart, written as a guard writes them, in transactions of many to save time."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ticks = iter(range(10 * entries))
    with Record.open(directory, session="benchmark", clock=lambda: now + timedelta(seconds=next(ticks))) as record:
        signer, task, number = Signer(signing_seed(directory)), progress.add_task("writing", total=entries), 0
        while record._writer.head.seq < entries - 1:
            number += 1
            call(record, number)
            if record.unsigned >= EVERY:
                record.checkpoint(signer)
                progress.update(task, completed=record._writer.head.seq)


def filters(directory: Path) -> dict[str, float]:
    """Each on a fresh opening, the newest 50."""
    half = datetime(2026, 1, 3, tzinfo=UTC)
    wanted = {
        "--tool": Filter(tool="bank/tool_0", limit=50),
        "--tool with a pattern that nothing fits": Filter(tool="nothing/*", limit=50),
        "--denied": Filter(denied=True, limit=50),
        "--principal": Filter(principal="person-3", limit=50),
        "--reason, --server": Filter(reason="no_grant", server="mail", limit=50),
        "--rule": Filter(rule="policy/rule-7", limit=50),
        "--outcome that never was": Filter(outcome="unknown", limit=50),
        "--since, --until": Filter(since=half, until=half + timedelta(hours=1), limit=50),
        "--session": Filter(session=f"{7:016x}", limit=50),
    }
    took = {}
    for name, each in wanted.items():
        began = time.perf_counter()
        with open_for_reading(directory) as query:
            list(query.entries(each))
        took[name] = time.perf_counter() - began
    for field in ("tool", "rule", "day"):
        began = time.perf_counter()
        with open_for_reading(directory) as query:
            query.counts(field, Filter())
        took[f"--count-by {field}"] = time.perf_counter() - began
    return took


if __name__ == "__main__":
    sys.exit(main())
