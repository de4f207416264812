"""Some seconds of the soak run, with all that it checks: `python -m tests.faults.soak --minutes 30` is the full one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.soak.figures import Look, Watch

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_some_seconds_of_all_faults_at_once_leave_nothing_and_lose_nothing() -> None:
    words = ["-m", "tests.faults.soak", "--minutes", "0.1", "--clients", "8", "--servers", "5"]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "0 unanswered, 0 answered twice" in done.stdout
    assert "nothing leaked" in done.stdout


@pytest.mark.parametrize(
    ("late", "leak"),
    [
        (Look(20, 60 << 20, 5), ""),
        (Look(90, 60 << 20, 5), "descriptors"),
        (Look(20, 160 << 20, 5), "memory"),
        (Look(20, 60 << 20, 50), "processes"),
    ],
)
def test_what_is_never_given_back_is_a_leak(late: Look, leak: str) -> None:
    watch = Watch({}, {"guard": [Look(20, 60 << 20, 5)] * 8 + [late] * 8})
    assert [leak in line for line in watch.leaks()] == ([True] if leak else [])
    moment = Watch({}, {"guard": [Look(20, 60 << 20, 5)] * 15 + [Look(90, 160 << 20, 50)]})
    assert Watch({}, {"guard": [*moment.looks["guard"][:14], late, Look(20, 60 << 20, 5)]}).leaks() == []
