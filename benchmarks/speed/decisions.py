"""Time of one judgement, and of the whole step around it, by the number of rules.

Taken as it happens in a running guard: between two samples the process waits for an answer on a pipe, so that caches
are as cold as they are there. A tight loop would show a fraction of it.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.speed.callers import StdioCaller
from benchmarks.speed.servers import RAW_SERVER
from mcp_guard.guard import Guard, LiveFacts
from mcp_guard.model import Call, Effect, Outcome
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, load_text
from mcp_guard.protection import Protection
from mcp_guard.record.store import Record

SIZES = ((1, 1), (100, 3), (1000, 3), (1000, 200))
"""Rules in the policy; how many of them are grants for the called tool: these are examined, the others passed by."""
KINDS = ("decide", "step", "outcome")


@dataclass(frozen=True)
class Judgement:
    """Microseconds, as medians and 99th percentiles. `step` judges, charges, records and commits; `outcome` records."""

    rules: int
    candidates: int  # of them, grants for the called tool
    decide: tuple[float, float]
    step: tuple[float, float]
    outcome: tuple[float, float]

    def as_json(self) -> dict[str, Any]:
        parts = {"decide": self.decide, "step": self.step, "outcome": self.outcome}
        times = {f"{name}_{cut}_us": pair[at] for name, pair in parts.items() for at, cut in enumerate(("p50", "p99"))}
        return {"rules": self.rules, "candidates": self.candidates, **times}


def policy(rules: int, candidates: int) -> bytes:
    """A policy of `rules` rules: `candidates` grants for the called tool, of which only the last one fits it.

    Of the others, one in ten is a deny whose pattern has to be tried, the rest are grants for other tools.
    """
    lines = ["version: 1", "tools: {files/write_file: {effect: write}}", "grants:"]
    denies = []
    for number in range(candidates - 1):
        args = f"{{path: {{under: $project/part{number}}}, content: any}}"
        lines.append(f"  - {{id: c{number}, tool: files/write_file, args: {args}}}")
    for number in range(rules - candidates):
        if number % 10 == 0:
            denies.append(f"  - {{id: d{number}, tool: 'other{number}*/delete_*', advice: Not here.}}")
        else:
            lines.append(f"  - {{id: g{number}, tool: other{number}/read, args: {{path: {{under: $project}}}}}}")
    last = "{path: {under: $project, not_name: ['*.env', '*.pem']}, content: {max_length: 100000}}"
    lines.append(f"  - {{id: last, tool: files/write_file, args: {last}, budget: {{calls: 1000000000, per: session}}}}")
    return "\n".join([*lines, *(["deny:", *denies] if denies else []), ""]).encode()


def measure(directory: Path, samples: int, tick: Callable[[], None]) -> list[Judgement]:
    """`samples` of each kind for every size; the sizes take turns, and so do the kinds."""
    project = directory / "project"
    (project / "src").mkdir(parents=True)
    arguments = {"path": str(project / "src" / "module.py"), "content": "print('hello')\n"}
    call = Call("benchmark", "tools/call", "files", "write_file", {"name": "write_file", "arguments": arguments})
    found: dict[tuple[tuple[int, int], str], list[int]] = {(size, kind): [] for size in SIZES for kind in KINDS}
    with record_in(directory / "decisions") as record, cold_pipe() as cool:
        guards = {size: guard(policy(*size), project, record) for size in SIZES}
        for _ in range(samples):
            for size, judge in guards.items():
                for kind, taken in one_of_each(judge, call, cool):
                    found[size, kind].append(taken)
                tick()
    return [Judgement(*size, *(cuts(found[size, kind]) for kind in KINDS)) for size in SIZES]


def one_of_each(guard: Guard, call: Call, cool: Callable[[], None]) -> Iterator[tuple[str, int]]:
    """Nanoseconds of a bare judgement, of a recorded one, and of its outcome, each from cold."""
    known = {"files": frozenset({"write_file"})}
    cool()
    before = time.perf_counter_ns()
    decision = decide(guard.authority, call, LiveFacts(datetime.now(UTC), None, known, {}))
    yield "decide", time.perf_counter_ns() - before
    assert decision.effect is Effect.ALLOW, decision

    cool()
    before = time.perf_counter_ns()
    request = guard.describe(call, "benchmark", "benchmark", {})
    entry = guard.record.step(request, lambda usage: guard.judge(call, None, LiveFacts(usage.now, usage, known, {})))
    yield "step", time.perf_counter_ns() - before
    assert entry.decision.allowed, entry

    cool()
    before = time.perf_counter_ns()
    guard.record.finish(entry, Outcome.OK, duration_ms=1.0)
    yield "outcome", time.perf_counter_ns() - before


def guard(text: bytes, project: Path, record: Record) -> Guard:
    document = load_text(text, file="policy.yaml", kind="policy", variables={"project": str(project)})
    protection = Protection([str(record.directory)], [str(project)])
    return Guard(Authority((document,)), record, (), False, protection, session_key="benchmark", clock=clock)


def clock() -> datetime:
    return datetime.now(UTC)


@contextmanager
def record_in(directory: Path) -> Iterator[Record]:
    record = Record.open(directory, session="benchmark", clock=clock)
    with record:
        yield record


@contextmanager
def cold_pipe() -> Iterator[Callable[[], None]]:
    """A wait for another process, as a guard has one between a call and the next."""
    with StdioCaller([sys.executable, str(RAW_SERVER)]) as caller:
        caller.open()

        def cool() -> None:
            caller.echo()

        yield cool


def cuts(samples: list[int]) -> tuple[float, float]:
    """p50 and p99, in microseconds."""
    found = statistics.quantiles(samples, n=100)
    return found[49] / 1000, found[98] / 1000
