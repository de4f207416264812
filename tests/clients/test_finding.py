"""Which files are found: by what the clients document, in the places that are given, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mcp_guard.clients import CLIENTS, Client, Places, Scope, find, load, this_machine
from mcp_guard.errors import InputError


def client(id: str) -> Client:
    return next(one for one in CLIENTS if one.id == id)


def made(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"" if path.endswith(".toml") else b"{}")


def names(root: Path, places: Places) -> list[str]:
    return [f"{file.client.id} {file.path.relative_to(root).as_posix()}" for file in find(places)]


LINUX = [
    "claude-code h/.claude.json",
    "claude-code p/.mcp.json",
    "claude-desktop h/.config/Claude/claude_desktop_config.json",
    "cursor h/.cursor/mcp.json",
    "cursor p/.cursor/mcp.json",
    "vscode h/.config/Code/User/mcp.json",
    "vscode h/.config/Code/User/profiles/-1a2b/mcp.json",
    "vscode h/.config/Code/User/profiles/3c4d/mcp.json",
    "vscode h/.config/Code/User/settings.json",
    "vscode h/.config/Code - Insiders/User/mcp.json",
    "vscode h/.vscode-server/data/User/mcp.json",
    "vscode h/.copilot/mcp-config.json",
    "vscode p/.vscode/mcp.json",
    "vscode p/.vscode/settings.json",
    "codex h/.codex/config.toml",
    "codex p/.codex/config.toml",
    "windsurf h/.codeium/windsurf/mcp_config.json",
    "windsurf h/.codeium/mcp_config.json",
    "gemini-cli h/.gemini/settings.json",
    "gemini-cli p/.gemini/settings.json",
    "zed h/.config/zed/settings.json",
    "zed p/.zed/settings.json",
]


def test_every_documented_file_is_found_on_linux_in_the_order_of_the_clients(tmp_path: Path) -> None:
    made(tmp_path, *(one.partition(" ")[2] for one in LINUX))
    assert names(tmp_path, Places(tmp_path / "h", tmp_path / "p", "linux", {})) == LINUX


def test_files_of_a_project_are_found_only_if_a_project_is_named(tmp_path: Path) -> None:
    made(tmp_path, *(one.partition(" ")[2] for one in LINUX))
    found = find(Places(tmp_path / "h", None, "linux", {}))
    assert {file.scope for file in found} == {Scope.USER}
    assert all(file.within == tmp_path / "h" for file in found)


def test_a_file_that_is_both_the_users_and_the_projects_is_found_once_as_the_users(tmp_path: Path) -> None:
    made(tmp_path, ".cursor/mcp.json", ".mcp.json")
    found = find(Places(tmp_path, tmp_path, "linux", {}))
    assert [(file.path.name, file.scope) for file in found] == [
        (".mcp.json", Scope.PROJECT),
        ("mcp.json", Scope.USER),
    ]


def test_a_mac_and_a_windows_machine_have_their_own_places(tmp_path: Path) -> None:
    made(
        tmp_path,
        "h/Library/Application Support/Claude/claude_desktop_config.json",
        "h/Library/Application Support/Code/User/mcp.json",
        "h/.config/zed/settings.json",
        "h/AppData/Roaming/Claude/claude_desktop_config.json",
        "h/AppData/Roaming/Zed/settings.json",
    )
    assert names(tmp_path, Places(tmp_path / "h", None, "darwin", {})) == [
        "claude-desktop h/Library/Application Support/Claude/claude_desktop_config.json",
        "vscode h/Library/Application Support/Code/User/mcp.json",
        "zed h/.config/zed/settings.json",
    ]
    assert names(tmp_path, Places(tmp_path / "h", None, "win32", {})) == [
        "claude-desktop h/AppData/Roaming/Claude/claude_desktop_config.json",
        "zed h/AppData/Roaming/Zed/settings.json",
    ]
    assert find(Places(tmp_path / "h", None, "plan9", {})) == ()


@pytest.mark.parametrize(
    ("variable", "rest", "id"),
    [
        ("CLAUDE_CONFIG_DIR", ".claude.json", "claude-code"),
        ("CODEX_HOME", "config.toml", "codex"),
        ("GEMINI_CLI_HOME", ".gemini/settings.json", "gemini-cli"),
        ("COPILOT_HOME", "mcp-config.json", "vscode"),
        ("XDG_CONFIG_HOME", "zed/settings.json", "zed"),
    ],
)
def test_a_variable_moves_a_clients_file(tmp_path: Path, variable: str, rest: str, id: str) -> None:
    made(tmp_path, *(one.partition(" ")[2] for one in LINUX), f"moved/{rest}")
    places = Places(tmp_path / "h", None, "linux", {variable: str(tmp_path / "moved")})
    found = [file for file in find(places, [client(id)]) if file.path.is_relative_to(tmp_path / "moved")]
    assert [file.path for file in found] == [tmp_path / "moved" / rest]
    assert load(found[0]).sections is not None
    same = [file for file in find(places, [client(id)]) if file.place == found[0].place]
    assert same == found  # and the usual place isn't looked at
    assert find(Places(tmp_path / "h", None, "linux", {variable: ""}), [client(id)])[0].within == tmp_path / "h"


def test_a_variable_with_a_relative_path_is_an_error_and_no_guess(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`CODEX_HOME` is the relative path"):
        find(Places(tmp_path, None, "linux", {"CODEX_HOME": "x"}))


def test_a_directory_in_a_files_place_is_no_file(tmp_path: Path) -> None:
    (tmp_path / ".claude.json").mkdir()
    assert find(Places(tmp_path, None, "linux", {})) == ()


def test_a_link_that_leads_nowhere_is_found_so_that_it_can_be_told(tmp_path: Path) -> None:
    (tmp_path / ".claude.json").symlink_to("nowhere")
    (file,) = find(Places(tmp_path, None, "linux", {}))
    with pytest.raises(InputError, match="can't read"):
        load(file)


@pytest.mark.parametrize("in_project", [True, False])
def test_a_link_that_leads_out_of_its_home_or_project_is_not_read(tmp_path: Path, in_project: bool) -> None:
    """A cloned repository may bring a `.mcp.json` that leads to anything."""
    home, project = tmp_path / "h", tmp_path / "p"
    home.mkdir()
    project.mkdir()
    secret = tmp_path / "secret.json"
    secret.write_text('{"mcpServers": {}}')
    link = project / ".mcp.json" if in_project else home / ".claude.json"
    link.symlink_to(secret)
    (file,) = find(Places(home, project, "linux", {}))
    with pytest.raises(InputError, match=r"is a link that leads out of .*; nothing was read"):
        load(file)


def test_a_project_in_a_home_may_not_lead_to_the_rest_of_the_home(tmp_path: Path) -> None:
    project = tmp_path / "work"
    project.mkdir()
    (tmp_path / ".claude.json").write_text("{}")
    (project / ".mcp.json").symlink_to("../.claude.json")
    files = find(Places(tmp_path, project, "linux", {}))
    assert load(files[0]).data == b"{}"
    with pytest.raises(InputError, match="leads out"):
        load(files[1])


def test_a_pipe_in_a_files_place_does_not_make_us_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".claude.json")
    (file,) = find(Places(tmp_path, None, "linux", {}))
    with pytest.raises(InputError, match="is no plain file"):
        load(file)


def test_a_home_without_clients_is_fine(tmp_path: Path) -> None:
    assert find(Places(tmp_path / "nobody", tmp_path / "nothing", "linux", {})) == ()


def test_this_machine_is_who_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    places = this_machine(tmp_path / "p")
    assert places.home == tmp_path and places.project == tmp_path / "p"
    assert places.environment["HOME"] == str(tmp_path)
