"""A guard process as the record sees it: `python -m tests.record.writer DIRECTORY MODE`. Speaks lines."""

from __future__ import annotations

import resource
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from mcp_guard.errors import RecordFailed
from mcp_guard.model import Charge, Outcome
from mcp_guard.record.store import Record
from tests.record.examples import PAY, SESSION, allow, at_most, insist, request

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


def key(record: Record) -> None:
    """The digest key, as this process has it."""
    _say(record.key.hex())


if __name__ == "__main__":
    opened = Record.open(Path(sys.argv[1]), session=SESSION, clock=lambda: datetime.now(UTC))
    {"calls": calls, "budget": budget, "full": full, "key": key}[sys.argv[2]](opened)
    opened.close()
