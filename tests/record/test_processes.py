"""Real processes: killed at any instant, many at once, and without room."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.record.verify import verify
from tests.patience import PATIENCE
from tests.record.examples import SESSION, deny, open_record, request

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("MCP_GUARD_RECORD_KILLS", "15"))
"""`make test` kills a writer a few times; MCP_GUARD_RECORD_KILLS=1000 is the full run."""


def start(directory: Path, mode: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.record.writer", str(directory), mode],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_process_killed_at_any_instant_leaves_every_call_it_named_and_no_half_entry(tmp_path: Path) -> None:
    instants = random.Random(20261231)
    named: set[str] = set()
    for number in range(KILLS):
        with start(tmp_path / "state", "calls") as process:
            assert process.stdout is not None
            for _ in range(instants.randrange(1, 400)):
                named.add(process.stdout.readline().strip())
            process.kill()
            rest = process.stdout.read().split("\n")[:-1]  # the last line may be cut
        named |= set(rest)
        if number % (KILLS // 15 + 1) == 0:
            assert verify(tmp_path / "state") == []
    with open_for_reading(tmp_path / "state") as query:
        recorded = {row.id for row in query.entries(Filter())}
    assert len(named) > KILLS
    assert named <= recorded
    with open_record(tmp_path) as record:
        record.step(request(), deny)
        assert verify(record.directory) == []
    print(f"\n{KILLS} kills, {len(named)} calls named, none of them lost")


def test_processes_that_race_for_a_budget_never_exceed_it(tmp_path: Path) -> None:
    racers = [start(tmp_path / "state", "budget") for _ in range(3)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    effects = [effect for racer in racers for effect in racer.communicate(timeout=PATIENCE)[0].split()]
    assert sorted(effects) == ["ALLOW"] * 3 + ["DENY"] * 27
    assert verify(tmp_path / "state") == []
    with open_for_reading(tmp_path / "state") as query:
        assert {row.session for row in query.entries(Filter())} == {SESSION}


def test_processes_that_start_together_share_one_record_and_one_key(tmp_path: Path) -> None:
    starters = [start(tmp_path / "state", "key") for _ in range(5)]
    keys = {starter.communicate(timeout=PATIENCE)[0] for starter in starters}
    assert [starter.returncode for starter in starters] == [0] * 5
    assert len(keys) == 1
    assert verify(tmp_path / "state") == []


def test_without_room_on_the_disk_there_is_no_call_and_later_it_goes_on(tmp_path: Path) -> None:
    with start(tmp_path / "state", "full") as process:
        said = process.communicate(timeout=PATIENCE)[0].split("\n")
    assert process.returncode == 0
    assert said[0].startswith(("the record failed", "no room"))
    assert said[1] == "ALLOW"
    assert verify(tmp_path / "state") == []


@pytest.mark.parametrize("slow", ["pydantic", "structlog", "click", "rich", "mcp", "asyncio", "platformdirs"])
def test_writing_the_record_does_not_import_what_a_start_would_wait_for(tmp_path: Path, slow: str) -> None:
    program = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from mcp_guard.record.store import Record\n"
        f"Record.open(Path({str(tmp_path / 'state')!r}), session='s', clock=lambda: datetime.now(UTC)).close()\n"
        f"sys.exit({slow!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=PATIENCE, check=False).returncode == 0
