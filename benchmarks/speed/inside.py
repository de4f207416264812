"""What a judgement costs as its documents, its history and the record grow: no client, no server, no pipe.

The calls that fill a record are written by the record itself, but for the millions of `entries`: those are rows of the
right size, which no judgement reads and no check is asked about.
"""

from __future__ import annotations

import shutil
import sqlite3
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.speed.decisions import clock, policy, record_in
from benchmarks.speed.growth import Curve
from mcp_guard.guard import Guard, LiveFacts
from mcp_guard.model import Call, Effect, Outcome
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, load_text
from mcp_guard.protection import Protection
from mcp_guard.record.store import Record

_BODY = b"x" * 300
_ROOM = 700  # bytes of the disk for an entry, generously
_AT_ONCE = 250_000  # rows of one transaction: SQLite's log stays small beside the file
_FILLING = """
WITH RECURSIVE row(at) AS (SELECT :first UNION ALL SELECT at + 1 FROM row WHERE at < :last)
INSERT INTO entries SELECT at, 1000000, at, :time, CASE at % 2 WHEN 1 THEN at - 1 END, :body, randomblob(32) FROM row
"""
POLICY = """\
version: 1
tools:
  files/write_file: {effect: write}
  web/fetch: {effect: [read, egress], gives: untrusted}
grants:
  - id: write
    tool: files/write_file
    args: {path: {under: $project}, content: any}
    budget: {calls: 1000000000, per: session}
deny:
  - {id: tainted, effect: [egress], when: {labels: [untrusted]}}
  - {id: early, tool: files/write_file, when: {labels: [closed]}}
"""


@dataclass(frozen=True)
class Sizes:
    rules: tuple[int, ...] = (1, 10, 100, 1_000, 10_000)
    history: tuple[int, ...] = (0, 1_000, 10_000, 100_000)
    entries: tuple[int, ...] = (0, 100_000, 1_000_000, 10_000_000)
    samples: int = 2000
    filling: float = 300.0  # seconds for the rows of `entries`; sizes that aren't reached in them are left out


QUICK = Sizes(rules=(1, 1_000), history=(0, 500), entries=(0, 20_000), samples=100)


def measure(directory: Path, sizes: Sizes, tick: Callable[[str], None]) -> list[Curve]:
    (directory / "project").mkdir(parents=True)
    tick("rules")
    curves = [_rules(directory, sizes)]
    tick("history")
    curves.append(_history(directory, sizes))
    tick("entries")
    return [*curves, _entries(directory, sizes, tick)]


def _call(directory: Path) -> Call:
    arguments = {"path": str(directory / "project" / "module.py"), "content": "print('hello')\n"}
    return Call("benchmark", "tools/call", "files", "write_file", {"name": "write_file", "arguments": arguments})


def _rules(directory: Path, sizes: Sizes) -> Curve:
    """In a hot loop, by all rules of the document; three of them are for the tool that is called."""
    curve, call = Curve("rules", "a decision", "µs"), _call(directory)
    variables = {"project": str(directory / "project")}
    texts = {size: policy(size, min(size, 3)) for size in sizes.rules}
    loaded = {
        size: Authority((load_text(text, file="policy.yaml", kind="policy", variables=variables),))
        for size, text in texts.items()
    }
    known = {"files": frozenset({"write_file"})}
    rounds: dict[int, list[float]] = {size: [] for size in loaded}
    for _ in range(5):
        for size, authority in loaded.items():
            taken = []
            for _ in range(sizes.samples):
                facts = LiveFacts(clock(), None, known, {})
                began = time.perf_counter_ns()
                decision = decide(authority, call, facts)
                taken.append(time.perf_counter_ns() - began)
            assert decision.effect is Effect.ALLOW, decision
            rounds[size].append(statistics.median(taken) / 1000)
    curve.points = {size: statistics.median(found) for size, found in rounds.items()}
    return curve


def _history(directory: Path, sizes: Sizes) -> Curve:
    """A session that has called so often before: judged, charged, written and finished."""
    curve, call = Curve("history", "judged, recorded, finished", "µs"), _call(directory)
    with record_in(directory / "history") as record:
        guard, done = _guard(directory, record), 0
        for size in sizes.history:
            while done < size:
                _carry(guard, call)
                done += 1
            curve.points[size] = statistics.median(_timed(guard, call, sizes.samples // 4))
    return curve


def _entries(directory: Path, sizes: Sizes, tick: Callable[[str], None]) -> Curve:
    """The same in a record that has so many entries of others; sizes for which the disk has no room are left out."""
    curve, call = Curve("entries", "judged, recorded, finished", "µs"), _call(directory)
    until = time.monotonic() + sizes.filling
    with record_in(directory / "entries") as record:
        guard = _guard(directory, record)
        for size in sizes.entries:
            if shutil.disk_usage(directory).free < _ROOM * size or not _fill(record, size, until, tick):
                tick(f"entries: {size:,} of them are left out")
                break
            _carry(guard, call)
            curve.points[size] = statistics.median(_timed(guard, call, sizes.samples // 4))
    shutil.rmtree(directory / "entries", ignore_errors=True)
    return curve


def _fill(record: Record, size: int, until: float, tick: Callable[[str], None]) -> bool:
    """Rows of an earlier chain, as if another guard process had written them. False if there was no time for all."""
    (file,) = [row[2] for row in record.look("PRAGMA database_list") if row[1] == "main"]
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous=OFF")
        newest = "SELECT position, time FROM entries ORDER BY position DESC LIMIT 1"
        while (found := connection.execute(newest).fetchone())[0] < size - 1:
            if time.monotonic() > until:
                return False
            first, last = found[0] + 1, min(found[0] + _AT_ONCE, size - 1)
            connection.execute(_FILLING, {"first": first, "last": last, "time": found[1], "body": _BODY})
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            tick(f"entries: {last + 1:,} of {size:,}")
        return True
    finally:
        connection.close()


def _guard(directory: Path, record: Record) -> Guard:
    project = str(directory / "project")
    document = load_text(POLICY.encode(), file="policy.yaml", kind="policy", variables={"project": project})
    protection = Protection([str(record.directory)], [project])
    return Guard(Authority((document,)), record, (), False, protection, session_key="benchmark", clock=clock)


def _timed(guard: Guard, call: Call, samples: int) -> list[float]:
    taken = []
    for number in range(samples):
        began = time.perf_counter_ns()
        _carry(guard, replace(call, params={**call.params, "_meta": {"number": number}}))
        taken.append((time.perf_counter_ns() - began) / 1000)
    return taken


def _carry(guard: Guard, call: Call) -> None:
    known = {"files": frozenset({"write_file"})}
    described = guard.describe(call, "benchmark", "benchmark", {})
    entry = guard.record.step(described, lambda view: guard.judge(call, None, LiveFacts(view.now, view, known, {})))
    assert entry.decision.allowed, entry
    guard.record.finish(entry, Outcome.OK, duration_ms=1.0)
