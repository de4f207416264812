"""The demo is what people see first: it must be true, and leave nothing behind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcp_guard.cli.demo import attempts
from tests.cli.commands import guard


def test_the_demo_shows_what_was_allowed_refused_and_executed(tmp_path: Path) -> None:
    result = guard(tmp_path / "s", "demo", timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    marks = re.findall(r"^ (allowed|refused) ", result.stdout, flags=re.MULTILINE)
    assert marks == ["allowed" if attempt.allowed else "refused" for attempt in attempts(tmp_path)]
    ledgers, log = re.split(r"^4\. ", result.stdout.partition("\n3. ")[2], flags=re.MULTILINE)
    assert "48.6" in ledgers
    assert "LV73TEST0000990011223" not in ledgers  # no transfer to the attacker was executed
    assert "pay-known-payees" in log


def test_the_demo_keeps_its_record_to_itself_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    assert guard(tmp_path / "s", "demo", timeout=120).returncode == 0
    assert not (tmp_path / "s").exists()
    assert list(scratch.iterdir()) == []
