"""What servers ask of a client, over real processes: on stdio and on HTTP, in both eras, with the SDK's client too."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestParams, ElicitResult, ListRootsResult, Root
from pydantic import FileUrl

from tests.end_to_end.clients import served
from tests.guards import Stand
from tests.patience import PATIENCE

ASKS = """\
version: 1
grants:
  - {id: t, tool: "raw/*", args: any}
  - {id: ask, server_requests: {server: raw, allow: [elicitation, sampling, roots]}}
"""
OFFERED: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}, "sampling": {"tools": {}}, "roots": {}, "x": {}}
ANSWERS: dict[str, dict[str, Any]] = {
    "elicitation/create": {"action": "accept", "content": {"name": "Ada"}, "x-kept": None},
    "sampling/createMessage": {"role": "assistant", "content": {"type": "x-odd", "y": None}, "model": "m"},
    "roots/list": {"roots": [{"uri": "file:///srv/project", "x-kept": 1}]},
}


@pytest.mark.parametrize("method", list(ANSWERS))
async def test_what_is_granted_goes_round_on_stdio_in_the_legacy_era(tmp_path: Path, method: str) -> None:
    stand = Stand(tmp_path, ASKS)
    async with stand.wrap() as client:
        seen: list[Any] = []

        def answer(params: Any) -> dict[str, Any]:
            seen.append(params)
            return ANSWERS[method]

        client.answerers[method] = answer
        await client.initialize(capabilities=OFFERED)
        result = await client.call("ask", {"method": method, "params": {"message": "Who?", "x": None}})
        assert result["structuredContent"] == {"result": ANSWERS[method]}
        message = "[raw] Who?" if method == "elicitation/create" else "Who?"
        assert seen == [{"message": message, "x": None}]
    (opened,) = stand.trace("initialize")
    assert opened["params"]["capabilities"] == {name: OFFERED[name] for name in ("elicitation", "sampling", "roots")}
    assert [(row.method, row.outcome) for row in stand.rows() if row.effect] == [
        ("tools/call", "ok"),
        (method, "ok"),
    ]
    assert stand.verified() == []


async def test_what_is_granted_goes_round_on_stdio_in_the_modern_era(tmp_path: Path) -> None:
    stand = Stand(tmp_path, ASKS)
    async with stand.wrap() as client:
        await client.discover(capabilities=OFFERED)
        asked = await client.call("ask")
        assert asked["inputRequests"]["who"]["params"]["message"] == "[raw] Who?"
        answers = {"who": ANSWERS["elicitation/create"]}
        done = await client.call("ask", inputResponses=answers, requestState=asked["requestState"])
        assert done["structuredContent"] == answers
    assert [call["params"].get("requestState") for call in stand.trace("tools/call")] == [None, 'state:"1"']


async def test_two_servers_that_ask_under_the_same_id_each_get_their_own_answer(tmp_path: Path) -> None:
    policy = ASKS.replace('"raw/*"', '["a/*", "b/*"]').replace(
        "  - {id: ask, server_requests: {server: raw,",
        "  - {id: aska, server_requests: {server: a, allow: elicitation}}\n  - {id: askb, server_requests: {server: b,",
    )
    stand = Stand(tmp_path, policy)
    async with stand.run({"a": stand.server("a"), "b": stand.server("b")}) as client:
        client.answerers["elicitation/create"] = lambda params: {
            "action": "accept",
            "content": {"to": params["message"]},
        }
        await client.initialize(capabilities=OFFERED)
        started = [await client.start("tools/call", {"name": f"{name}__ask", "arguments": {}}) for name in ("a", "b")]
        for name, answer in zip(("a", "b"), started, strict=True):
            result = (await client.result(answer))["structuredContent"]["result"]
            assert result["content"] == {"to": f"[{name}] Who?"}
        assert len({request["id"] for request in client.requests}) == 2


async def test_a_client_that_leaves_while_it_is_asked_leaves_nothing_behind(tmp_path: Path) -> None:
    stand = Stand(tmp_path, ASKS)
    async with stand.wrap() as client:
        await client.initialize(capabilities=OFFERED)
        client.answerers.clear()
        client._answer = lambda request: None  # type: ignore[method-assign]
        await client.start("tools/call", {"name": "ask", "arguments": {}})
        await client.wait_for(lambda message: message.get("method") == "elicitation/create")
    assert client.returncode == 0
    assert [(row.method, row.outcome) for row in stand.rows() if row.effect] == [
        ("tools/call", "cancelled"),
        ("elicitation/create", "cancelled"),
    ]


# --- with the SDK's client


class Person:
    """Answers what the client is asked."""

    def __init__(self) -> None:
        self.read: list[str] = []

    async def answer(self, _: Any, params: ElicitRequestParams) -> ElicitResult:
        self.read.append(params.message)
        return ElicitResult(action="accept", content={"name": "Ada"})

    async def roots(self, _: Any) -> ListRootsResult:
        return ListRootsResult(roots=[Root(uri=FileUrl("file:///srv/project"))])

    def client(self, transport: Any, mode: str) -> Client:
        return Client(
            transport,
            mode=mode,
            read_timeout_seconds=PATIENCE,
            elicitation_callback=self.answer,  # type: ignore[arg-type]
            list_roots_callback=self.roots,  # type: ignore[arg-type]
        )


@asynccontextmanager
async def connected(
    stand: Stand, front: str, person: Person, mode: str, *options: str, server: list[str] | None = None
) -> AsyncIterator[Client]:
    """The SDK's client before a guard of one server, called `raw`, on one of the fronts."""
    guard, command = [sys.executable, "-m", "mcp_guard"], server or stand.server("raw", *options)
    if front == "stdio":
        words = [*guard, "wrap", "--name", "raw", "--policy", str(stand.policy_file), "--", *command]
        started = StdioServerParameters(command=words[0], args=words[1:], env=stand.environment, cwd=stand.home)
        with (stand.home / "stderr.log").open("w") as log:
            async with person.client(stdio_client(started, errlog=log), mode) as client:
                yield client
        return
    file = stand.home / "guard.yaml"
    servers = json.dumps({"raw": {"command": command}})
    file.write_text(f"version: 1\npolicy: {stand.policy_file}\nservers: {servers}\n")
    place: Any = _Place(stand)
    async with (
        served(place, [*guard, "run", "--config", str(file), "--http", "127.0.0.1:0"]) as http,
        httpx2.AsyncClient(headers={"authorization": f"Bearer {http.token}"}, timeout=PATIENCE) as pool,
        person.client(streamable_http_client(http.url, http_client=pool), mode) as client,
    ):
        yield client


