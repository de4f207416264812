"""The HTTP front with real clients, the SDK's and a raw one, over a real loopback port: what reaches whom."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from mcp_guard.transports.http_access import Access
from mcp_guard.transports.http_intake import Bounds
from mcp_guard.transports.http_outbox import MAX_WAITING, Outbox
from mcp_guard.transports.http_relay import Relay
from tests.patience import PATIENCE
from tests.transports.http_support import (
    DISCOVERED,
    ENVELOPE,
    LEGACY,
    MODERN,
    ODD_RESULT,
    TOKEN,
    Conversations,
    Request,
    events,
    fails,
    front,
    handshake,
    http,
    message,
    modern,
    silent,
    until,
)

PRINCIPAL = Access(TOKEN).principal


@asynccontextmanager
async def sdk_client(url: str, mode: str) -> AsyncIterator[Client]:
    async with http() as raw, Client(streamable_http_client(url, http_client=raw), mode=mode) as client:
        yield client


# --- The SDK's own client ---


@pytest.mark.parametrize("mode", ["legacy", "auto", MODERN])
async def test_a_client_of_each_era_lists_and_calls(mode: str) -> None:
    conversations = Conversations()
    async with front(conversations) as url, sdk_client(url, mode) as client:
        listed = await client.list_tools()
        called = await client.call_tool("echo", {"text": "hi"})
        assert [tool.name for tool in listed.tools] == ["echo"]
        assert called.content[0].text == "hi"  # type: ignore[union-attr]
    [conversation] = conversations.opened
    assert conversation.principal == PRINCIPAL
    [call] = conversation.calls("echo")
    assert call.params is not None
    assert call.params["arguments"] == {"text": "hi"}


async def test_a_client_that_knows_both_eras_falls_back_when_only_the_old_one_is_served() -> None:
    conversations = Conversations(**{"server/discover": fails(-32601, "Method not found")})
    async with front(conversations) as url, sdk_client(url, "auto") as client:
        assert (await client.call_tool("echo", {})).content
        assert client.protocol_version == LEGACY


@pytest.mark.parametrize("mode", ["legacy", MODERN])
async def test_progress_reaches_the_client_before_the_result(mode: str) -> None:
    heard: list[Any] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async with front(Conversations()) as url, sdk_client(url, mode) as client:
        await client.call_tool("later", {}, progress_callback=on_progress)
        heard.append("result")
    assert heard == [1, 2, "result"]


@pytest.mark.parametrize("mode", ["legacy", MODERN])
async def test_a_call_that_the_client_gives_up_is_cancelled_and_the_connection_lives_on(mode: str) -> None:
    conversations = Conversations()
    async with front(conversations) as url, sdk_client(url, mode) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "slow", {})
            [call] = await conversations.call("slow")
            tasks.cancel_scope.cancel()
        with anyio.fail_after(PATIENCE):
            await call.cancelling.wait()
        assert len(call.cancelled) == 1
        assert (await client.call_tool("echo", {})).content


async def test_an_error_of_the_gateway_reaches_the_client_with_its_data() -> None:
    conversations = Conversations(refused=fails(-32012, "refused", data={"entry": 7, "rule": None}))
    async with front(conversations) as url:
        for mode in ("legacy", MODERN):
            async with sdk_client(url, mode) as client:
                with pytest.raises(MCPError) as caught:
                    await client.call_tool("refused", {})
                assert (caught.value.code, caught.value.message) == (-32012, "refused")
                assert caught.value.data == {"entry": 7, "rule": None}


# --- Raw fidelity ---


async def test_results_go_out_verbatim_in_both_eras() -> None:
    async with front(Conversations()) as url, http() as client:
        session = await handshake(client, url)
        old = await client.post(url, json=message("tools/call", {"name": "odd"}, 2), headers=session)
        body, headers = modern("tools/call", {"name": "odd"}, "two")
        new = await client.post(url, json=body, headers=headers)
    assert events(old.text) == [{"jsonrpc": "2.0", "id": 2, "result": ODD_RESULT}]
    assert new.json() == {"jsonrpc": "2.0", "id": "two", "result": ODD_RESULT}


async def test_the_sdk_client_reads_every_line_separator_that_json_may_hold() -> None:
    text = "a\u2028b\u2029c\u0085d"
    script = {"separators": lambda request: request.answer({"result": {"content": [{"type": "text", "text": text}]}})}
    async with front(Conversations(**script)) as url, sdk_client(url, "legacy") as client:
        assert (await client.call_tool("separators", {})).content[0].text == text  # type: ignore[union-attr]


async def test_the_answers_to_initialize_and_discover_are_the_gateways_own() -> None:
    async with front(Conversations()) as url, http() as client:
        await handshake(client, url)  # asserts INITIALIZED
        body, headers = modern("server/discover")
        assert (await client.post(url, json=body, headers=headers)).json()["result"] == DISCOVERED


async def test_params_reach_the_conversation_as_they_were_sent() -> None:
    params = {"name": "echo", "arguments": {"n": None, "big": 10**25, "x": [1.5, {"": False}]}, "x-unknown": None}
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        session = await handshake(client, url)
        await client.post(url, json=message("tools/call", params, "a"), headers=session)
        body, headers = modern("tools/call", params, "b")
        await client.post(url, json=body, headers=headers)
    old, new = (conversation.calls("echo")[0] for conversation in conversations.opened)
    assert (old.params, old.id) == (params, "a")
    assert (new.params, new.id) == ({**params, "_meta": ENVELOPE}, "b")


async def test_notifications_of_a_request_keep_unknown_members_and_nulls() -> None:
    async with front(Conversations()) as url, http() as client:
        body, headers = modern("tools/call", {"name": "later", "_meta": {"progressToken": "t"}})
        response = await client.post(url, json=body, headers=headers)
    first, *_ = events(response.text)
    assert first["params"] == {"progressToken": "t", "progress": 1, "x": None}


async def test_a_notification_of_no_request_comes_on_the_event_stream_of_its_session() -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        session = await handshake(client, url)
        async with client.stream("GET", url, headers=session) as stream:
            conversations.opened[0].notify("notifications/tools/list_changed", {"x": None})
            with anyio.fail_after(PATIENCE):
                async for line in stream.aiter_lines():
                    if line.startswith("data: "):
                        break
    assert json.loads(line.removeprefix("data: ")) == {
        "jsonrpc": "2.0",
        "method": "notifications/tools/list_changed",
        "params": {"x": None},
    }


async def test_a_clients_notification_reaches_its_conversation() -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        session = await handshake(client, url)
        await client.post(url, json=message("notifications/roots/list_changed", {"x": None}, None), headers=session)
        await conversations.opened[0].until(lambda it: len(it.notifications) == 2)
    assert conversations.opened[0].notifications == [
        ("notifications/initialized", None),
        ("notifications/roots/list_changed", {"x": None}),
    ]


async def test_a_listening_request_streams_until_its_client_leaves() -> None:
    conversations = Conversations(**{"subscriptions/listen": silent})
    async with front(conversations) as url, http() as client:
        body, headers = modern("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, "l1")
        async with anyio.create_task_group() as tasks:
            heard: list[Any] = []

            async def listen() -> None:
                async with client.stream("POST", url, json=body, headers=headers) as stream:
                    async for line in stream.aiter_lines():
                        if line.startswith("data: "):
                            heard.append(json.loads(line.removeprefix("data: "))["method"])
                        if len(heard) == 2:
                            return

            tasks.start_soon(listen)
            await until(conversations.changed, lambda: bool(conversations.opened and conversations.opened[0].requests))
            [request] = conversations.opened[0].requests
            assert request.id == "l1"
            request.notify("notifications/subscriptions/acknowledged", {})
            request.notify("notifications/tools/list_changed", None)
        with anyio.fail_after(PATIENCE):
            await request.cancelling.wait()
    assert heard == ["notifications/subscriptions/acknowledged", "notifications/tools/list_changed"]


async def test_what_a_client_does_not_read_is_bounded_and_the_oldest_goes_first() -> None:
    outbox, written = Outbox(), []

    async def write(method: str, params: dict[str, Any] | None) -> None:
        written.append(method)

    for number in range(MAX_WAITING + 2):
        outbox.put(str(number), None)
    outbox.close()
    outbox.put("too late", None)
    await outbox.drain(write)
    assert written == [str(number) for number in range(2, MAX_WAITING + 2)]


def test_nothing_of_the_sdk_stands_between_a_client_and_the_relay() -> None:
    relay = Relay(Conversations(), lambda name, holder: None)
    assert relay.server("x", "1").middleware == [relay]


# --- Cancelling ---


async def test_the_reason_of_a_cancellation_goes_with_it() -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        session = await handshake(client, url)
        async with anyio.create_task_group() as tasks:
            answers: list[Any] = []

            async def call() -> None:
                response = await client.post(url, json=message("tools/call", {"name": "slow"}, 7), headers=session)
                answers.extend(events(response.text))

            tasks.start_soon(call)
            [request] = await conversations.call("slow")
            cancelled = message("notifications/cancelled", {"requestId": 7, "reason": "too slow"}, None)
            await client.post(url, json=cancelled, headers=session)
    assert request.cancelled == ["too slow"]
    assert [answer["error"]["code"] for answer in answers] == [-32800]
    assert "notifications/cancelled" not in [method for method, _ in conversations.opened[0].notifications]


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_client_that_disconnects_cancels_its_call(era: str) -> None:
    conversations = Conversations()
    async with front(conversations, bounds=Bounds(reconnection=0.1)) as url, http() as client:
        if era == "legacy":
            headers, body = await handshake(client, url), message("tools/call", {"name": "slow"}, 7)
        else:
            body, headers = modern("tools/call", {"name": "slow"}, 7)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: client.post(url, json=body, headers=headers))
            [call] = await conversations.call("slow")
            tasks.cancel_scope.cancel()
        with anyio.fail_after(PATIENCE):
            await call.cancelling.wait()
    assert call.cancelled == ["the client disconnected"]


async def test_an_answered_call_is_never_cancelled() -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        body, headers = modern("tools/call", {"name": "later"})
        await client.post(url, json=body, headers=headers)
    assert conversations.opened[0].calls("later")[0].cancelled == []


async def test_only_the_first_of_two_answers_counts() -> None:
    def twice(request: Request) -> None:
        request.answer({"result": {"n": 1}})
        request.answer({"result": {"n": 2}})
        request.notify("notifications/message", {"late": True})

    async with front(Conversations(twice=twice)) as url, http() as client:
        session = await handshake(client, url)
        response = await client.post(url, json=message("tools/call", {"name": "twice"}, 2), headers=session)
    assert [event.get("result") for event in events(response.text)] == [{"n": 1}]
