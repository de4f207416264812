"""A server that a client was told not to start isn't started by way of a guard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.starting.homes import Home

NPX = {"command": "npx", "args": ["-y", "x"]}
TWO = {"mcpServers": {"off": NPX, "on": NPX}}


def moved(home: Home) -> list[str]:
    return [server.name for table in home.survey().tables for server in table.movable]


@pytest.mark.parametrize(
    "file", [".claude/settings.json", "shop/.claude/settings.json", "shop/.claude/settings.local.json"]
)
def test_a_projects_server_that_was_rejected_stays_rejected(tmp_path: Path, file: str) -> None:
    home = Home(tmp_path)
    home.write("shop/.mcp.json", TWO)
    home.write(file, {"disabledMcpjsonServers": ["off"]})
    assert moved(home) == ["on"]
    ((left,),) = (table.left for table in home.survey().tables)
    assert left.disabled
    assert "disabledMcpjsonServers" in left.why


@pytest.mark.parametrize("key", ["disabledMcpServers", "disabledMcpjsonServers"])
def test_a_projects_server_that_was_turned_off_in_the_client_stays_off(tmp_path: Path, key: str) -> None:
    home = Home(tmp_path)
    home.write("shop/.mcp.json", TWO)
    home.write(".claude.json", {"projects": {str(home.project): {key: ["off"]}, "/other": {key: ["on"]}}})
    assert moved(home) == ["on"]


def test_a_persons_server_that_is_off_in_one_project_would_start_there_behind_a_guard(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write(".claude.json", {**TWO, "projects": {"/other": {"disabledMcpServers": ["off"]}}})
    assert moved(home) == ["on"]
    (left,) = home.survey().tables[0].left
    assert left.direct, "elsewhere it is reached"


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ({"excluded": ["off"]}, ["on"]),
        ({"allowed": ["on"]}, []),
        ({"allowed": []}, ["off", "on"]),
        ({"allowed": "x"}, ["off", "on"]),
    ],
)
def test_the_lists_of_gemini_hold(tmp_path: Path, rules: dict[str, Any], left: list[str]) -> None:
    home = Home(tmp_path)
    home.write(".gemini/settings.json", {"mcp": rules, **TWO})
    assert moved(home) == left


@pytest.mark.parametrize("rules", [{"excluded": ["on", "off"]}, {"allowed": ["other"]}])
def test_a_project_does_not_keep_the_guard_from_a_persons_own_servers(tmp_path: Path, rules: dict[str, Any]) -> None:
    home = Home(tmp_path)
    home.write(".gemini/settings.json", TWO)
    home.write("shop/.gemini/settings.json", {"mcp": rules, **TWO})
    assert moved(home) == ["off", "on"], "and the project's own servers stay as it says"


def test_a_list_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write("shop/.mcp.json", TWO)
    home.write(".claude/settings.json", "{")
    home.write("shop/.claude/settings.json", "[]")
    assert moved(home) == ["off", "on"]
