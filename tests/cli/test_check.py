"""`mcp-guard check`, as somebody uses it before they trust a set-up."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.commands import SERVER, guard

POLICY = """\
version: 1
grants:
  - {id: echo, tool: raw/echo, args: {text: {max_length: 10}}}
  - {id: gone, tool: raw/ecko, args: any}
  - {id: never, tool: raw/add, args: any}
deny:
  - {id: no-adding, tool: raw/add}
"""


def test_it_says_what_is_shown_and_what_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    result = guard(
        tmp_path / "s", "check", "--policy", "p.yaml", "--name", "raw", "--json", "--", *SERVER, cwd=tmp_path
    )
    assert result.returncode == 0
    (server,) = json.loads(result.stdout)["servers"]
    assert server["shown"] == ["echo"]
    assert "add" in server["hidden"]


def test_it_points_out_what_is_odd_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    result = guard(tmp_path / "s", "check", "--policy", "p.yaml", "--name", "raw", "--", *SERVER, cwd=tmp_path)
    assert "raw/ecko" in result.stdout
    assert "did you mean `echo`?" in result.stdout
    assert "p.yaml:4:" in result.stdout  # the grant for a tool that no server has
    assert "p.yaml:5:" in result.stdout  # the grant that a deny overlaps


def test_without_a_policy_it_tells_how_to_grant(tmp_path: Path) -> None:
    result = guard(tmp_path / "s", "check", "--", *SERVER)
    assert result.returncode == 0
    assert "nothing is granted" in result.stdout
    assert "grants:" in result.stdout


def test_a_server_that_does_not_answer_makes_the_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "guard.yaml").write_text(
        f"version: 1\nservers:\n  good: {{command: {json.dumps(SERVER)}}}\n  bad: {{command: [/nonexistent/server]}}\n"
    )
    result = guard(tmp_path / "s", "check", "--json", cwd=tmp_path)
    assert result.returncode == 1
    answered = {server["name"]: server["answered"] for server in json.loads(result.stdout)["servers"]}
    assert answered == {"good": True, "bad": False}


def test_a_policy_that_does_not_load_is_wrong_input(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY.replace("grants:", "grnts:"))
    result = guard(tmp_path / "s", "check", "--policy", "p.yaml", cwd=tmp_path)
    assert result.returncode == 2
    assert "p.yaml:2:1" in result.stderr
    assert "did you mean `grants`?" in result.stderr


def test_a_hostile_server_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "hostile.py").write_text(HOSTILE)
    result = guard(tmp_path / "s", "check", "--", SERVER[0], str(tmp_path / "hostile.py"))
    assert "withheld" in result.stdout
    assert "\x1b" not in result.stdout


HOSTILE = """\
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    tool = {"name": "x\\x1b[2Jy", "inputSchema": {"type": "object"}}
    hello = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "h"}}
    result = hello if message["method"] == "initialize" else {"tools": [tool]}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""
