"""Being told of changes, over real processes: on stdio and on HTTP, in both eras, with the SDK's client too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.end_to_end.test_server_requests import Person, connected
from tests.guards import Stand
from tests.patience import PATIENCE

POLICY = """\
version: 1
grants:
  - {id: t, tool: ["raw/echo", "raw/grow", "raw/ask", "raw/grown"], args: any}
  - {id: r, resource: {server: raw, uri: {matches: "fixture://notes/[0-9]"}}}
"""
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
ACK = "notifications/subscriptions/acknowledged"
CHANGED = "notifications/tools/list_changed"


async def test_a_stream_on_stdio_tells_what_it_was_asked_for_under_the_clients_id(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    async with stand.wrap() as client:
        await client.discover()
        wanted = {"toolsListChanged": True, "resourceSubscriptions": ["fixture://notes/1", "fixture://other"]}
        stream = await client.start("subscriptions/listen", {"notifications": wanted}, id="mine")
        (acknowledged,) = await client.wait_for_notification(ACK)
        honoured = {"toolsListChanged": True, "resourceSubscriptions": ["fixture://notes/1"]}
        assert acknowledged["params"] == {"notifications": honoured, "_meta": {SUBSCRIPTION: "mine"}}
        for number in range(50):
            await client.call("grow", {"name": f"grown_{number}"})
        (changed, *more) = await client.wait_for_notification(CHANGED)
        assert changed["params"]["_meta"] == {SUBSCRIPTION: "mine"}
        assert len(more) < 20
        assert not stream.done()
        await client.notify("notifications/cancelled", {"requestId": "mine"})
        assert (await client.call("echo", {"text": "on"}))["content"]
    (asked,) = stand.trace("subscriptions/listen")
    assert asked["params"]["notifications"] == honoured
    cancelled = [message["params"]["requestId"] for message in stand.trace("notifications/cancelled")]
    assert cancelled == [asked["id"]]
    assert stand.verified() == []


async def test_a_subscription_in_the_legacy_era_reaches_the_server_and_ends_there(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    async with stand.wrap() as client:
        await client.initialize()
        for method in ("resources/subscribe", "resources/unsubscribe"):
            assert await client.request(method, {"uri": "fixture://notes/1"}) == {}
    assert len(stand.trace("resources/subscribe")) == len(stand.trace("resources/unsubscribe")) == 1
    assert [row.outcome for row in stand.decisions("resources/subscribe")] == ["ok"]


@pytest.mark.parametrize("front", ["stdio", "http"])
async def test_the_sdks_client_hears_of_changed_tools_on_its_stream(tmp_path: Path, front: str) -> None:
    stand = Stand(tmp_path, POLICY)
    prefix = "" if front == "stdio" else "raw__"
    async with connected(stand, front, Person(), "2026-07-28") as client:
        with anyio.fail_after(PATIENCE):
            async with client.listen(tools_list_changed=True, resource_subscriptions=["fixture://notes/1"]) as stream:
                assert stream.honored.resource_subscriptions == ["fixture://notes/1"]
                await client.call_tool(f"{prefix}grow", {"name": "grown"})
                async for event in stream:
                    told: Any = event
                    break
        assert "Tools" in type(told).__name__
        assert f"{prefix}grown" in {tool.name for tool in (await client.list_tools()).tools}


async def test_what_is_answered_for_one_principal_is_not_for_shared_caches(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    async with stand.wrap() as client:
        await client.discover()
        for method in ("tools/list", "resources/list", "resources/templates/list", "prompts/list"):
            assert (await client.request(method))["cacheScope"] == "private", method
        read = await client.request("resources/read", {"uri": "fixture://notes/1"})
        assert (read["cacheScope"], read["ttlMs"]) == ("private", 1000)


async def test_methods_that_the_modern_era_does_not_have_are_not_there_and_reach_no_server(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    async with stand.wrap() as client:
        await client.discover()
        for method in ("ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"):
            answer = await (await client.start(method, {"uri": "fixture://notes/1", "level": "info"}))
            assert answer["error"]["code"] == -32601, method
    assert stand.trace("resources/subscribe") == []
