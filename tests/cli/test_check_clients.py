"""`mcp-guard check --clients`: what goes past the guard is named, file by file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.clients import CLIENTS, BuiltIn
from tests.cli.newcomer import Newcomer

NPX = {"command": "npx", "args": ["-y", "x"]}


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    return Newcomer(tmp_path / "home")


def report(newcomer: Newcomer) -> tuple[int, dict[str, Any]]:
    done = newcomer.run("check", "--clients", "--json")
    return done.returncode, json.loads(done.stdout)


def test_a_server_that_is_reached_directly_makes_the_exit_code_1(newcomer: Newcomer) -> None:
    file = newcomer.configure("cursor", {"a": NPX})
    code, found = report(newcomer)
    assert code == 1
    (table,) = found["tables"]
    assert (table["client"], table["file"], table["scope"]) == ("cursor", str(file.path), "user")
    assert [one["server"] for one in table["direct"]] == ["a"]
    newcomer.run("init", "--apply")
    code, found = report(newcomer)
    assert code == 0
    assert (found["tables"][0]["direct"], found["tables"][0]["guarded"]) == ([], ["mcp-guard"])


def test_a_server_that_is_turned_off_is_not_reached(newcomer: Newcomer) -> None:
    newcomer.configure("windsurf", {"a": {**NPX, "disabled": True}})
    code, found = report(newcomer)
    assert code == 0
    assert found["tables"][0]["off"] == ["a"]


def test_what_could_not_be_moved_is_reached_directly_and_says_why(newcomer: Newcomer) -> None:
    newcomer.configure("cursor", {"web": {"url": "https://x.example/mcp"}})
    newcomer.run("init", "--apply")
    code, found = report(newcomer)
    assert code == 1
    assert "sign-in" in found["tables"][0]["direct"][0]["why"]


def test_a_file_that_cannot_be_read_may_hold_anything(newcomer: Newcomer) -> None:
    newcomer.configure("cursor", {}).path.write_text("{")
    code, found = report(newcomer)
    assert code == 2
    assert ".cursor/mcp.json:1:" in found["faults"][0]


def test_a_forged_guard_in_a_project_is_reached_directly(newcomer: Newcomer) -> None:
    forged = {"command": "./mcp-guard", "args": ["run", "--config", str(newcomer.policy("x"))]}
    newcomer.configure("claude-code", {"mcp-guard": forged}, "project")
    code, found = report(newcomer)
    assert code == 1
    assert "calls itself mcp-guard" in found["tables"][0]["direct"][0]["why"]


def test_a_projects_entry_with_the_name_of_a_persons_guard_is_pointed_out(newcomer: Newcomer) -> None:
    newcomer.configure("claude-code", {"a": NPX})
    newcomer.run("init", "--apply")
    newcomer.configure("claude-code", {"mcp-guard": NPX}, "project")
    code, found = report(newcomer)
    assert code == 1
    (why,) = [one["why"] for table in found["tables"] for one in table["direct"]]
    assert "has the name of your guard" in why


@pytest.mark.parametrize("client", ["claude-code", "codex", "cursor", "vscode", "gemini-cli", "zed", "windsurf"])
def test_a_clients_own_tools_are_named_with_the_setting_that_closes_them(newcomer: Newcomer, client: str) -> None:
    newcomer.configure(client, {"a": NPX})
    _, found = report(newcomer)
    assert {one["client"] for one in found["own_tools"]} == {client}
    shown = newcomer.run("check", "--clients").stdout
    for one in found["own_tools"]:
        assert one["tools"] in shown
        assert (one["setting"].splitlines() or [one["where"]])[0] in shown


def tools_of(name: str) -> tuple[BuiltIn, ...]:
    return next(client for client in CLIENTS if client.id == name).built_in


@pytest.mark.parametrize(
    ("client", "path", "number"),
    [
        ("claude-code", ".claude/settings.json", 0),
        ("claude-code", "work/.claude/settings.json", 0),
        ("codex", ".codex/config.toml", 0),
        ("codex", ".codex/config.toml", 2),
        ("cursor", ".cursor/cli-config.json", 0),
    ],
)
def test_a_setting_counts_as_set_where_its_file_says_all_of_it(
    newcomer: Newcomer, client: str, path: str, number: int
) -> None:
    newcomer.configure(client, {"a": NPX})
    tools = tools_of(client)[number]
    file = newcomer.home / path
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text(tools.setting)
    _, found = report(newcomer)
    assert [one["tools"] for one in found["own_tools"] if one["set_in"] == str(file)] == [tools.tools]
    assert f"{tools.tools} ({tools.reach}): in {file}" in newcomer.run("check", "--clients").stdout


@pytest.mark.parametrize(
    "text", ['{"permissions": {"deny": ["Bash"]}}', '{"permissions": {"deny": "Bash"}}', "{", "[]", ""]
)
def test_a_setting_that_is_there_in_part_is_not_set(newcomer: Newcomer, text: str) -> None:
    newcomer.configure("claude-code", {"a": NPX})
    (newcomer.home / ".claude").mkdir()
    (newcomer.home / ".claude" / "settings.json").write_text(text)
    _, found = report(newcomer)
    assert not [one for one in found["own_tools"] if one["set_in"]]


def test_a_setting_in_a_link_out_of_the_home_does_not_count(newcomer: Newcomer, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text(
        '{"permissions": {"deny": ["Bash", "Edit", "Write", "NotebookEdit", "WebFetch", "WebSearch"]}}'
    )
    newcomer.configure("claude-code", {"a": NPX})
    (newcomer.home / ".claude").mkdir()
    (newcomer.home / ".claude" / "settings.json").symlink_to(elsewhere)
    _, found = report(newcomer)
    assert not [one for one in found["own_tools"] if one["set_in"]]


def test_it_stands_alone(newcomer: Newcomer) -> None:
    assert newcomer.run("check", "--clients", "--policy", "p.yaml").returncode == 2
    assert newcomer.run("check", "--clients", "--", "x").returncode == 2


def test_without_clients_it_says_so(newcomer: Newcomer) -> None:
    done = newcomer.run("check", "--clients")
    assert done.returncode == 0
    assert "no client's configuration" in done.stdout
