"""The record as a command writes it that does one thing for a person: an answer, a stop, an accepted document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from mcp_guard.record.entries import EntryKind
from mcp_guard.record.store import Record

WAIT = 5.0
"""Seconds that a write waits for the guards' own. What a person did must not be lost to a race with them."""


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def acting(directory: Path, session: str, clock: Callable[[], datetime] = _now) -> Iterator[Record]:
    """The record of a directory, for a process that has no loop to hold up. Says at the end that it ended in order.

    Raises RecordBusy only if others wrote for WAIT seconds without a pause. On an error inside, the chain just ends.
    """
    with Record.open(directory, session=session, clock=clock, wait=WAIT) as record:
        yield record
        record.note(EntryKind.STOPPED, {})
