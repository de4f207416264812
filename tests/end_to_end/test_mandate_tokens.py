"""Several people on one guard over HTTP, each with a mandate of their own: real processes and real clients."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx2
import pytest
from click.testing import CliRunner
from mcp import Client
from mcp.shared.exceptions import MCPError

from mcp_guard.accepting import local
from mcp_guard.cli.app import app
from mcp_guard.errors import GuardError
from tests.end_to_end.clients import Served, served
from tests.end_to_end.world import World
from tests.guards import Stand

POLICY = "version: 1\ngrants: [{id: all, tool: [raw/echo, raw/add], args: any}]\n"
MANDATE = """version: 1
task: do it
expires: 1h
grants: [{id: m, tool: raw/%s, args: any, budget: {calls: 2, per: mandate}}]
"""


class Office:
    """A guard.yaml, its guard's environment, and the tokens that a person mints for it."""

    def __init__(self, home: Path, policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stand = Stand(home, policy=policy)
        self.config = home / "guard.yaml"
        words = json.dumps({"command": self.stand.server()})
        self.config.write_text(f"version: 1\npolicy: {self.stand.policy_file}\nservers:\n  raw: {words}\n")
        monkeypatch.setenv("MCP_GUARD_STATE", str(self.stand.state))
        self.asked: list[str] = []
        monkeypatch.setattr("mcp_guard.presence.require", lambda _, what, **__: self.asked.append(what))

    def mint(self, principal: str, tool: str) -> str:
        """A token, as `mandate token` prints it."""
        file = self.stand.home / f"{principal}.yaml"
        file.write_text(MANDATE % tool)
        done = self.command("token", str(file), "--principal", principal, "--config", str(self.config))
        assert done.return_value == 0, done.output
        return str(done.stdout).strip()

    def command(self, *words: str) -> Any:
        return CliRunner().invoke(app, ["mandate", *words], standalone_mode=False)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Served]:
        world = cast("World", SimpleNamespace(environment=self.stand.environment, project=self.stand.home))
        words = ["run", "--config", str(self.config), "--http", "127.0.0.1:0"]
        async with served(world, self.stand.client(words).command) as guard:
            yield guard


@asynccontextmanager
async def coming(guard: Served, token: str, mode: str = "2026-07-28") -> AsyncIterator[Client]:
    async with Served(guard.pid, guard.url, token).client(mode) as client:
        yield client


async def tools(client: Client) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


async def refused(client: Client, name: str) -> bool:
    try:
        return bool((await client.call_tool(name, {"a": 1, "b": 2, "text": "x"})).is_error)
    except MCPError:
        return True


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_two_people_with_different_mandates_are_at_work_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    office = Office(tmp_path / "office", POLICY, monkeypatch)
    alices, bobs = office.mint("alice", "echo"), office.mint("bob", "add")
    assert len(office.asked) == 2
    assert not any(token in path.read_text("latin-1") for path in office.stand.state.rglob("*") if path.is_file()
                   for token in (alices, bobs))  # fmt: skip
    async with office.open() as guard, coming(guard, alices, mode) as alice, coming(guard, bobs, mode) as bob:
        assert (await tools(alice), await tools(bob)) == (["raw__echo"], ["raw__add"])
        assert await refused(alice, "raw__add")
        assert not await refused(alice, "raw__echo")
        (office.stand.home / "alice.yaml").write_text(MANDATE % "add")  # her token is of the text that was shown
        assert await refused(alice, "raw__add")
        assert not await refused(alice, "raw__echo")
        assert await refused(alice, "raw__echo")  # her budget; his isn't touched
        assert not await refused(bob, "raw__add")
        async with guard.client(mode) as owner:
            assert await tools(owner) == ["raw__echo", "raw__add"]
        place = local.place_for(office.stand.policy_file)
        local.add(office.stand.state, place, server="raw", tool="add", by="local:me")
        assert await refused(bob, "raw__add")
        name = json.loads(office.command("revoke", "--list", "--json").stdout)[0]["name"]
        assert office.command("revoke", name).return_value == 0
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {alices}"}) as http:
            assert (await http.post(guard.url, json={})).status_code == 401
    assert [call["tool"] for call in office.stand.ledger()] == ["echo", "echo", "add"]
    assert {row.principal for row in office.stand.decisions()} >= {"alice", "bob"}
    assert office.stand.verified() == []


async def test_a_session_is_not_there_for_another_with_a_token_as_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office(tmp_path / "office", POLICY, monkeypatch)
    alices, bobs = office.mint("alice", "echo"), office.mint("bob", "add")
    async with office.open() as guard, httpx2.AsyncClient() as http:

        async def post(token: str, body: Any, **headers: str) -> httpx2.Response:
            accepts = {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}
            return await http.post(guard.url, json=body, headers={**accepts, **headers})

        said = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": said}
        opened = await post(alices, body)
        session = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-06-18"}
        listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
        assert (await post(alices, listing, **session)).status_code == 200
        assert (await post(bobs, listing, **session)).status_code == 404
        stolen = {"authorization": f"Bearer {bobs}", "accept": "text/event-stream", **session}
        assert (await http.get(guard.url, headers=stolen)).status_code == 404
        assert (await http.delete(guard.url, headers=stolen)).status_code == 404
        assert (await post(alices, listing | {"id": 3}, **session)).status_code == 200


async def test_where_a_mandate_is_required_only_a_token_opens_anything_and_another_policys_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office(tmp_path / "office", POLICY.replace("version: 1\n", "version: 1\nmandate: required\n"), monkeypatch)
    alices = office.mint("alice", "echo")
    other = Office(tmp_path / "other", POLICY, monkeypatch)
    other.stand.state = office.stand.state
    monkeypatch.setenv("MCP_GUARD_STATE", str(office.stand.state))
    strangers = other.mint("eve", "echo")
    async with office.open() as guard, coming(guard, alices) as alice, guard.client("2026-07-28") as owner:
        assert (await tools(alice), await tools(owner)) == (["raw__echo"], [])
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {strangers}"}) as http:
            assert (await http.post(guard.url, json={})).status_code == 401


def test_a_token_is_minted_for_a_mandate_that_a_person_has_agreed_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office(tmp_path / "office", POLICY, monkeypatch)

    def nobody(*_: object, **__: object) -> None:
        raise GuardError("nobody is there")

    monkeypatch.setattr("mcp_guard.presence.require", nobody)
    (office.stand.home / "m.yaml").write_text(MANDATE % "echo")
    words = ["token", str(office.stand.home / "m.yaml"), "--principal", "alice", "--config", str(office.config)]
    assert isinstance(office.command(*words).exception, GuardError)
    assert json.loads(office.command("revoke", "--list", "--json").stdout) == []
    assert office.command("revoke", "abc").exception is not None
