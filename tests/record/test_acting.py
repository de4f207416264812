"""What a command writes for a person waits its turn: it isn't lost because a guard writes at that moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import pytest

from mcp_guard.errors import RecordBusy
from mcp_guard.record.acting import acting
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.schema import open_for_reading
from mcp_guard.record.store import Record
from mcp_guard.record.verify import verify

_AT_ONCE, _ENTRIES = 6, 60


def test_commands_that_write_at_once_all_get_their_turn(tmp_path: Path) -> None:
    together = Barrier(_AT_ONCE)

    def write(number: int) -> None:
        with acting(tmp_path, f"command-{number}") as record:
            together.wait(30)
            for _ in range(_ENTRIES):
                record.note(EntryKind.STOPPED, {})

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        assert len(list(threads.map(write, range(_AT_ONCE)))) == _AT_ONCE
    assert verify(tmp_path) == []
    connection = open_for_reading(tmp_path)
    assert connection.execute("SELECT count(*) FROM entries").fetchone() == (
        _AT_ONCE * (_ENTRIES + 2),
    )  # each chain has a first and a last entry
    connection.close()


def test_a_guard_does_not_wait_in_its_loop(tmp_path: Path) -> None:
    with acting(tmp_path, "command") as holder, Record.open(tmp_path, session="guard", clock=_now) as record:

        def hold(_: object) -> None:
            with pytest.raises(RecordBusy):
                record.note(EntryKind.STOPPED, {})

        holder.change(hold)


def _now() -> datetime:
    return datetime.now(UTC)
