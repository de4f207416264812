"""An agent can't take the guard out of its client: the file that starts it is the guard's own (law 7)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcp_guard.cli.setting_up import protection_of
from mcp_guard.client_files import client_files
from mcp_guard.clients import CLIENTS, Client, Places
from mcp_guard.clients.finding import _resolved as resolved  # where a place is, whether or not a file is there
from mcp_guard.policy.document import load_text
from mcp_guard.protection import Protection
from mcp_guard.server_spec import ServerSpec
from tests.fixtures.ledger import executed
from tests.guards import Stand, decision_in

MOVED = ("APPDATA", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "COPILOT_HOME", "GEMINI_CLI_HOME", "XDG_CONFIG_HOME")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    for variable in MOVED:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return Places(tmp_path / "home", tmp_path / "home" / "shop", "linux", {})


def protection(places: Places) -> Protection:
    return Protection([], [], others=[str(one) for one in client_files([places.project or ""])])


def paths(client: Client, places: Places) -> list[str]:
    """Every file that the client may have servers in."""
    found = [resolved(one, places) for one in client.places]
    return [str(one[1]).replace("*", "anything") for one in found if one is not None]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.id)
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_every_file_that_a_client_reads_servers_from_is_protected(
    places: Places, client: Client, platform: str
) -> None:
    here = Places(places.home, places.project, platform, {})
    assert paths(client, here)
    for path in paths(client, here):
        assert protection(places).named_by({"path": path}), path


@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.id)
@pytest.mark.parametrize("variable", MOVED)
def test_a_variable_that_moves_a_clients_files_moves_the_protection(
    places: Places, monkeypatch: pytest.MonkeyPatch, client: Client, variable: str
) -> None:
    monkeypatch.setenv(variable, "/elsewhere")
    for platform in ("linux", "win32"):
        for path in paths(client, Places(places.home, places.project, platform, {variable: "/elsewhere"})):
            assert protection(places).named_by({"path": path}), path


@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.id)
def test_every_file_that_closes_a_clients_own_tools_is_protected(places: Places, client: Client) -> None:
    for tools in client.built_in:
        for word in re.findall(r"[~.][.\w-]*/[.\w/-]*\w", tools.where):
            path = word.replace("~", str(places.home)) if word.startswith("~") else f"{places.project}/{word}"
            assert protection(places).named_by({"path": path}), path


def test_the_files_beside_them_are_not(places: Places) -> None:
    for path in (".vscode/launch.json", ".claude/skills/a.md", "mcp.json", "settings.json", "src/.mcp.json"):
        assert not protection(places).named_by({"path": f"{places.project}/{path}"}), path


def test_the_directories_of_every_server_and_policy_count_as_projects(places: Places, tmp_path: Path) -> None:
    policy = load_text(b"version: 1\n", file="p", kind="policy", variables={"project": str(tmp_path / "a")}, home="/h")
    specs = (ServerSpec("files", ("x",), cwd=str(tmp_path / "b")),)
    found = protection_of(specs, (policy,), (), tmp_path / "state")
    for directory in (tmp_path / "a", tmp_path / "b", Path.cwd()):
        assert found.named_by({"path": f"{directory}/.mcp.json"}), directory
        assert found.named_by({"path": f"{directory}/.cursor"}), "who may move it away may put another in its place"


async def test_no_call_reaches_the_file_that_starts_the_guard(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    (tmp_path / ".mcp.json").write_text("{}")
    (tmp_path / "notes").symlink_to(".mcp.json")
    (tmp_path / "hard").hardlink_to(tmp_path / ".mcp.json")
    named = [
        ".mcp.json",
        "notes",
        "./hard",
        f"{tmp_path}/.VSCODE/mcp.json",
        ".cursor",
        "~/.claude.json",
        "~/.codex/config.toml",
    ]
    async with stand.wrap() as client:
        await client.initialize()
        results = [await client.call("echo", {"text": name}) for name in named]
    assert [decision_in(result)["reason"] for result in results] == ["protected"] * len(named)
    assert executed(stand.ledger_file()) == []
