"""What a terminal gets: colours only there and only if they are wanted, and completion in the usual shells."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_guard.cli.app import COMMANDS
from tests.cli.newcomer import COLOUR, Newcomer

SCREENS = [
    ["init"],
    ["check", "--clients"],
    ["check", "--policy", "p.yaml"],
    ["explain", "--policy", "p.yaml", "s/t", "{}"],
]


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    found = Newcomer(tmp_path / "home")
    found.configure("cursor", {"a": {"command": "npx", "args": ["-y", "x"]}})
    (found.project / "p.yaml").write_text("version: 1\ngrants: [{id: a, tool: s/t, args: any}]\n")
    return found


@pytest.mark.parametrize("words", SCREENS, ids=" ".join)
def test_a_terminal_gets_colours_and_nothing_else_does(newcomer: Newcomer, words: list[str]) -> None:
    _, seen = newcomer.on_a_terminal(*words, answers="n\nn\n")
    assert COLOUR.search(seen), seen
    done = newcomer.run(*words)
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("words", SCREENS, ids=" ".join)
def test_no_color_takes_the_colours_away(newcomer: Newcomer, words: list[str]) -> None:
    _, seen = newcomer.on_a_terminal(*words, answers="n\nn\n", no_color=True)
    assert seen.strip()
    assert COLOUR.search(seen) is None


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_for_a_shell_is_printed_by_the_documented_variable(newcomer: Newcomer, shell: str) -> None:
    newcomer.environment["_MCP_GUARD_COMPLETE"] = f"{shell}_source"
    done = newcomer.run()
    assert done.returncode == 0
    assert f"_MCP_GUARD_COMPLETE={shell}_complete" in done.stdout


def suggested(newcomer: Newcomer, line: str) -> list[str]:
    newcomer.environment |= {
        "_MCP_GUARD_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    return [one.partition(",")[2] for one in newcomer.run().stdout.splitlines()]


def test_commands_and_options_are_completed(newcomer: Newcomer) -> None:
    assert suggested(newcomer, "mcp-guard ") == list(COMMANDS)
    assert suggested(newcomer, "mcp-guard in") == ["init"]
    assert suggested(newcomer, "mcp-guard init --un") == ["--undo"]
    assert "codex" in suggested(newcomer, "mcp-guard init --client co")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_readmes_line_makes_bash_complete(newcomer: Newcomer) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    line = re.search(r'eval "\$\(_MCP_GUARD_COMPLETE=bash_source mcp-guard\)"', readme)
    assert line is not None
    programs = newcomer.home / "bin"
    programs.mkdir()
    (programs / "mcp-guard").write_text(f'#!/bin/sh\nexec {sys.executable} -m mcp_guard "$@"\n')
    (programs / "mcp-guard").chmod(0o755)
    script = f"""\
{line[0]}
COMP_WORDS=(mcp-guard ch) COMP_CWORD=1
_mcp_guard_completion mcp-guard
echo "${{COMPREPLY[@]}}"
"""
    environment = {**newcomer.environment, "PATH": f"{programs}:{newcomer.environment['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["check"]