class _Place:
    """Where a guard on HTTP runs."""

    def __init__(self, stand: Stand) -> None:
        self.environment = stand.environment
        self.project = stand.home


@pytest.mark.parametrize("front", ["stdio", "http"])
@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_sdks_client_is_asked_under_the_servers_name_and_answers(
    tmp_path: Path, front: str, mode: str
) -> None:
    stand, person = Stand(tmp_path, ASKS), Person()
    async with connected(stand, front, person, mode) as client:
        prefix = "" if front == "stdio" else "raw__"
        with anyio.fail_after(PATIENCE):
            await client.list_tools()
            result = await client.call_tool(f"{prefix}ask", {})
        assert "Ada" in json.dumps(result.structured_content)
        assert person.read == ["[raw] Who?"]
    assert [row.outcome for row in stand.rows() if row.method == "elicitation/create"] == ["ok"]
    assert stand.verified() == []


@pytest.mark.parametrize("front", ["stdio", "http"])
@pytest.mark.parametrize("lacks", ["--no-modern", "--no-legacy"])
async def test_a_client_of_both_eras_is_asked_by_servers_of_either(tmp_path: Path, front: str, lacks: str) -> None:
    stand, person = Stand(tmp_path, ASKS), Person()
    async with connected(stand, front, person, "auto", lacks) as client:
        assert client.protocol_version == ("2025-11-25" if lacks == "--no-modern" else "2026-07-28")
        with anyio.fail_after(PATIENCE):
            await client.list_tools()
            result = await client.call_tool("ask" if front == "stdio" else "raw__ask", {})
        assert "Ada" in json.dumps(result.structured_content)
        assert person.read == ["[raw] Who?"]


@pytest.mark.parametrize("front", ["stdio", "http"])
@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_sdks_client_is_asked_nothing_that_no_grant_names(tmp_path: Path, front: str, mode: str) -> None:
    stand, person = Stand(tmp_path, ASKS.replace("elicitation, ", "")), Person()
    async with connected(stand, front, person, mode) as client:
        prefix = "" if front == "stdio" else "raw__"
        with anyio.fail_after(PATIENCE):
            await client.list_tools()
            await client.call_tool(f"{prefix}ask", {})
        assert person.read == []
    told = [row.method for row in stand.rows() if row.effect == "deny" or row.outcome == "withheld"]
    if mode == "legacy":
        assert told == ["elicitation/create"]
    else:  # withheld with the answer that carried it
        assert told == ["tools/call"]
