"""`mcp-guard check`, as somebody uses it before they trust a set-up."""

from __future__ import annotations

import json
from pathlib import Path

from mcp_guard.cli.setting_up import clock
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.store import Record
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
    assert "    - {id: first, tool: server/echo, args: {text: any}}" in result.stdout
    named = guard(tmp_path / "s", "check", "--name", "raw", "--", *SERVER)
    assert "tool: raw/echo" in named.stdout


def test_the_example_is_of_a_tool_that_only_reads(tmp_path: Path) -> None:
    server = HOSTILE.replace('"x\\x1b[2Jy"', "name").replace("[tool]", '[tool(n) for n in ("drop_all", "list_all")]')
    server = server.replace("    tool = {", "    tool = lambda name: {")
    (tmp_path / "server.py").write_text(server)
    result = guard(tmp_path / "s", "check", "--", SERVER[0], str(tmp_path / "server.py"))
    assert "tool: server/list_all, args: {}" in result.stdout


def test_a_server_that_does_not_answer_makes_the_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "guard.yaml").write_text(
        f"version: 1\nservers:\n  good: {{command: {json.dumps(SERVER)}}}\n  bad: {{command: [/nonexistent/server]}}\n"
    )
    result = guard(tmp_path / "s", "check", "--json", cwd=tmp_path)
    assert result.returncode == 1
    answered = {server["name"]: server["answered"] for server in json.loads(result.stdout)["servers"]}
    assert answered == {"good": True, "bad": False}


def test_a_server_that_does_not_answer_is_told_once_and_not_taken_for_one_without_tools(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("version: 1\ngrants: [{id: a, tool: bad/x, args: any}]\n")
    (tmp_path / "guard.yaml").write_text(
        "version: 1\npolicy: p.yaml\nservers:\n"
        f"  bad: {{command: [/nonexistent/server]}}\n  raw: {{command: {json.dumps(SERVER)}}}\n"
    )
    result = guard(tmp_path / "s", "check", cwd=tmp_path)
    assert "no server has the tool" not in result.stdout
    assert result.stdout.count("`bad` ended before it was ready") == 1
    assert "`bad` ended before it was ready" not in result.stderr
    assert result.stdout.count("run its command in a terminal") == 1


def test_tools_are_shown_with_the_arguments_that_a_grant_has_to_name(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    options = ("check", "--policy", "p.yaml", "--name", "raw")
    lines = guard(tmp_path / "s", *options, "--", *SERVER, cwd=tmp_path).stdout.splitlines()
    assert "  shown    echo(text, nonce?)" in lines
    assert "           big(bytes, nonce?)" in lines
    result = guard(tmp_path / "s", *options, "--json", "--", *SERVER, cwd=tmp_path)
    (server,) = json.loads(result.stdout)["servers"]
    assert server["arguments"]["echo"] == {"required": ["text"], "optional": ["nonce"]}
    assert server["arguments"]["add"] == {"required": ["a", "b"], "optional": ["nonce"]}


def test_a_grant_of_an_argument_that_the_schema_does_not_have_is_odd(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("version: 1\ngrants: [{id: a, tool: raw/echo, args: {txt: any}}]\n")
    result = guard(tmp_path / "s", "check", "--policy", "p.yaml", "--name", "raw", "--", *SERVER, cwd=tmp_path)
    assert "`raw/echo` has no argument `txt`; did you mean `text`?" in result.stdout


def test_a_name_that_the_policy_does_not_use_is_odd_and_said_when_wrapping_too(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    said = "no rule is about server `row`; the policy names `raw`: `--name raw`?"
    options = ("--policy", "p.yaml", "--name", "row", "--", *SERVER)
    result = guard(tmp_path / "s", "check", *options, cwd=tmp_path)
    assert result.returncode == 0
    assert said in result.stdout
    assert said in guard(tmp_path / "s", "wrap", *options, cwd=tmp_path).stderr


def test_a_server_of_guard_yaml_that_no_rule_is_about_is_odd_and_said_when_running_too(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    servers = "".join(f"  {name}: {{command: {json.dumps(SERVER)}}}\n" for name in ("raw", "notes"))
    (tmp_path / "guard.yaml").write_text(f"version: 1\npolicy: p.yaml\nservers:\n{servers}")
    said = "no rule is about server `notes`, so nothing of it is shown"
    assert said in guard(tmp_path / "s", "check", cwd=tmp_path).stdout
    ran = guard(tmp_path / "s", "run", cwd=tmp_path).stderr
    assert said in ran
    assert "`raw`" not in ran


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


def test_a_variable_that_is_not_set_is_said(tmp_path: Path) -> None:
    server = f"{{command: {json.dumps(SERVER)}, env: [NO_SUCH_VARIABLE_HERE]}}"
    (tmp_path / "guard.yaml").write_text(f"version: 1\nservers:\n  raw: {server}\n")
    assert "`NO_SUCH_VARIABLE_HERE` in `env`" in guard(tmp_path / "s", "check", cwd=tmp_path).stderr


def test_it_says_how_often_a_server_ended_of_late_and_that_it_is_ill(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    words = ("check", "--policy", "p.yaml", "--name", "raw")
    assert "lately" not in guard(tmp_path / "s", *words, "--", *SERVER, cwd=tmp_path).stdout
    with Record.open(tmp_path / "s", session="s1", clock=clock) as record:
        for _ in range(3):
            record.note(EntryKind.SERVER_EXITED, {"server": "raw", "why": "closed"})
        record.note(EntryKind.SERVER_EXITED, {"server": "another", "why": "closed"})
        record.note(EntryKind.SERVER_ILL, {"server": "raw", "why": "it crashed \x1b[31m"})
    result = guard(tmp_path / "s", *words, "--", *SERVER, cwd=tmp_path)
    assert "was ill when it was last used, ended by itself 3 times in 24 hours: it crashed \\x1b" in result.stdout
    with Record.open(tmp_path / "s", session="s1", clock=clock) as record:
        record.note(EntryKind.SERVER_WELL, {"server": "raw", "why": "it answers again"})
    result = guard(tmp_path / "s", *words, "--json", "--", *SERVER, cwd=tmp_path)
    (server,) = json.loads(result.stdout)["servers"]
    assert (server["ended"], server["ill"]) == (3, False)


def test_programs_get_a_code_a_hint_and_whether_it_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    command = ("check", "--policy", "p.yaml", "--name", "raw", "--json", "--", *SERVER)
    odd = json.loads(guard(tmp_path / "s", *command, cwd=tmp_path).stdout)["odd"]
    assert {(one["rule"], one["code"], one["line"], one["note"]) for one in odd} == {
        ("gone", "unknown-name", 4, False),
        ("never", "denied-anyway", 5, False),
        ("no-adding", "guards-nothing", 7, True),
        ("", "no-cases", 1, True),
    }
    assert all(one["hint"] for one in odd)
    (tmp_path / "p.cases.yaml").write_text("cases: [{why: x, call: raw/echo, args: {text: x}, expect: allow}]\n")
    odd = json.loads(guard(tmp_path / "s", *command, cwd=tmp_path).stdout)["odd"]
    assert "no-cases" not in {one["code"] for one in odd}
