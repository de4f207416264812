"""The commands, their options and exit codes are a contract; what `--help` says is held to it here."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mcp_guard.cli.app import COMMANDS, app, run
from tests.cli.commands import guard

CONTRACT = {
    "demo": {"--answer"},
    "init": {"--apply", "--undo", "--project", "--client", "--list", "--force", "--json"},
    "wrap": {
        *("--name", "--policy", "--mandate", "--lock", "--set", "--contain", "--record", "--candidate"),
        *("--inspect", "--looked-at"),
    },
    "run": {"--config", "--mandate", "--set", "--record", "--candidate", "--http", "--token-env"},
    "check": {"--config", "--policy", "--mandate", "--lock", "--set", "--name", "--contain", "--clients", "--json"},
    "explain": {"--config", "--policy", "--mandate", "--lock", "--set", "--accepted", "--label", "--json"},
    "test": {"--config", "--policy", "--min-coverage", "--accepted", "--mutate", "--json", "--junit"},
    "lock": {"--config", "--name", "--lock", "--server", "--check", "--accept-first-sight", "--json"},
    "schema": set(),
    "diff": {"--set", "--set-old", "--markdown", "--json"},
    "accept": {"--config", "--policy", "--mandate", "--lock", "--set", "--show", "--json", "--state"},
    "mandate": set(),
    "approvals": set(),
    "console": {"--port", "--open", "--state"},
    "revoke": {"--where", "--config", "--policy", "--reason", "--list", "--undo", "--json", "--state"},
    "stop": {"--server", "--effect", "--session", "--undo", "--state"},
    "quarantine": {"--json", "--state"},
    "session": {"--json", "--state"},
    "pin": set(),
    "replay": {"--policy", "--mandate", "--set", "--since", "--session", "--state", "--json"},
    "suggest": {
        *("--config", "--policy", "--set", "--since", "--session", "--hold-out", "--output", "-o"),
        *("--state", "--json"),
    },
    "report-failure": {"--reason", "--arguments", "--whole-tool", "--state"},
    "report": {
        *("--since", "--session", "--config", "--policy", "--mandate", "--set", "--html", "--file"),
        *("--json", "--state"),
    },
    "log": {
        "--denied",
        "--flagged",
        "--tool",
        "--server",
        "--session",
        "--since",
        "--follow",
        "--counts",
        *("--until", "--entry", "--kind", "--effect", "--reason", "--rule", "--outcome", "--principal", "--client"),
        *("--method", "--count-by", "--csv", "--jsonl", "--file"),
        "--limit",
        "--json",
        "--state",
    },
}


def command(name: str) -> click.Command:
    module = name.replace("-", "_")
    found = getattr(importlib.import_module(f"mcp_guard.cli.{module}"), module)
    assert isinstance(found, click.Command)
    return found


def test_help_lists_the_commands_of_the_contract_and_no_other() -> None:
    assert set(COMMANDS) == set(CONTRACT)
    text = CliRunner().invoke(app, ["--help"]).output
    assert all(f"\n  {name} " in text for name in CONTRACT)


@pytest.mark.parametrize("name", CONTRACT)
def test_a_command_has_the_options_of_the_contract_and_no_other(name: str) -> None:
    options = {opt for param in command(name).params if isinstance(param, click.Option) for opt in param.opts}
    assert options == CONTRACT[name]


@pytest.mark.parametrize("name", CONTRACT)
def test_every_command_shows_an_example_of_itself(name: str) -> None:
    text = CliRunner().invoke(app, [name, "--help"]).output
    assert f"mcp-guard {name}" in text.partition("Example")[2]


@pytest.mark.parametrize("name", CONTRACT)
def test_an_example_uses_options_that_the_command_has(name: str) -> None:
    text = CliRunner().invoke(app, [name, "--help"]).output.partition("Example")[2]
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text.partition(" -- ")[0]))
    assert used <= CONTRACT[name] | {"--help"}


@pytest.mark.parametrize("options", [["check", "--policy", "p.yaml"], ["log"], ["log", "--json"], ["--help"]])
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "p.yaml").write_text("version: 1\ngrants: [{id: a, tool: s/t, args: any}]\n")
    guard(tmp_path / "s", "wrap", "--name", "s", "--policy", "p.yaml", "--", "true", cwd=tmp_path)
    closed, ours = os.pipe()
    os.close(closed)
    result = subprocess.run(
        [sys.executable, "-m", "mcp_guard", *options],
        env={**os.environ, "MCP_GUARD_STATE": str(tmp_path / "s")},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=ours,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(ours)
    assert (result.returncode, result.stderr) == (0, "")


def test_another_way_to_end_keeps_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(**_: object) -> None:
        raise SystemExit(3)  # as a web server does that can't start

    monkeypatch.setattr(app, "main", end)
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 3


def test_an_unknown_command_is_wrong_input(tmp_path: Path) -> None:
    result = guard(tmp_path, "wrapp")
    assert result.returncode == 2
    assert "No such command" in result.stderr
    assert result.stdout == ""
