"""A disk that is full: nothing is let through, and the outcome of every call that was let through before is kept."""

from __future__ import annotations

import errno
import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_guard.errors import RecordFailed
from mcp_guard.model import Outcome
from mcp_guard.record import room
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.record.verify import verify
from tests.patience import PATIENCE
from tests.record.examples import allow, deny, open_record, request
from tests.record.test_processes import ROOT, start

CALLS = 100  # under way at once
SMALL_DISK = """
set -e
mount -t tmpfs -o size=24m tmpfs "$1"
cd "$2"
exec "$3" -m tests.record.writer "$1/state" under_way
"""


def test_with_no_room_for_outcomes_nothing_is_let_through_and_outcomes_still_commit(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        entries = [record.step(request(), allow()) for _ in range(CALLS)]
        guard = record._writer.room
        assert guard is not None
        guard._allocate, guard._allocated = lambda _descriptor, _length: errno.ENOSPC, 0
        for judge in (allow(), deny):
            with pytest.raises(RecordFailed, match="make room"):
                record.step(request(), judge)
        for entry in entries:
            record.finish(entry, Outcome.OK, duration_ms=1)
    with open_for_reading(record.directory) as query:
        assert sum(row.outcome == "ok" for row in query.entries(Filter(tool="*"))) == CALLS


def test_the_room_is_there_on_the_disk_before_a_decision_and_the_log_looks_no_longer_for_it(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(), allow())
        found = (record.directory / "guard.db-wal").stat()
        if sys.platform == "linux":
            assert found.st_blocks * 512 >= found.st_size + room.RESERVE
        assert found.st_size < room.RESERVE
        before = found.st_size
        record.step(request(), allow())
        assert (record.directory / "guard.db-wal").stat().st_size > before


def test_a_file_system_that_cannot_hold_room_must_have_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_record(tmp_path) as record:
        guard = record._writer.room
        assert guard is not None
        guard._allocate, guard._allocated = lambda _descriptor, _length: errno.EOPNOTSUPP, 0
        record.step(request(), allow())
        monkeypatch.setattr(room, "RESERVE", 1 << 60)
        with pytest.raises(RecordFailed, match="make room"):
            record.step(request(), allow())


def test_a_limit_on_the_size_of_files_is_a_full_disk(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        entry = record.step(request(), allow())
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room.RESERVE, hard))
        try:
            with pytest.raises(RecordFailed, match="make room"):
                record.step(request(), allow())
            record.finish(entry, Outcome.OK, duration_ms=1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        record.step(request(), allow())
    assert verify(record.directory) == []


def can_mount() -> bool:
    """Only root may, and not in every container."""
    program = shutil.which("unshare")
    if program is None:
        return False
    done = subprocess.run([program, "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs the right to mount a small disk")
def test_on_a_disk_that_fills_up_every_call_that_was_let_through_has_its_outcome(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["unshare", "-m", "sh", "-c", SMALL_DISK, "sh", str(disk), str(ROOT), sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["refused"].startswith("no room")
    assert said["allowed"] > said["under_way"] == CALLS
    assert (said["without_outcome"], said["wrong"], said["after"]) == (0, [], "ALLOW")


def test_fifty_writers_at_once_leave_one_whole_record(tmp_path: Path) -> None:
    writers = [start(tmp_path / "state", "some") for _ in range(50)]
    for writer in writers:
        assert writer.communicate(timeout=PATIENCE)[0] == "20\n"
    assert [writer.returncode for writer in writers] == [0] * 50
    assert verify(tmp_path / "state") == []
    with open_for_reading(tmp_path / "state") as query:
        rows = list(query.entries(Filter(tool="*")))
    assert [row.outcome for row in rows] == ["ok"] * 1000
