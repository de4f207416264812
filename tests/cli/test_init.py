"""`mcp-guard init` as somebody uses it two minutes after hearing of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from mcp_guard.clients import CLIENTS, Entry
from tests.cli.newcomer import Newcomer
from tests.fixtures.client import LEGACY

EVERY_CLIENT = [client.id for client in CLIENTS]
SECRET = "s3cr3t-of-mine"


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    return Newcomer(tmp_path / "home")


def put_in_force(policy: Path, tool: str) -> None:
    """What a reader of the policy does: take the mark from one line, and say what the tool does."""
    text = policy.read_text()
    line = re.search(rf"(?m)^  # (- \{{.*tool: {tool}, .*?\}})   #", text)
    assert line is not None, text
    text = text.replace(line[0], f"  {line[1]}   #").replace("# grants:", "grants:", 1)
    policy.write_text(text.replace("version: 1\n", f"version: 1\ntools: {{{tool}: {{effect: read}}}}\n", 1))


@pytest.mark.parametrize("client", EVERY_CLIENT)
async def test_from_each_clients_configuration_to_a_guarded_listing_and_back(newcomer: Newcomer, client: str) -> None:
    file = newcomer.configure(client, {"raw": {**newcomer.raw(), "env": {"RAW_TOKEN": SECRET}}})
    before = file.path.read_bytes()
    done = newcomer.run("init", "--apply", "--list", "raw")
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr + newcomer.policy(client).read_text()
    put_in_force(newcomer.policy(client), "raw/echo")
    newcomer.accepts(client)
    entry = newcomer.guard_entry(file)
    assert entry.env["RAW_TOKEN"] == SECRET
    async with newcomer.as_client(entry) as guarded:
        await guarded.initialize()
        assert [tool["name"] for tool in await guarded.list_all()] == ["raw__echo"]
        assert (await guarded.call("raw__echo", {"text": "hello"}))["content"][0]["text"] == "hello"
    undone = newcomer.run("init", "--undo")
    assert undone.returncode == 0
    assert "restored, byte for byte" in undone.stdout
    assert file.path.read_bytes() == before
    assert newcomer.policy(client).exists()


async def test_the_sdks_own_client_starts_what_was_written(newcomer: Newcomer) -> None:
    file = newcomer.configure("claude-code", {"raw": newcomer.raw()})
    assert newcomer.run("init", "--apply", "--list", "raw").returncode == 0
    put_in_force(newcomer.policy("claude-code"), "raw/add")
    newcomer.accepts("claude-code")
    entry: Entry = newcomer.guard_entry(file)
    env = {name: value or "" for name, value in entry.env.items()}
    words = entry.command or ()
    how = StdioServerParameters(command=words[0], args=list(words[1:]), env={"HOME": str(newcomer.home), **env})
    async with stdio_client(how) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        assert [tool.name for tool in (await session.list_tools()).tools] == ["raw__add"]


def test_without_a_terminal_and_without_apply_it_shows_and_changes_nothing(newcomer: Newcomer) -> None:
    file = newcomer.configure("cursor", {"raw": {**newcomer.raw(), "env": {"RAW_TOKEN": SECRET}}})
    before = sorted((path, path.is_file() and path.read_bytes()) for path in newcomer.home.rglob("*"))
    done = newcomer.run("init")
    assert done.returncode == 0
    for part in (str(file.path), "behind the guard: raw", "policy.yaml", "+++", "mcp-guard init --apply"):
        assert part in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert sorted((path, path.is_file() and path.read_bytes()) for path in newcomer.home.rglob("*")) == before
    assert not newcomer.started()


@pytest.mark.parametrize(("answers", "applied"), [("y\n", True), ("n\n", False), ("\n", False), ("\x04", False)])
def test_on_a_terminal_it_asks_before_it_changes_a_file(newcomer: Newcomer, answers: str, applied: bool) -> None:
    file = newcomer.configure(
        "cursor", {"files": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-memory"]}}
    )
    _, seen = newcomer.on_a_terminal("init", answers=answers)
    assert "Put the guard in the place of these servers? [y/N]" in seen
    assert (b"mcp-guard" in file.path.read_bytes()) is applied


@pytest.mark.parametrize(("answer", "started"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_server_is_started_only_after_its_very_command_was_shown_and_confirmed(
    newcomer: Newcomer, answer: str, started: bool
) -> None:
    env = {"NODE_OPTIONS": "--require ./x.js", "RAW_TOKEN": SECRET}
    newcomer.configure("cursor", {"raw": {**newcomer.raw(), "env": env}})
    _, seen = newcomer.on_a_terminal("init", answers=f"{answer}n\n")
    shown, _, rest = seen.partition("Start it once, to list its tools")
    assert rest, "it asks"
    for word in newcomer.raw()["args"]:
        assert f"    {word}\r\n" in shown
    assert "with NODE_OPTIONS=--require ./x.js" in shown
    assert SECRET not in seen
    assert newcomer.started() is started
    assert ("raw/echo" in seen) is started


def test_a_known_server_is_not_asked_about_and_not_started(newcomer: Newcomer) -> None:
    newcomer.configure("cursor", {"files": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-memory"]}})
    _, seen = newcomer.on_a_terminal("init", answers="n\n")
    assert "Start it once" not in seen
    assert "files/read_graph" in seen


@pytest.mark.parametrize("options", [(), ("--apply",), ("--json",), ("--apply", "--project"), ("--project", "--json")])
def test_no_configuration_is_run_without_a_word_from_a_person(newcomer: Newcomer, options: tuple[str, ...]) -> None:
    newcomer.configure("cursor", {"raw": newcomer.raw()})
    newcomer.configure("claude-code", {"raw": newcomer.raw()}, "project")
    newcomer.configure("codex", {"raw": newcomer.raw()}, "project")
    assert newcomer.run("init", *options).returncode == 0
    assert newcomer.run("check", "--clients").returncode in (0, 1)
    assert not newcomer.started()


def test_a_projects_file_is_shown_and_changed_only_with_project(newcomer: Newcomer) -> None:
    file = newcomer.configure("claude-code", {"raw": newcomer.raw()}, "project")
    before = file.path.read_bytes()
    done = newcomer.run("init", "--apply")
    assert "changed only with `--project`" in done.stdout
    assert file.path.read_bytes() == before
    assert newcomer.run("init", "--apply", "--project").returncode == 0
    assert list(json.loads(file.path.read_text())["mcpServers"]) == ["mcp-guard-project"]
    assert [path.name for path in newcomer.project.rglob("*")] == [".mcp.json"], "no document lies in the project"
    left = newcomer.run("init", "--undo")
    assert "mcp-guard init --undo --project" in left.stdout
    assert file.path.read_bytes() != before
    assert newcomer.run("init", "--undo", "--project", cwd=newcomer.home).returncode == 0
    elsewhere = newcomer.run("init", "--undo", "--project", cwd=newcomer.project)
    assert elsewhere.returncode == 0
    assert file.path.read_bytes() == before


def test_the_list_option_starts_no_server_of_a_project_that_is_not_to_be_changed(newcomer: Newcomer) -> None:
    newcomer.configure("claude-code", {"raw": newcomer.raw()}, "project")
    done = newcomer.run("init", "--apply", "--list", "raw")
    assert done.returncode == 2
    assert "no server of this name" in done.stderr
    assert not newcomer.started()


def test_the_list_option_refuses_a_name_that_two_servers_have(newcomer: Newcomer) -> None:
    newcomer.configure("cursor", {"raw": {"command": "npx", "args": ["x"]}})
    newcomer.configure("claude-code", {"raw": newcomer.raw()}, "project")
    done = newcomer.run("init", "--apply", "--project", "--list", "raw")
    assert done.returncode == 2
    assert "several servers are called `raw`" in done.stderr
    assert not newcomer.started()


def test_one_client_can_be_named(newcomer: Newcomer) -> None:
    cursor = newcomer.configure("cursor", {"raw": newcomer.raw()})
    codex = newcomer.configure("codex", {"raw": newcomer.raw()})
    assert newcomer.run("init", "--apply", "--client", "codex").returncode == 0
    assert b"mcp-guard" in codex.path.read_bytes()
    assert b"mcp-guard" not in cursor.path.read_bytes()


def test_a_malformed_file_is_left_alone_with_its_place_and_the_others_are_guarded(newcomer: Newcomer) -> None:
    cursor = newcomer.configure("cursor", {"raw": newcomer.raw()})
    broken = newcomer.configure("codex", {})
    broken.path.write_text("[mcp_servers.x]\ncommand = \n")
    done = newcomer.run("init", "--apply")
    assert done.returncode == 2
    assert re.search(rf"{re.escape(str(broken.path))}:2:\d+", done.stdout)
    assert b"mcp-guard" in cursor.path.read_bytes()
    assert broken.path.read_text() == "[mcp_servers.x]\ncommand = \n"


def test_a_second_run_says_that_there_is_nothing_to_do(newcomer: Newcomer) -> None:
    newcomer.configure("cursor", {"raw": newcomer.raw()})
    newcomer.run("init", "--apply")
    before = {path: path.read_bytes() for path in newcomer.home.rglob("*") if path.is_file()}
    again = newcomer.run("init", "--apply")
    assert again.returncode == 0
    assert "Nothing to do" in again.stdout
    assert {path: path.read_bytes() for path in newcomer.home.rglob("*") if path.is_file()} == before


def test_the_plan_is_there_for_programs_with_secrets_masked(newcomer: Newcomer) -> None:
    newcomer.configure(
        "cursor", {"raw": {**newcomer.raw(), "env": {"RAW_TOKEN": SECRET}}, "web": {"url": "https://x.example/"}}
    )
    plan: dict[str, Any] = json.loads(newcomer.run("init", "--json").stdout)
    (table,) = plan["tables"]
    assert (table["client"], table["scope"]) == ("cursor", "user")
    assert [(one["server"], one["as"], one["env"]) for one in table["moved"]] == [
        ("raw", "raw", {"RAW_TOKEN": "RAW_TOKEN"})
    ]
    assert "sign-in" in table["left"][0]["why"]
    assert [Path(one["path"]).name for one in plan["files"]] == ["guard.yaml", "policy.yaml"]
    assert plan["applied"] is False
    assert SECRET not in json.dumps(plan)
    assert json.loads(newcomer.run("init", "--json", "--apply").stdout)["applied"] is True
    undone = json.loads(newcomer.run("init", "--undo", "--json").stdout)
    assert [one["how"] for one in undone["undone"]] == ["restored"]


def test_undo_keeps_what_a_client_or_a_person_changed_since(newcomer: Newcomer) -> None:
    """Claude Code, for one, writes into its file at every start."""
    file = newcomer.configure("claude-code", {"raw": newcomer.raw()})
    before = json.loads(file.path.read_text())
    newcomer.run("init", "--apply")
    file.path.write_text(file.path.read_text().replace("{", '{"numStartups": 5, ', 1))
    undone = newcomer.run("init", "--undo")
    assert undone.returncode == 0
    assert "but for what was changed since" in undone.stdout
    assert json.loads(file.path.read_text()) == {"numStartups": 5, **before}


def test_undo_stops_where_the_guards_own_entry_was_changed_and_says_how_to_go_on(newcomer: Newcomer) -> None:
    file = newcomer.configure("cursor", {"raw": newcomer.raw()})
    before = file.path.read_bytes()
    newcomer.run("init", "--apply")
    file.path.write_text(file.path.read_text().replace('"run"', '"run", "--set", "project=/"'))
    changed = file.path.read_bytes()
    stopped = newcomer.run("init", "--undo")
    assert stopped.returncode == 1
    assert "--force" in stopped.stdout
    assert file.path.read_bytes() == changed
    assert newcomer.run("init", "--undo", "--force").returncode == 0
    assert file.path.read_bytes() == before


def test_output_that_nobody_reads_does_not_keep_the_guard_out(newcomer: Newcomer) -> None:
    """`mcp-guard init --apply | head -1` puts it in place all the same."""
    file = newcomer.configure("cursor", {"raw": newcomer.raw()})
    words = [sys.executable, "-m", "mcp_guard", "init", "--apply"]
    with subprocess.Popen(words, env=newcomer.environment, cwd=newcomer.project, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(60) == 0
    assert b"mcp-guard" in file.path.read_bytes()


@pytest.mark.parametrize("options", [("--undo", "--apply"), ("--undo", "--list", "x"), ("--force",), ("--client", "x")])
def test_options_that_do_not_go_together_are_wrong_input(newcomer: Newcomer, options: tuple[str, ...]) -> None:
    assert newcomer.run("init", *options).returncode == 2


def test_nothing_to_guard_and_nothing_to_undo_are_said(newcomer: Newcomer) -> None:
    assert "No client's configuration" in newcomer.run("init").stdout
    assert "nothing to undo" in newcomer.run("init", "--undo").stdout


async def test_a_package_of_the_guards_name_in_the_working_directory_is_not_run(newcomer: Newcomer) -> None:
    """A client starts servers in the project, and Python would look for modules there first."""
    file = newcomer.configure("cursor", {"raw": newcomer.raw()})
    newcomer.run("init", "--apply")
    evil = newcomer.project / "mcp_guard"
    evil.mkdir()
    (evil / "__init__.py").write_text("")
    (evil / "__main__.py").write_text("raise SystemExit('evil')")
    entry = newcomer.guard_entry(file)
    client = newcomer.as_client(entry)
    client.cwd = newcomer.project
    async with client:
        result = await client.request(
            "initialize", {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}
        )
        assert "serverInfo" in result


@pytest.mark.parametrize("name", ["a\nb", "a\u202eb", os.fsdecode(b"\xff")])
def test_a_directory_whose_name_no_document_can_say_is_refused(newcomer: Newcomer, name: str) -> None:
    newcomer.configure("cursor", {"one": newcomer.raw()})
    (newcomer.project / name).mkdir()
    done = newcomer.run("init", "--apply", cwd=newcomer.project / name)
    assert done.returncode == 2
    assert "characters that can't be seen" in done.stderr
    assert not newcomer.policy("cursor").exists()


def test_what_is_shown_before_a_server_starts_has_what_steers_it_and_no_secret(newcomer: Newcomer) -> None:
    env = {
        "NODE_AUTH_TOKEN": "hunter2",
        "PIP_INDEX_URL": "https://me:hunter2@pip.example/x",
        "NODE_OPTIONS": "-r ./a.js",
    }
    newcomer.configure("cursor", {"one": {**newcomer.raw(), "env": env}})
    _, seen = newcomer.on_a_terminal("init", answers="n\nn\n")
    assert "hunter2" not in seen
    assert "NODE_OPTIONS=-r ./a.js" in seen
    assert "pip.example" in seen
