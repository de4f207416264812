"""`mcp-guard mandate`, as a person runs it, over real servers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.commands import guard
from tests.cli.newcomer import Newcomer

BANK = Path(__file__).parents[2] / "servers" / "bank.py"
FILES = BANK.with_name("files.py")
TASK = "Pay 48.60 EUR to NL70TEST0112233445"
FACTS = """\
tools:
  bank/list_payees: {effect: read}
  bank/balance: {effect: read}
  bank/transfer_money: {effect: spend, authority: [recipient]}
"""
GRANTS = """\
grants:
  - {id: look, effect: read, args: any}
  - {id: pay, tool: bank/transfer_money, args: any}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    command = json.dumps([sys.executable, str(BANK), "--state", str(tmp_path / "bank")])
    (tmp_path / "guard.yaml").write_text(f"version: 1\npolicy: p.yaml\nservers:\n  bank: {{command: {command}}}\n")
    (tmp_path / "p.yaml").write_text(f"version: 1\nmandate: required\n{FACTS}{GRANTS}")
    return tmp_path


def test_a_draft_has_what_the_task_needs_of_what_the_policy_shows_and_can_be_shown_again(place: Path) -> None:
    done = guard(place / "s", "mandate", "new", TASK, "--server", "bank", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "recipient: NL70TEST0112233445, amount: {above: 0, max: 48.6}" in done.stdout
    assert "add_payee" not in done.stdout  # the policy doesn't show it
    assert f'For the next 30 minutes, to "{TASK}", it may use' in done.stderr
    (place / "m.yaml").write_text(done.stdout)
    shown = guard(place / "s", "mandate", "show", "m.yaml", cwd=place)
    assert shown.stdout.splitlines()[0] in done.stderr
    call = json.dumps({"recipient": "NL70TEST0112233445", "amount": 48.6, "subject": "x"})
    judged = ("explain", "--config", "guard.yaml", "--mandate", "m.yaml", "bank/transfer_money")
    assert "allowed" in guard(place / "s", *judged, call, cwd=place).stdout
    assert "denied" in guard(place / "s", *judged, call.replace("48.6", "49"), cwd=place).stdout


def test_a_draft_about_relative_paths_and_a_policy_about_absolute_ones_permit_a_call_together(place: Path) -> None:
    command = json.dumps([sys.executable, str(FILES), "--state", str(place / "f")])
    (place / "guard.yaml").write_text(f"version: 1\npolicy: p.yaml\nservers:\n  files: {{command: {command}}}\n")
    (place / "p.yaml").write_text(
        "version: 1\ntools: {files/read_text_file: {effect: read}}\n"
        "grants: [{id: read, tool: files/read_text_file, args: {path: {under: $project}}}]\n"
    )
    done = guard(place / "s", "mandate", "new", "Summarise notes/a.md", cwd=place)
    assert done.returncode == 0, done.stderr
    (place / "m.yaml").write_text(done.stdout)
    judged = ("explain", "--config", "guard.yaml", "--mandate", "m.yaml", "files/read_text_file")
    for path, said in ((place / "notes" / "a.md", "allowed"), (place / "b.md", "denied")):
        assert guard(place / "s", *judged, json.dumps({"path": str(path)}), cwd=place).stdout.startswith(said)


def test_without_a_terminal_no_file_is_written(place: Path) -> None:
    done = guard(place / "s", "mandate", "new", TASK, "-o", "m.yaml", cwd=place)
    assert done.returncode == 1 and "where a person can read it" in done.stderr
    assert not (place / "m.yaml").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["new", TASK, "--server", "bnak"], "there is no server `bnak`; there is bank"),
        (["new", " "], "a task is a text"),
        (["new", TASK, "--expires", "soon"], "no span and no point in time"),
        (["new", TASK, "-o", "p.yaml"], "is there already"),
        (["show", "nothing.yaml"], "there is no nothing.yaml"),
    ],
)
def test_what_is_wrong_is_said(place: Path, words: list[str], said: str) -> None:
    done = guard(place / "s", "mandate", *words, cwd=place)
    assert done.returncode == 2 and said in done.stderr


@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_person_at_a_terminal_confirms_what_is_written(tmp_path: Path, answer: str) -> None:
    newcomer = Newcomer(tmp_path / "home")
    command = json.dumps([sys.executable, str(BANK), "--state", str(tmp_path / "bank")])
    config = f"version: 1\nservers:\n  bank: {{command: {command}}}\n"
    (newcomer.project / "guard.yaml").write_text(config)
    code, seen = newcomer.on_a_terminal("mandate", "new", TASK, "-o", "m.yaml", answers=f"{answer}\n")
    written = newcomer.project / "m.yaml"
    assert (code, written.exists()) == ((0, True) if answer == "y" else (1, False)), seen
    assert "it may use" in seen and "Write m.yaml?" in seen
    if answer == "y":
        assert written.stat().st_mode & 0o777 == 0o600


def test_programs_get_the_draft_line_by_line(place: Path) -> None:
    done = guard(place / "s", "mandate", "new", TASK, "--json", cwd=place)
    data = json.loads(done.stdout)
    (pay,) = [one for one in data["lines"] if one["tools"] == ["bank/transfer_money"]]
    assert not pay["asks"] and "`pay`" in pay["why"]
    assert data["mandate"].startswith("# yaml-language-server: $schema=file://")
    assert "\n# Drafted by fixed rules" in data["mandate"]
