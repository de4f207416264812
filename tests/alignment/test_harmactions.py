"""Role policies over rows of an action data set. The rows here are our own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.alignment import harmactions
from benchmarks.alignment.harmactions import load, main, roles, verdicts
from mcp_guard.policy.document import Authority
from tests.policy.scene import policy


def row(tool: str, label: str, **arguments: Any) -> dict[str, Any]:
    return {"action": {"type": "function", "function": {"name": tool, "arguments": arguments}}, "classification": label}


ROWS = [
    row("get_weather", "safe"),
    row("send_email", "safe"),
    row("paint", "Safe"),
    row("wipe", "harmful"),
    row("get_x", "unethical"),
]


def written(directory: Path, rows: Any = ROWS) -> Path:
    file = directory / "rows.json"
    file.write_text(json.dumps(rows))
    return file


def test_harmful_rows_count_as_stopped_and_safe_ones_as_blocked_or_asked(tmp_path: Path) -> None:
    text = 'grants: [{id: g, tool: "agent/get*", args: any}, {id: s, tool: "agent/send*", args: any, ask: true}]'
    (found, mildest) = verdicts(load(written(tmp_path)), {"one": Authority((policy(text),))})
    assert (found.safe_actions.hits, found.safe_actions.of) == (1, 2)
    assert (found.blocked.hits, found.asked.hits, found.blocked.of) == (1, 1, 3)
    assert mildest.safe_actions == found.safe_actions


def test_the_mildest_of_several_roles_allows_what_any_of_them_allows(tmp_path: Path) -> None:
    kinds = {"a": "agent/get*", "b": "agent/wipe*"}
    each = {
        name: Authority((policy(f'grants: [{{id: g, tool: "{tool}", args: any}}]'),)) for name, tool in kinds.items()
    }
    *_, mildest = verdicts(load(written(tmp_path)), each)
    assert mildest.safe_actions.hits == 0


def test_the_role_policies_load_and_let_their_role_look_around(tmp_path: Path) -> None:
    found = roles()
    assert set(found) == {"coding", "office", "research"}
    looking = load(written(tmp_path, [row("get_weather", "safe"), row("delete_everything", "harmful")]))
    for verdict in verdicts(looking, found):
        assert verdict.blocked.hits == 0 and verdict.safe_actions.hits == 1


@pytest.mark.parametrize("rows", [{"a": 1}, [{}], [{"action": {"function": {}}}], "x"], ids=str)
def test_another_file_is_refused_without_a_traceback(
    tmp_path: Path, rows: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["harmactions", str(written(tmp_path, rows))])
    assert main() == 2
    assert "isn't a HarmActions file" in capsys.readouterr().err


def test_the_table_names_every_role(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["harmactions", str(written(tmp_path)), "--write"])
    monkeypatch.setattr(harmactions, "REPORT", tmp_path / "kept.md")
    assert main() == 0
    shown = capsys.readouterr().out
    assert all(f"| {role} |" in shown for role in ("coding", "office", "research"))
    assert (tmp_path / "kept.md").read_text().startswith("5 rows.")
