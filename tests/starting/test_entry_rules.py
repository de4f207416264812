"""Which of a client's servers go behind a guard, and what the others are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcp_guard.clients import Scope
from mcp_guard.starting.entry_rules import Left, Server
from mcp_guard.starting.secret_words import has_secret
from mcp_guard.starting.survey import Table
from tests.starting.homes import Home

PLAIN = {"command": "npx", "args": ["-y", "server"]}


def surveyed(home: Home, members: dict[str, Any], path: str, name: str = "one") -> Server | Left:
    key = "servers" if "Code" in path or ".vscode" in path else "mcpServers"
    home.write(path, {key: {name: members}})
    (table,) = home.survey().tables
    return table.movable[0] if table.movable else table.left[0]


def why(tmp_path: Path, members: dict[str, Any], path: str = ".cursor/mcp.json", name: str = "one") -> str:
    found = surveyed(Home(tmp_path), members, path, name)
    return found.why if isinstance(found, Left) else ""


CODE = ".config/Code/User/mcp.json"


@pytest.mark.parametrize(
    ("path", "members", "said"),
    [
        (".cursor/mcp.json", {"args": ["x"]}, "neither command nor address"),
        (".cursor/mcp.json", {"command": "x", "url": "https://x.example/"}, "a command and an address"),
        (CODE, {"command": "x", "args": ["${workspaceFolder}"]}, "fills in `${workspaceFolder}`"),
        (CODE, {"command": "x", "args": ["${input:token}"]}, "fills in `${input:token}`"),
        (CODE, {"command": "x", "envFile": "${workspaceFolder}/.env"}, "`envFile` means something to VS Code"),
        (CODE, {"command": "x", "cwd": "sub"}, "its working directory is relative"),
        (CODE, {"command": "x", "env": {"A": None}}, "`A` is null"),
        (CODE, {"command": "x", "sandboxEnabled": True}, "`sandboxEnabled` means something"),
        (".claude.json", {"command": "x", "args": ["${HOME}/x"]}, "fills in `${HOME}`"),
        (".cursor/mcp.json", {"command": "x", "args": ["$HOME/x"]}, "fills in `$HOME`"),
        (".cursor/mcp.json", {"command": "x", "args": ["%APPDATA%"]}, "fills in `%APPDATA%`"),
        (".cursor/mcp.json", {"command": "x", "args": ["--token", "abc"]}, "what looks like a secret"),
        (".cursor/mcp.json", {"command": "x", "args": ["postgresql://u:p@db/x"]}, "what looks like a secret"),
        (".cursor/mcp.json", {"command": "./server.sh"}, "starts from wherever the client is"),
        (".cursor/mcp.json", {"command": "x", "args": ["a\u202eb"]}, "characters that can't be seen: `a\\u202eb`"),
        (".cursor/mcp.json", {"command": "x\n"}, "characters that can't be seen"),
        (".cursor/mcp.json", {"command": "x", "env": {"A\u200b": "1"}}, "characters that can't be seen"),
        (".cursor/mcp.json", {"command": "x", "env": {"A=B": "1"}}, "no name of a variable"),
        (".cursor/mcp.json", {"command": "x", "env": {"": "1"}}, "no name of a variable"),
        (".cursor/mcp.json", {"command": "x", "args": ["a"] * 300}, "more than 200 words"),
        (".cursor/mcp.json", {"command": "x", "args": ["a" * 9000]}, "longer than 8000"),
        (".gemini/settings.json", {"command": "x", "excludeTools": ["rm"]}, "`excludeTools` means something to Gemini"),
        (".gemini/settings.json", {"command": "x", "includeTools": ["ls"]}, "`includeTools` means something"),
        (".codeium/windsurf/mcp_config.json", {"command": "x", "disabledTools": ["rm"]}, "`disabledTools` means"),
        (".cursor/mcp.json", {"command": "x", "madeUp": {"a": 1}}, "`madeUp` means something"),
    ],
)
def test_what_would_not_run_the_same_stays_and_says_why(
    tmp_path: Path, path: str, members: dict[str, Any], said: str
) -> None:
    assert said in why(tmp_path, members, path)


def test_a_name_that_cannot_be_seen_stays(tmp_path: Path) -> None:
    assert "its name has characters" in why(tmp_path, PLAIN, name="a\u001b[2Jb")


@pytest.mark.parametrize(
    ("path", "members"),
    [
        (".cursor/mcp.json", PLAIN),
        (CODE, {"type": "stdio", **PLAIN, "env": {"TOKEN": "${input:token}"}}),
        (CODE, {"command": "x", "args": ["${userHome}/x"]}),
        (".claude.json", {"type": "stdio", "command": "x", "args": [], "env": {"A_TOKEN": "${A}"}, "timeout": 9}),
        (".gemini/settings.json", {"command": "x", "timeout": 5000, "trust": True, "description": "d"}),
        (".gemini/settings.json", {"command": "x", "excludeTools": []}),
        (".cursor/mcp.json", {"command": "docker", "args": ["run", "-i", "--rm", "-e", "GITHUB_TOKEN", "img"]}),
        (".gemini/settings.json", {"command": "x", "cwd": "/abs"}),
    ],
)
def test_what_runs_the_same_behind_a_guard_is_moved(tmp_path: Path, path: str, members: dict[str, Any]) -> None:
    assert isinstance(surveyed(Home(tmp_path), members, path), Server)


def test_a_server_that_is_turned_off_stays_off(tmp_path: Path) -> None:
    found = surveyed(Home(tmp_path), {**PLAIN, "disabled": True}, ".codeium/windsurf/mcp_config.json")
    assert isinstance(found, Left)
    assert found.disabled and not found.direct


def test_what_the_client_loses_with_a_moved_server_is_said(tmp_path: Path) -> None:
    found = surveyed(Home(tmp_path), {"command": "x", "timeout": 5, "trust": True}, ".gemini/settings.json")
    assert isinstance(found, Server)
    assert found.dropped == ("timeout", "trust")


def test_the_folder_of_a_project_is_written_out_for_its_own_file_only(tmp_path: Path) -> None:
    home = Home(tmp_path)
    members = {
        "command": "x",
        "args": ["${workspaceFolder}/a", "${workspaceFolderBasename}"],
        "cwd": "${workspaceFolder}/b",
    }
    found = surveyed(home, members, "shop/.vscode/mcp.json")
    assert isinstance(found, Server)
    assert found.command == ("x", f"{home.project}/a", "shop")
    assert found.cwd == f"{home.project}/b"


def test_relative_words_of_a_project_start_from_the_project(tmp_path: Path) -> None:
    home = Home(tmp_path)
    found = surveyed(home, {"command": "./server.sh", "args": ["."]}, "shop/.mcp.json")
    assert isinstance(found, Server)
    assert found.cwd == str(home.project)


def test_a_local_table_of_another_project_does_not_count_here(tmp_path: Path) -> None:
    home = Home(tmp_path)
    local = {str(home.project): {"mcpServers": {"a": PLAIN}}, "/elsewhere": {"mcpServers": {"b": PLAIN}}}
    home.write(".claude.json", {"projects": local})
    here: list[Table] = [table for table in home.survey().tables if table.here]
    assert [(table.scope, [server.name for server in table.movable]) for table in here] == [(Scope.LOCAL, ["a"])]


@pytest.mark.parametrize(
    "words",
    [
        ["x", "--api-key", "abc"],
        ["x", "--api-key=abc"],
        ["x", "--secret-key", "/looks/like/a/path"],
        ["x", "-e", "TOKEN=abc"],
        ["x", "ghp_0123456789abcdefghij0123456789abcdef"],
        ["x", "https://user:pass@example.com/"],
        ["x", "https://example.com/?key=1"],
    ],
)
def test_a_secret_among_the_words_is_noticed(words: list[str]) -> None:
    assert has_secret(words)


@pytest.mark.parametrize(
    "words",
    [
        ["npx", "-y", "@modelcontextprotocol/server-filesystem@2026.8.31", "."],
        ["x", "/home/iris/a-directory-with-a-long-name-2026-and-numbers"],
        ["x", "--root", "/home/iris/a-directory-with-a-long-name-2026-and-numbers"],
        ["docker", "run", "-e", "API_KEY", "ghcr.io/x/y@sha256:" + "0a" * 32],
        ["x", "https://example.com/mcp"],
    ],
)
def test_paths_names_and_digests_are_no_secrets(words: list[str]) -> None:
    assert not has_secret(words)


@pytest.mark.parametrize(
    "members",
    [
        {"command": "x", "args": ["${TOKEN:-hunter2}"]},
        {"command": "x", "args": ["$(echo hunter2)"]},
        {"command": "x", "args": ["Pa$hunter2"]},
        {"command": "x", "args": ["--token", "hunter2\u200b"]},
        {"command": "x", "args": ["--url", "https://a.example/?key=hunter2\u200b"]},
        {"command": "TOKEN=hunter2/x"},
        {"url": "https://a.example/?key=hunter2\u200b"},
        {"url": "https://hunter2@a.example/\u200b"},
        {"url": "https://a.example/?key=hunter2"},
    ],
)
def test_the_reason_why_a_server_stays_shows_no_secret_of_it(tmp_path: Path, members: dict[str, Any]) -> None:
    said = why(tmp_path, members)
    assert said
    assert "hunter2" not in said


@pytest.mark.parametrize("value", ["\ud800", "a\0b"])
@pytest.mark.parametrize("form", ["env", "headers"])
def test_a_value_that_no_file_and_no_process_takes_stops_its_own_server_alone(
    tmp_path: Path, form: str, value: str
) -> None:
    way = {"command": "x"} if form == "env" else {"url": "https://a.example/mcp"}
    home = Home(tmp_path)
    home.servers({"odd": {**way, form: {"Authorization": value}}, "even": PLAIN})
    assert home.change().names == ("even",)


@pytest.mark.parametrize("cwd", ["~nobody-is-called-so/x", "~nobody-is-called-so"])
def test_a_directory_of_a_user_that_does_not_exist_is_told_and_no_crash(tmp_path: Path, cwd: str) -> None:
    assert "write the whole path" in why(tmp_path, {"command": "x", "cwd": cwd}, "shop/.vscode/mcp.json")
