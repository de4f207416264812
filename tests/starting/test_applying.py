"""All of a plan, or nothing of it: whatever fails, clients' files and the guard's own are as they were."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mcp_guard.clients import How, IfChanged
from mcp_guard.errors import InputError
from mcp_guard.starting.applying import apply
from tests.starting.homes import NOW, Home

NPX = {"command": "npx", "args": ["-y", "server"]}


def snapshot(root: Path) -> dict[str, bytes]:
    """Every file that somebody may care about; of the backups' directory only what it keeps of files."""
    return {
        str(path): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in ("lock", ".gitignore")
    }


def three_clients(root: Path) -> Home:
    home = Home(root)
    for path in (".claude.json", ".cursor/mcp.json", ".codeium/windsurf/mcp_config.json"):
        home.servers({"a": NPX}, path)
    return home


@pytest.mark.parametrize("victim", [".claude.json", ".cursor/mcp.json", ".codeium/windsurf/mcp_config.json"])
def test_a_file_that_changed_meanwhile_takes_the_whole_plan_back(tmp_path: Path, victim: str) -> None:
    home = three_clients(tmp_path)
    planned = home.plan()
    home.servers({"a": NPX, "b": NPX}, victim)
    before = snapshot(home.root)
    with pytest.raises(InputError, match="changed by somebody else meanwhile"):
        apply(planned, home.guards, home.state, NOW)
    assert snapshot(home.root) == before
    assert home.backups().kept() == ()


def test_a_read_only_file_takes_the_whole_plan_back(tmp_path: Path) -> None:
    home = three_clients(tmp_path)
    (home.root / ".codeium/windsurf/mcp_config.json").chmod(0o400)
    before = snapshot(home.root)
    with pytest.raises(InputError, match="read-only"):
        home.apply()
    assert snapshot(home.root) == before


def test_a_plan_that_fails_later_keeps_what_an_earlier_one_put_in_place(tmp_path: Path) -> None:
    home = three_clients(tmp_path)
    home.apply()
    for path in (".claude.json", ".cursor/mcp.json"):
        file = home.root / path
        file.write_text(file.read_text().replace('"mcpServers": {', '"mcpServers": {"b": {"command": "y"},', 1))
    before = snapshot(home.guards) | {path: one for path, one in snapshot(home.root).items() if "state" not in path}
    planned = home.plan()
    (home.root / ".cursor/mcp.json").chmod(0o400)
    with pytest.raises(InputError, match="read-only"):
        apply(planned, home.guards, home.state, NOW)
    after = {path: one for path, one in snapshot(home.root).items() if "state" not in path}
    assert after == before


def test_the_guards_files_are_for_nobody_else(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        home = three_clients(tmp_path)
        home.apply()
    finally:
        os.umask(old)
    for path in (home.guards, *home.guards.rglob("*"), home.state):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_directory_that_others_may_write_into_is_refused(tmp_path: Path) -> None:
    home = three_clients(tmp_path)
    home.guards.mkdir(parents=True)
    home.guards.chmod(0o777)
    before = snapshot(home.root)
    with pytest.raises(InputError, match="could put another policy there"):
        home.apply()
    assert snapshot(home.root) == before


def test_undo_gives_every_file_its_bytes_back_and_leaves_the_policies(tmp_path: Path) -> None:
    home = three_clients(tmp_path)
    before = snapshot(home.root)
    home.apply()
    policies = list(home.guards.rglob("*.yaml"))
    assert len(policies) == 6
    assert [one.how for one in home.undo()] == [How.RESTORED] * 3
    after = snapshot(home.root)
    assert {path: after[path] for path in before} == before
    assert all(path.is_file() for path in policies)


def test_a_server_that_a_person_added_between_two_runs_survives_undo(tmp_path: Path) -> None:
    home = Home(tmp_path)
    file = home.servers({"a": NPX})
    added = b'"mcpServers": {\n    "b": {"command": "y"},'
    expected = file.read_bytes().replace(b'"mcpServers": {', added)
    home.apply()
    file.write_bytes(file.read_bytes().replace(b'"mcpServers": {', added))
    home.apply()
    assert list(json.loads(file.read_text())["mcpServers"]) == ["mcp-guard"]
    backups = home.backups()
    assert [backups.undo(change).how for change in backups.kept()] == [How.RESTORED, How.CHANGED]
    assert [backups.undo(change, IfChanged.REVERSE).how for change in backups.kept()] == [How.REVERSED]
    assert json.loads(file.read_bytes()) == json.loads(expected)
