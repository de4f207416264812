"""Decisions over a history of 200 calls, in memory and in the record; loading; comparing.

In processor time of this thread, so that what else the machine does isn't counted; nor is a disk's time.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.policy.documents import MANDATE, call, policy
from mcp_guard.guard import LiveFacts
from mcp_guard.model import Call, Decision, Effect, Facts, Kind
from mcp_guard.policy.cases_facts import CaseFacts
from mcp_guard.policy.compare import compare
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, Document, load_text
from mcp_guard.record.entries import Request
from mcp_guard.record.store import Record
from mcp_guard.record.usage import UsageView

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
HISTORY = 200  # calls, every second one of the tool that is measured
SIZES = (10, 100, 1000)


@dataclass(frozen=True)
class Times:
    """Microseconds: the median, and what 99 of 100 stay below."""

    p50: float
    p99: float


@dataclass(frozen=True)
class Report:
    """All that is measured; milliseconds where the name says so."""

    in_memory: dict[int, Times]  # by number of rules: with two layers, budgets, and the history in memory
    alone: dict[int, Times]  # the same without budgets and history, one layer
    record: Times  # 1,000 rules, two layers: the same judgement where the history is in the record
    step: Times  # and with its charges and its entry, committed
    load_ms: float  # 1,000 rules
    diff_ms: float  # two documents of 200 rules

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def load(rules: int, *, edited: bool = False) -> Document:
    """The policy, loaded from its text."""
    text = policy(rules, edited=edited).encode()
    return load_text(text, file="policy.yaml", kind="policy", variables={"project": "/srv/project"})


def stack(rules: int) -> Authority:
    """Policy and mandate."""
    mandate = load_text(MANDATE.encode(), file="mandate.yaml", kind="mandate", variables={"project": "/srv/project"})
    return Authority((load(rules), mandate), NOW)


def run(directory: Path, decisions: int, repeats: int) -> Report:
    """Everything, once."""
    large = stack(SIZES[-1])
    record, step = in_record(directory, large, decisions // 10)
    return Report(
        in_memory={rules: in_memory(stack(rules), decisions) for rules in SIZES},
        alone={rules: by_itself(load(rules), decisions) for rules in SIZES},
        record=record,
        step=step,
        load_ms=least(repeats, lambda: load(SIZES[-1])),
        diff_ms=least(repeats, lambda: compare((load(200),), (load(200, edited=True),))),
    )


class Counted(CaseFacts):
    """Facts that have their counters at hand, as one judgement after the other finds them in a transaction."""

    def __init__(self, of: CaseFacts) -> None:
        super().__init__(of.now, "/srv/project", {})
        self.used = cache(of.used)  # type: ignore[method-assign]
        self.values = cache(of.values)  # type: ignore[method-assign]


def in_memory(authority: Authority, count: int) -> Times:
    """Judgements over facts that hold the history."""
    facts, asked = Counted(history(authority)), call()
    assert decide(authority, asked, facts).allowed
    return timed(count, lambda: decide(authority, asked, facts))


def by_itself(document: Document, count: int) -> Times:
    """A tool without a budget."""
    authority = Authority((document,))
    facts = CaseFacts(NOW, "/srv/project", {})
    asked = call("server3/tool3", {"path": "/srv/project/part3/a.md", "size": 2})
    assert decide(authority, asked, facts).allowed
    return timed(count, lambda: decide(authority, asked, facts))


def history(authority: Authority) -> CaseFacts:
    """Facts after so many calls, one a second."""
    facts = CaseFacts(NOW, "/srv/project", {})
    for number in range(HISTORY):
        facts.now = NOW + timedelta(seconds=number)
        asked = _earlier(number)
        facts.charge(decide(authority, asked, facts).charges)
    return facts


def in_record(directory: Path, authority: Authority, count: int) -> tuple[Times, Times]:
    """The judgement alone, and all of the step around it, each call a call more in the history."""
    moment = NOW
    spent: list[float] = []

    def judged(view: UsageView, asked: Call) -> Decision:
        facts: Facts = LiveFacts(view.now, view, {}, {}, key=record.key)
        start = time.thread_time_ns()
        decision = decide(authority, asked, facts)
        spent.append((time.thread_time_ns() - start) / 1000)
        return decision

    with Record.open(directory / "state", session="5e55101", clock=lambda: moment) as record:
        for number in range(HISTORY):
            moment = NOW + timedelta(seconds=number)
            asked = _earlier(number)
            record.step(_request(asked), lambda view, asked=asked: judged(view, asked))  # type: ignore[misc]
        spent.clear()
        asked, whole = call(), []
        for _ in range(count):
            moment += timedelta(seconds=432)  # so that as many are in the last day, and the rate has room
            start = time.thread_time_ns()
            entry = record.step(_request(asked), lambda view: judged(view, asked))
            whole.append((time.thread_time_ns() - start) / 1000)
            assert entry.decision.effect is Effect.ALLOW
    return _times(spent), _times(whole)


def _earlier(number: int) -> Call:
    if number % 2:
        return call("server3/tool3", {"path": "/srv/project/part3/a.md", "size": 2})
    return call(arguments={"amount": number % 50 + 0.25, "recipient": f"DE{number % 20:020d}"})


def _request(asked: Call) -> Request:
    return Request(asked.principal, "5e55101", asked.method, asked.server, asked.target, Kind.TOOL, {}, "d", "a")


def timed(count: int, action: Callable[[], object]) -> Times:
    """So many calls of `action`, one by one, the collector running as it likes."""
    for _ in range(count // 10):
        action()
    samples = []
    for _ in range(count):
        start = time.thread_time_ns()
        action()
        samples.append((time.thread_time_ns() - start) / 1000)
    return _times(samples)


def least(repeats: int, action: Callable[[], object]) -> float:
    """Milliseconds of the fastest: what else the machine does only adds."""
    found = []
    for _ in range(repeats):
        gc.collect()
        start = time.thread_time_ns()
        action()
        found.append((time.thread_time_ns() - start) / 1e6)
    return min(found)


def _times(samples: list[float]) -> Times:
    ordered = sorted(samples)
    return Times(ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100])
