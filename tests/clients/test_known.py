"""The facts about the eight clients hang together, and the documentation has each of them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import yaml

from mcp_guard.clients import CLIENTS, Client, Format
from mcp_guard.clients.built_in import VSCODE

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "clients.md"
BY_ID = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.id)


def test_the_eight_clients_are_known() -> None:
    assert [client.id for client in CLIENTS] == [
        "claude-code",
        "claude-desktop",
        "cursor",
        "vscode",
        "codex",
        "windsurf",
        "gemini-cli",
        "zed",
    ]


@BY_ID
def test_the_places_of_a_client_have_names_of_their_own(client: Client) -> None:
    names = [place.id for place in client.places]
    assert len(set(names)) == len(names)
    for place in client.places:
        assert set(place.where) == {"linux", "darwin", "win32"}
        assert all(template.startswith(("~/", "$")) for every in place.where.values() for template in every)
        assert place.format is not Format.JSON or not place.trailing_commas


@BY_ID
def test_a_setting_that_closes_a_clients_tools_can_be_pasted(client: Client) -> None:
    assert client.built_in
    for one in client.built_in:
        assert one.source.startswith("https://") and one.where and one.tools
        if one in VSCODE:
            assert yaml.safe_load(one.setting.strip("-\n"))["tools"]
        elif one.setting.startswith("{"):
            assert isinstance(json.loads(one.setting), dict)
        elif one.setting and client.id != "claude-desktop":
            assert tomllib.loads(one.setting)
        assert one.setting or one.note


@BY_ID
def test_the_documentation_has_every_fact_about_a_client(client: Client) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    part = text.partition(f"\n## {client.title}\n")[2].partition("\n## ")[0]
    assert part, f"docs/clients.md has no section for {client.title}"
    flat = " ".join(part.split())
    for place in client.places:
        for template in {one for every in place.where.values() for one in every}:
            assert f"`{template}`" in part, template
        for table in place.tables:
            assert f"`{'.'.join(table.path)}`" in part, table.path
    for source in client.sources:
        assert source in part
    for one in client.unsure:
        assert one in flat
    for tool in client.built_in:
        assert tool.source in part and tool.tools in flat and " ".join(tool.where.split()) in flat
        assert " ".join(tool.setting.split()) in flat
        assert tool.note in flat
