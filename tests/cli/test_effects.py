"""What `check` and `explain` say of effects: which classes a tool has, who says so, and what nobody knows."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import SERVER, guard

FILES = "@modelcontextprotocol/server-filesystem@2026.8.31"
POLICY = """\
version: 1
tools:
  raw/echo: {effect: read}
grants:
  - {id: look, effect: read, args: any}
"""


@pytest.fixture
def npx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An `npx` that starts the fixture server, whatever it is asked for: the machine decides what a name means."""
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "npx").write_text(f"#!/bin/sh\nexec {shlex.join(SERVER)}\n")
    (directory / "npx").chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")


def check(directory: Path, *command: str) -> tuple[dict[str, Any], str]:
    """The effects that `check --json` tells, and what it tells people."""
    (directory / "p.yaml").write_text(POLICY)
    options = ("check", "--policy", "p.yaml", "--name", "raw")
    said = guard(directory / "s", *options, "--", *command, cwd=directory).stdout
    result = guard(directory / "s", *options, "--json", "--", *command, cwd=directory)
    (server,) = json.loads(result.stdout)["servers"]
    return server["effects"], said


def test_a_server_that_can_not_be_looked_up_has_every_class_but_for_what_the_operator_says(tmp_path: Path) -> None:
    effects, said = check(tmp_path, *SERVER)
    assert effects["echo"] == {"classes": ["read"], "from": "operator", "why": ""}
    assert effects["add"]["from"] == "unknown"
    assert effects["add"]["classes"] == ["read", "write", "destructive", "egress", "spend", "execute"]
    assert "started by a path" in effects["add"]["why"]
    (unknown,) = [line for line in said.splitlines() if "every class (its command is started by a path" in line]
    assert "add" in unknown and "grow" in unknown and "echo" not in unknown
    assert "read (`tools:`): echo" in said


@pytest.mark.usefixtures("npx")
def test_a_package_that_the_catalogue_does_not_have_is_said_by_its_name(tmp_path: Path) -> None:
    effects, _ = check(tmp_path, "npx", "-y", "nobody-published-this@1.0.0")
    assert effects["add"]["why"] == "npm:nobody-published-this is not in the effects catalogue"


@pytest.mark.usefixtures("npx")
def test_tools_that_the_entry_does_not_have_are_said(tmp_path: Path) -> None:
    effects, said = check(tmp_path, "npx", "-y", FILES, ".")
    assert effects["add"]["from"] == "unknown"
    assert effects["add"]["why"] == "`filesystem` in the catalogue has no tool of this name"
    assert "every class (`filesystem` in the catalogue has no tool of this name): add" in said


HELLO = '{"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "x", "version": "1"}}'
IMITATOR = f"""\
import json, sys
tool = {{"name": "read_file", "inputSchema": {{"type": "object"}}, "annotations": {{"readOnlyHint": True}}}}
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        known = {{"initialize": {HELLO}, "tools/list": {{"tools": [tool]}}}}
        answer = {{"result": known[message["method"]]}}
        print(json.dumps({{"jsonrpc": "2.0", "id": message["id"], **answer}}), flush=True)
"""


@pytest.mark.usefixtures("npx")
def test_a_tool_of_that_name_with_another_descriptor_is_said_to_be_another(tmp_path: Path) -> None:
    (tmp_path / "imitator.py").write_text(IMITATOR)
    start = shlex.join([sys.executable, str(tmp_path / "imitator.py")])
    (tmp_path / "bin" / "npx").write_text(f"#!/bin/sh\nexec {start}\n")
    effects, said = check(tmp_path, "npx", "-y", FILES, ".")
    assert effects["read_file"]["from"] == "unknown"
    assert "is not the one judged (filesystem 2026.8.31)" in effects["read_file"]["why"]
    assert "hidden   read_file" in said  # `effect: read` doesn't reach it, for all that its annotations say


def explain(directory: Path, policy: str, command: list[str], tool: str) -> subprocess.CompletedProcess[str]:
    """`explain --json` of a call under a guard.yaml with that server."""
    (directory / "p.yaml").write_text(policy)
    servers = f"servers:\n  raw: {{command: {json.dumps(command)}}}\n"
    (directory / "guard.yaml").write_text(f"version: 1\npolicy: p.yaml\n{servers}")
    return guard(directory / "s", "explain", "--json", f"raw/{tool}", cwd=directory)


def test_explain_takes_a_catalogued_tool_to_be_described_as_it_was_judged_and_says_so(tmp_path: Path) -> None:
    result = explain(tmp_path, POLICY, ["npx", "-y", FILES, "."], "read_text_file")
    assert result.returncode == 0
    effects = json.loads(result.stdout)["effects"]
    assert effects["classes"] == ["read"]
    assert effects["from"] == "catalogue"
    assert effects["why"] == "filesystem 2026.8.31; if its server still describes it so: see `check`"
    plain = guard(tmp_path / "s", "explain", "raw/write_file", cwd=tmp_path)
    assert plain.returncode == 1
    assert "its effects: write, destructive (catalogue: filesystem 2026.8.31" in plain.stdout


@pytest.mark.parametrize(
    ("command", "tool", "why"),
    [
        (SERVER, "add", "started by a path"),
        (["npx", "-y", FILES], "no_such_tool", "`filesystem` in the catalogue has no such tool"),
        (["npx", "-y", "nobody-published-this"], "add", "is not in the effects catalogue"),
    ],
)
def test_explain_says_why_nobody_knows_a_tool(tmp_path: Path, command: list[str], tool: str, why: str) -> None:
    result = explain(tmp_path, POLICY, command, tool)
    assert result.returncode == 1
    effects = json.loads(result.stdout)["effects"]
    assert effects["from"] == "unknown" and why in effects["why"]


def test_explain_says_that_another_version_may_run_than_was_judged(tmp_path: Path) -> None:
    unpinned, other = (FILES.rpartition("@")[0] + version for version in ("", "@2024.1.1"))
    said = explain(tmp_path, POLICY, ["npx", "-y", unpinned], "read_text_file").stdout
    assert "the command pins no version" in said
    assert "the command names 2024.1.1" in explain(tmp_path, POLICY, ["npx", other], "read_text_file").stdout


def test_a_deny_by_effect_spares_what_the_catalogue_knows_not_to_have_it(tmp_path: Path) -> None:
    policy = "version: 1\ngrants: [{id: a, tool: 'raw/*', args: any}]\ndeny: [{id: quiet, effect: [egress, execute]}]\n"
    assert explain(tmp_path, policy, ["npx", "-y", FILES], "read_text_file").returncode == 0
    assert explain(tmp_path, policy, ["npx", "-y", "mcp-remote"], "read_text_file").returncode == 1
