"""A guard process as the record sees it: `python -m tests.record.writer DIRECTORY MODE`. Speaks lines."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections import deque
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from mcp_guard.errors import RecordFailed
from mcp_guard.model import Charge, Decision, Effect, Outcome
from mcp_guard.record.entries import Entry
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.record.schema import patiently
from mcp_guard.record.store import Record
from mcp_guard.record.usage import UsageView
from mcp_guard.record.verify import verify
from tests.record.examples import DENIED, PAY, SESSION, allow, at_most, insist, request

ROOM = 400_000  # bytes; more than the opening needs, and soon full


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def calls(record: Record) -> None:
    """Call after call, each named once it is committed, until killed."""
    judge = allow(Charge(PAY.key, 1, {"amount": Decimal("0.1")}))
    while True:
        entry = record.step(request(), judge)
        _say(entry.id)
        record.finish(entry, Outcome.OK, duration_ms=1)


def budget(record: Record) -> None:
    """Ten attempts at a budget of three, once everybody is ready."""
    _say("ready")
    sys.stdin.readline()
    for _ in range(10):
        _say(insist(lambda: record.step(request(), at_most(3))).decision.effect.name)


def full(record: Record) -> None:
    """Calls until no file may grow any more; then with room again."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, hard))
    try:
        for _ in range(100_000):
            record.step(request(), allow(Charge(PAY.key)))
    except RecordFailed as error:
        _say(str(error))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    _say(record.step(request(), allow(Charge(PAY.key))).decision.effect.name)


def some(record: Record) -> None:
    """Twenty calls from beginning to end, with all the others at it too."""
    for _ in range(20):
        entry = insist(lambda: record.step(request(), allow(Charge(PAY.key))))
        patiently(lambda entry=entry: record.finish(entry, Outcome.OK, duration_ms=1))  # type: ignore[misc]
    _say("20")


def under_way(record: Record) -> None:
    """A disk fills up by the record itself while a hundred calls are under way; then they end, one after the other."""
    waiting = deque[Entry]()
    allowed, refused = 0, ""
    while not refused and allowed < 100_000:
        try:
            waiting.append(record.step(request(), allow(Charge(PAY.key))))
            allowed += 1
            if len(waiting) > 100:
                record.finish(waiting.popleft(), Outcome.OK, duration_ms=1)
        except RecordFailed as error:
            refused = str(error)
    under_way = len(waiting)
    while waiting:
        record.finish(waiting.popleft(), Outcome.OK, duration_ms=1, note="x" * 256)
    wrong = verify(record.directory)
    with open_for_reading(record.directory) as query:
        without = sum(row.effect == "allow" and not row.outcome for row in query.entries(Filter()))
    subprocess.run(["mount", "-o", "remount,size=64m", str(record.directory.parent)], check=True)
    after = record.step(request(), allow()).decision.effect.name
    told = {"allowed": allowed, "refused": refused, "under_way": under_way, "without_outcome": without}
    _say(json.dumps(told | {"wrong": wrong, "after": after}))


def labels(record: Record) -> None:
    """A call for each line, which gives that label: what the next judge sees. Then, after `flood`, until killed."""
    for line in sys.stdin:
        label = line.strip()
        if label == "flood":
            break
        insist(lambda label=label: _exposed(record, label))  # type: ignore[misc]
        found: list[str] = []
        insist(lambda found=found: record.step(request(), lambda view: _seen(view, found)))  # type: ignore[misc]
        _say(" ".join(found))
    for number in range(400):
        name = f"{record.chain[:4]}-{number}"
        insist(lambda name=name: _exposed(record, name))  # type: ignore[misc]
        _say(name)
    sys.stdin.readline()


def _exposed(record: Record, label: str) -> Entry:
    return record.step(request(), lambda _: Decision(Effect.ALLOW, rules=(PAY,), gives=frozenset({label})))


def _seen(view: UsageView, found: list[str]) -> Decision:
    found[:] = sorted(view.labels())
    return DENIED


def key(record: Record) -> None:
    """The digest key, as this process has it."""
    _say(record.key.hex())


MODES = {
    "calls": calls,
    "budget": budget,
    "full": full,
    "key": key,
    "some": some,
    "under_way": under_way,
    "labels": labels,
}

if __name__ == "__main__":
    opened = Record.open(Path(sys.argv[1]), session=SESSION, clock=lambda: datetime.now(UTC))
    MODES[sys.argv[2]](opened)
    opened.close()
