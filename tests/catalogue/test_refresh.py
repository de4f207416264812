"""How a data file is made or renewed: what nobody judged has every class."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.catalogue.entries import read_entry
from mcp_guard.catalogue.refresh import main
from mcp_guard.model import EVERY_EFFECT, EffectClass
from tests.guards import tool

READ, WRITE = tool("read", path={}), tool("write", path={})
PACKAGE = ["--server", "example", "--package", "npm:@example/files@1.0.0"]


def refresh(monkeypatch: pytest.MonkeyPatch, data: Path, *arguments: str, tools: Any = (READ, WRITE)) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"tools": list(tools)})))
    return main([*arguments, "--data", str(data)])


def judged(data: Path) -> None:
    """A person looked at `read`."""
    file = data / "example.json"
    lines = file.read_text().splitlines(keepends=True)
    every = json.dumps([one.value for one in EffectClass])
    file.write_text("".join(line.replace(every, '["read"]') if '"read":' in line else line for line in lines))


def test_a_new_tool_has_every_class_until_somebody_judged_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refresh(monkeypatch, tmp_path, *PACKAGE) == 1
    content = read_entry((tmp_path / "example.json").read_bytes())
    assert {name: one.described.effects for name, one in content.tools.items()} == {
        "read": EVERY_EFFECT,
        "write": EVERY_EFFECT,
    }
    assert all(one.described.gives == ("untrusted",) for one in content.tools.values())
    assert "to judge: read" in capsys.readouterr().err
    assert json.loads((tmp_path / "index.json").read_text()) == {"npm:@example/files": "example"}


def test_a_judgement_is_kept_for_the_descriptor_that_was_judged_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh(monkeypatch, tmp_path, *PACKAGE)
    judged(tmp_path)
    newer = ["--server", "example", "--package", "npm:@example/files@1.1.0"]
    refresh(monkeypatch, tmp_path, *newer, tools=[READ])
    content = read_entry((tmp_path / "example.json").read_bytes())
    assert content.tools["read"].described.effects == {EffectClass.READ}
    assert "write" not in content.tools  # it isn't listed any more
    assert content.packages[0].versions == ("1.1.0",)
    refresh(monkeypatch, tmp_path, *newer, tools=[{**READ, "description": "Reads, and more."}])
    content = read_entry((tmp_path / "example.json").read_bytes())
    assert content.tools["read"].described.effects == EVERY_EFFECT


def test_a_file_holds_no_word_of_a_description(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refresh(monkeypatch, tmp_path, *PACKAGE, tools=[{**READ, "title": "Reader", "description": "Reads a file."}])
    text = (tmp_path / "example.json").read_text()
    assert "Reader" not in text and "Reads" not in text


def test_two_files_about_one_package_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refresh(monkeypatch, tmp_path, *PACKAGE)
    assert refresh(monkeypatch, tmp_path, "--server", "other", "--package", "npm:@example/files@1.0.0") == 2
    assert "`npm:@example/files` is in" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["files", "npm:files", "cargo:files@1"])
def test_a_package_that_is_none_is_wrong_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    assert refresh(monkeypatch, tmp_path, "--server", "example", "--package", package) == 2
    assert not (tmp_path / "example.json").exists()
