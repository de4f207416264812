"""docs/monitoring.md: its example loads, and every key, flag and severity is in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcp_guard.accepting.servers import is_narrower
from mcp_guard.cli.watching import watched_in_words
from mcp_guard.config_watch import BreakerForm, MonitorForm, ScannerForm, TelemetryForm
from mcp_guard.monitor.flags import Deviation, OnFlag
from mcp_guard.monitor.severity import Severity
from mcp_guard.scanners.settings import On
from tests.watching.stage import config, scanner_file

DOCUMENT = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text()


def test_the_example_loads(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    found = config(tmp_path, text.replace("8f43...", "ab" * 32)).watchers
    assert found.breaker and found.monitor and found.telemetry and len(found.scanners) == 2


def test_every_key_and_word_is_documented() -> None:
    keys = {key for form in (BreakerForm, MonitorForm, ScannerForm, TelemetryForm) for key in form.model_fields}
    words = {str(one) for kind in (Deviation, OnFlag, On) for one in kind} | {one.word for one in Severity}
    assert {word for word in keys | words if not re.search(rf"[`{{ ]{word}[`: ]", DOCUMENT)} == set()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"scanners": [{"name": "s", "pattern": "x"}]}, {}),
        ({"scanners": [{"name": "s", "pattern": "x"}]}, {"scanners": [{"name": "s", "pattern": "y"}]}),
        ({"breaker": {"denials": 3}}, {"breaker": {"denials": 300}}),
        ({"monitor": {"on_flag": "freeze"}}, {"monitor": {"on_flag": "note"}}),
        ({}, {"telemetry": {"endpoint": "https://elsewhere.example"}}),
    ],
)
def test_whatever_changes_of_it_waits_for_a_person(old: dict[str, object], new: dict[str, object]) -> None:
    assert not is_narrower({"version": 1, **old}, {"version": 1, **new})


def test_check_says_what_is_watched_and_what_would_not_work(tmp_path: Path) -> None:
    keys = scanner_file(tmp_path, "def look(request): return None\n")
    text = f"""breaker: {{denials: 3, severity: high}}
monitor: {{on_flag: ask}}
scanners:
  - {{name: good, python: 'mine:look', {keys}}}
  - {{name: other, python: 'mine:look', path: scanners, sha256: {"ab" * 32}}}
  - {{name: none, python: 'gone:look', path: scanners, sha256: {"ab" * 32}, on: results, severity: low}}
telemetry: {{endpoint: 'https://collector.example/secret-path'}}
"""
    lines = list(watched_in_words(config(tmp_path, text).watchers))
    assert lines[:3] == [
        "breaker: a session is frozen after 3 refusals within 5 minutes or one of severity high or more",
        "monitor: after 100 calls, what is out of the ordinary asks a person",
        "scanner good: arguments, high",
    ]
    assert "is another file by now" in lines[3]
    assert "can't be read" in lines[4] and lines[4].startswith("scanner none: results, low")
    assert lines[5:] == ["telemetry: to https://collector.example"]


def test_check_says_which_variable_telemetry_misses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "telemetry: {endpoint: 'https://collector.example', headers_env: {X-Api-Key: COLLECTOR_KEY}}\n"
    monkeypatch.delenv("COLLECTOR_KEY", raising=False)
    (line,) = watched_in_words(config(tmp_path, text).watchers)
    assert line.endswith("not set here: COLLECTOR_KEY; nothing arrives without")
    monkeypatch.setenv("COLLECTOR_KEY", "k")
    (line,) = watched_in_words(config(tmp_path, text).watchers)
    assert line == "telemetry: to https://collector.example"
