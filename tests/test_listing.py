"""What a client is shown, and when the servers are asked for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mcp_guard import listing
from mcp_guard.eras import Era
from mcp_guard.model import Reason
from tests.guards import RecordingDownstream, Scene, decision_in, tool
from tests.patience import PATIENCE


def pages(*contents: list[Any], **more: Any) -> Any:
    """A reply to `tools/list` in pages, by cursor."""

    def reply(params: Any) -> dict[str, Any]:
        at = int((params or {}).get("cursor", "0"))
        rest = {"nextCursor": str(at + 1)} if at + 1 < len(contents) else {}
        return {"result": {"tools": contents[at], **more, **rest}}

    return reply


async def test_all_pages_become_one_and_a_cursor_of_the_client_is_refused(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        scene.servers[0].replies["tools/list"] = pages([tool("a")], [], [tool("b")])
        assert await scene.listed() == ["a", "b"]
        assert [params for _, params in scene.servers[0].requests] == [None, {"cursor": "1"}, {"cursor": "2"}]
        assert (await scene.ask("tools/list", {"cursor": "1"}))["error"]["code"] == -32602
        assert (await scene.ask("tools/list", {"more": 1}))["error"]["code"] == -32602


@pytest.mark.parametrize("cursor", ["same", "", 7, None, {}])
async def test_a_listing_that_never_ends_is_given_up(tmp_path: Path, cursor: Any) -> None:
    with Scene(tmp_path) as scene:
        scene.servers[0].replies["tools/list"] = {"result": {"tools": [tool("a")], "nextCursor": cursor}}
        await scene.listed()
        assert len(scene.servers[0].requests) <= 2


async def test_a_listing_of_a_thousand_large_pages_is_given_up_before_it_fills_the_memory(tmp_path: Path) -> None:
    numbers = iter(range(10_000))
    page = "x" * (4 << 20)

    def reply(_: Any) -> dict[str, Any]:
        return {"result": {"tools": [], "more": page, "nextCursor": str(next(numbers))}}

    with Scene(tmp_path) as scene:
        scene.servers[0].replies["tools/list"] = reply
        assert await scene.listed() == []
        assert len(scene.servers[0].requests) <= listing.MAX_SIZE // (4 << 20) + 1


async def test_calls_that_come_together_share_one_listing(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        started = [scene.start("tools/call", {"name": "echo", "arguments": {}})[1] for _ in range(50)]
        await asyncio.wait_for(asyncio.gather(*started), PATIENCE)
        assert [method for method, _ in scene.servers[0].requests].count("tools/list") == 1
        assert len(scene.servers[0].calls) == 50


async def test_a_listing_that_a_change_made_stale_is_asked_for_again(tmp_path: Path) -> None:
    server = RecordingDownstream()
    asked = 0

    def reply(_: Any) -> dict[str, Any]:
        nonlocal asked
        asked += 1
        if asked == 1:  # the change comes before the answer that doesn't know of it
            double: Any = server
            scene.gateway.server_notified(double, "notifications/tools/list_changed", None)
        return {"result": {"tools": [tool("old" if asked == 1 else "new")]}}

    with Scene(tmp_path, servers=[server]) as scene:
        server.replies["tools/list"] = reply
        assert await scene.listed() == ["new"]


async def test_a_server_that_always_changes_is_asked_only_a_few_times(tmp_path: Path) -> None:
    server = RecordingDownstream()

    def reply(_: Any) -> dict[str, Any]:
        double: Any = server
        scene.gateway.server_notified(double, "notifications/tools/list_changed", None)
        return {"result": {"tools": [tool("a")]}}

    with Scene(tmp_path, servers=[server]) as scene:
        server.replies["tools/list"] = reply
        assert await scene.listed() == ["a"]
        assert len(server.requests) == 1 + listing.REPEATS


async def test_a_thousand_changes_are_told_once(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        for _ in range(1000):
            listing.announce(scene.gateway.context)
        async with asyncio.timeout(PATIENCE):
            while not scene.notified:
                await asyncio.sleep(0.005)
        assert scene.notified == [("notifications/tools/list_changed", None)]


async def test_a_listing_that_is_never_answered_ends_with_the_servers_time(tmp_path: Path) -> None:
    class Mute(RecordingDownstream):
        def _reply(self, method: str, params: Any) -> dict[str, Any]:
            return super()._reply(method, params)

        def request(self, method: str, params: Any, answer: Any, progress: Any = None) -> Any:
            self.requests.append((method, params))
            return self.cancelled.append

    server = Mute()
    object.__setattr__(server.spec, "timeout", 0.02)
    with Scene(tmp_path, servers=[server]) as scene:
        answer = await scene.call("echo")
        assert decision_in(answer["result"])["reason"] == Reason.UNAVAILABLE
        assert server.cancelled == ["timed out"]


@pytest.mark.parametrize("era", list(Era))
async def test_a_server_whose_tools_cannot_be_told_is_unavailable_for_every_name(tmp_path: Path, era: Era) -> None:
    policy = "version: 1\ngrants: [{id: e, tool: raw/echo, args: any}]\n"
    with Scene(tmp_path, policy=policy, era=era) as scene:
        scene.servers[0].replies["tools/list"] = {"error": {"code": -1, "message": "not now"}}
        answers = [await scene.call(name) for name in ("echo", "hidden", "nothing")]
        assert [decision_in(answer["result"])["reason"] for answer in answers] == [Reason.UNAVAILABLE] * 3
        for answer in answers:
            decision_in(answer["result"])["entry"] = None
        assert answers[0] == answers[1] == answers[2]
        assert scene.servers[0].calls == []


ODD_SCHEMAS: list[Any] = [
    {"properties": 5},
    {"properties": {"a": 5}},
    {"properties": {"a": {"enum": [{}], "type": ["x"]}}},
    {"required": "a"},
    {"additionalProperties": 7},
    {"type": ["object", 5]},
    {"$ref": "#/nowhere"},
    {"$ref": "http://127.0.0.1:1/x"},
    {"properties": {"a": True, "b": False}},
    {"properties": {"a": {"$ref": "#"}}},
    [],
    "x",
    None,
]


@pytest.mark.parametrize("schema", ODD_SCHEMAS)
@pytest.mark.parametrize("limit", ["any", "{a: {max: 5}}", "{a: {in: [1]}}"])
async def test_an_odd_schema_withholds_its_tool_or_shows_it_and_never_hides_the_others(
    tmp_path: Path, schema: Any, limit: str
) -> None:
    policy = f"version: 1\ngrants: [{{id: e, tool: [raw/odd, raw/echo], args: {limit}}}]\n"
    servers = [RecordingDownstream(tools=[{"name": "odd", "inputSchema": schema}, tool("echo")])]
    with Scene(tmp_path, policy=policy, servers=servers) as scene:
        listed = await scene.listed()
        assert "echo" in listed
        answer = await scene.call("odd", {"a": 1})
        assert ("Unknown tool" in answer.get("error", {}).get("message", "")) == ("odd" not in listed)


@pytest.mark.parametrize(
    "descriptor", [None, 5, [], "x", {}, {"name": 5}, {"name": ""}, {"name": "a b"}, {"name": "x" * 200}]
)
async def test_what_is_no_tool_is_not_shown(tmp_path: Path, descriptor: Any) -> None:
    with Scene(tmp_path, servers=[RecordingDownstream(tools=[descriptor, tool("echo")])]) as scene:
        assert await scene.listed() == ["echo"]


async def test_a_tool_that_is_listed_twice_is_neither_shown_nor_called(tmp_path: Path) -> None:
    with Scene(tmp_path, servers=[RecordingDownstream(tools=[tool("echo"), tool("ECHO"), tool("add")])]) as scene:
        assert await scene.listed() == ["add"]
        assert "Unknown tool" in (await scene.call("echo"))["error"]["message"]


async def test_a_listing_is_private_to_its_client_in_the_modern_era(tmp_path: Path) -> None:
    with Scene(tmp_path, era=Era.MODERN) as scene:
        scene.servers[0].replies["tools/list"] = {"result": {"tools": [], "cacheScope": "public", "x-kept": 1}}
        result = (await scene.ask("tools/list"))["result"]
        assert result["cacheScope"] == "private"
        assert result["x-kept"] == 1


async def test_prompts_and_resources_that_nothing_grants_are_not_listed_nor_asked_for(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        for method, key in listing.KEYS.items():
            if method != "tools/list":
                assert (await scene.ask(method))["result"] == {key: []}
        assert scene.servers[0].requests == []


async def test_a_prompt_that_is_hidden_answers_as_one_that_does_not_exist(tmp_path: Path) -> None:
    policy = "version: 1\ngrants: [{id: p, prompt: raw/plain, args: {}}]\n"
    with Scene(tmp_path, policy=policy) as scene:
        scene.servers[0].replies["prompts/list"] = {"result": {"prompts": [{"name": "plain"}, {"name": "greet"}]}}
        assert (await scene.ask("prompts/list"))["result"]["prompts"] == [{"name": "plain"}]
        hidden = await scene.ask("prompts/get", {"name": "greet"})
        absent = await scene.ask("prompts/get", {"name": "nowhere"})
        assert str(hidden).replace("greet", "nowhere") == str(absent)
        assert [method for method, _ in scene.servers[0].requests] == ["prompts/list"]


def doubling(applied: str, steps: int, reference: str = "#/$defs/{}") -> dict[str, Any]:
    """Each definition applies the next one twice."""
    definitions: dict[str, Any] = {
        f"d{step}": {"$anchor": f"d{step}", applied: [{"$ref": reference.format(f"d{step + 1}")}] * 2}
        for step in range(steps)
    }
    definitions[f"d{steps}"] = {"type": "string", "$anchor": f"d{steps}"}
    return {"$defs": definitions, "$ref": reference.format("d0")}


@pytest.mark.parametrize("applied", ["allOf", "anyOf", "oneOf"])
@pytest.mark.parametrize("reference", ["#/$defs/{}", "#{}"])
async def test_a_schema_that_would_take_years_withholds_its_tool(tmp_path: Path, applied: str, reference: str) -> None:
    tools = [{"name": "bomb", "inputSchema": doubling(applied, 60, reference)}, tool("echo")]
    with Scene(tmp_path, servers=[RecordingDownstream(tools=tools)]) as scene:
        assert await scene.listed() == ["echo"]
        assert "Unknown tool" in (await scene.call("bomb", {"a": 1}))["error"]["message"]


async def test_a_schema_that_shares_definitions_is_no_such_schema(tmp_path: Path) -> None:
    loop = {
        "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#/$defs/b"}},
        "$defs": {"b": {"anyOf": [{"$ref": "#"}, {}]}},
    }
    tools = [{"name": "few", "inputSchema": doubling("anyOf", 5)}, {"name": "loop", "inputSchema": loop}]
    with Scene(tmp_path, servers=[RecordingDownstream(tools=tools)]) as scene:
        assert await scene.listed() == ["few", "loop"]
        assert "isError" not in (await scene.call("loop", {"a": {"b": {}}}))["result"]
