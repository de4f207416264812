"""Servers that are reached by address: which the guard can reach in the client's place, and where credentials stay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.config import read_config
from mcp_guard.starting.entry_rules import Left
from tests.starting.homes import Home

URL = "https://docs.example.com/mcp"
TOKEN = "s3cr3t-value"


@pytest.mark.parametrize(
    ("path", "members", "said"),
    [
        (".cursor/mcp.json", {"url": URL}, "may want a sign-in"),
        (".cursor/mcp.json", {"url": "http://docs.example.com/mcp"}, "plain http would show"),
        (".cursor/mcp.json", {"url": f"{URL}?key=1"}, "may be a secret"),
        (".cursor/mcp.json", {"url": "https://u:p@docs.example.com/mcp"}, "may be a secret"),
        (".cursor/mcp.json", {"url": "https://${HOST}/mcp"}, "fills in its address"),
        (".cursor/mcp.json", {"url": "https://x.example/\u202e"}, "can't be seen"),
        (".cursor/mcp.json", {"url": URL, "headers": {"Host": "x"}}, "the guard makes the header"),
        (".cursor/mcp.json", {"url": URL, "auth": {"a": "b"}}, "`auth` means something to Cursor"),
        (".claude.json", {"type": "sse", "url": URL}, "older SSE transport"),
        (".gemini/settings.json", {"url": URL}, "older SSE transport"),
        (".claude.json", {"type": "http", "url": URL, "headersHelper": "/bin/x"}, "`headersHelper` means something"),
    ],
)
def test_what_the_guard_cannot_reach_as_the_client_does_stays(
    tmp_path: Path, path: str, members: dict[str, Any], said: str
) -> None:
    home = Home(tmp_path)
    home.servers({"docs": members}, path)
    ((left,),) = (table.left for table in home.survey().tables)
    assert isinstance(left, Left)
    assert said in left.why


@pytest.mark.parametrize(
    ("headers", "env", "line"),
    [
        ({"Authorization": f"Bearer {TOKEN}"}, {"DOCS_TOKEN": TOKEN}, "token_env: DOCS_TOKEN"),
        ({"authorization": "bearer ${KEY}"}, {"DOCS_TOKEN": "${KEY}"}, "token_env: DOCS_TOKEN"),
        (
            {"Authorization": f"Basic {TOKEN}"},
            {"DOCS_AUTHORIZATION_SECRET": f"Basic {TOKEN}"},
            "headers_env: {Authorization: DOCS_AUTHORIZATION_SECRET}",
        ),
        (
            {"X-A": "1", "X_A": "2"},
            {"DOCS_X_A_SECRET": "1", "GUARDED_DOCS_DOCS_X_A_SECRET_2": "2"},
            "headers_env: {X-A: DOCS_X_A_SECRET, X_A: GUARDED_DOCS_DOCS_X_A_SECRET_2}",
        ),
    ],
)
def test_a_credential_stays_in_the_clients_file_and_guard_yaml_names_it(
    tmp_path: Path, headers: dict[str, str], env: dict[str, str], line: str
) -> None:
    home = Home(tmp_path)
    file = home.servers({"docs": {"url": URL, "headers": headers}})
    change = home.change()
    home.apply()
    entry = json.loads(file.read_text())["mcpServers"]["mcp-guard"]
    assert entry["env"] == env
    config = change.config.read_text()
    assert line in config
    assert TOKEN not in config + change.policy.read_text()
    (spec,) = read_config(config.encode(), change.config).servers
    assert spec.remote is not None and spec.remote.url == URL


def test_a_server_on_this_machine_needs_no_credential(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.servers({"docs": {"url": "http://127.0.0.1:3000/mcp"}})
    assert [line.url for _, line in home.change().moved] == ["http://127.0.0.1:3000/mcp"]
