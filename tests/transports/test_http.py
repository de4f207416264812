"""The HTTP front with real clients, the SDK's and a raw one, over a real loopback port."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from mcp_guard.errors import InputError
from mcp_guard.transports.http import serve
from mcp_guard.transports.http_access import Access
from mcp_guard.transports.http_intake import Bounds
from tests.transports.http_support import (
    DISCOVERED,
    ENVELOPE,
    LEGACY,
    META,
    MODERN,
    ODD_RESULT,
    TOKEN,
    TOOL,
    Conversations,
    Request,
    events,
    fails,
    front,
    handshake,
    http,
    message,
    modern,
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
        with anyio.fail_after(5):
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
            with anyio.fail_after(5):
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
    async with front(conversations) as url, http() as client:
        if era == "legacy":
            headers, body = await handshake(client, url), message("tools/call", {"name": "slow"}, 7)
        else:
            body, headers = modern("tools/call", {"name": "slow"}, 7)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: client.post(url, json=body, headers=headers))
            [call] = await conversations.call("slow")
            tasks.cancel_scope.cancel()
        with anyio.fail_after(5):
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


# --- Sessions ---


async def test_two_sessions_have_two_conversations() -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        first, second = await handshake(client, url), await handshake(client, url)
        assert first["mcp-session-id"] != second["mcp-session-id"]
        await client.post(url, json=message("tools/call", {"name": "echo"}, 2), headers=second)
        assert [len(each.calls("echo")) for each in conversations.opened] == [0, 1]
        await client.delete(url, headers=first)
        await conversations.opened[0].until(lambda it: it.closed == 1)
        assert conversations.opened[1].closed == 0
        gone = await client.post(url, json=message("ping", id=3), headers=first)
        alive = await client.post(url, json=message("ping", id=3), headers=second)
    assert gone.status_code == 404
    assert events(alive.text)[-1]["result"] == {}
    assert [each.closed for each in conversations.opened] == [1, 1]


async def test_a_session_id_that_was_never_given_out_is_not_found() -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        headers = {"mcp-session-id": "0" * 32, "mcp-protocol-version": LEGACY}
        response = await client.post(url, json=message("tools/call", {"name": "echo"}), headers=headers)
    assert response.status_code == 404
    assert conversations.opened == []


async def test_a_call_before_initialize_reaches_no_conversation() -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        response = await client.post(url, json=message("tools/call", {"name": "echo"}))
    assert response.status_code == 400
    assert conversations.opened == []


@pytest.mark.parametrize("params", [None, {"protocolVersion": 7}])
async def test_an_initialize_without_its_params_begins_no_conversation(params: dict[str, Any] | None) -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        response = await client.post(url, json=message("initialize", params))
    assert events(response.text)[-1]["error"]["code"] == -32602
    assert conversations.opened == []


async def test_an_initialize_that_fails_leaves_no_session_behind() -> None:
    conversations = Conversations(initialize=fails(-32010, "no server"))
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    async with front(conversations, bounds=Bounds(sessions=1)) as url, http() as client:
        for attempt in range(3):
            response = await client.post(url, json=message("initialize", params))
            assert events(response.text)[-1]["error"]["message"] == "no server", f"attempt {attempt}"
        await conversations.opened[-1].until(lambda it: it.closed == 1)
        headers = {"mcp-session-id": response.headers["mcp-session-id"], "mcp-protocol-version": LEGACY}
        again = await client.post(url, json=message("ping", id=2), headers=headers)
    assert again.status_code == 404
    assert [each.closed for each in conversations.opened] == [1, 1, 1]


async def test_the_modern_era_has_one_conversation_for_a_principal() -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as one, http() as other:
        body, headers = modern("tools/call", {"name": "echo"})
        for client in (one, other, one):
            await client.post(url, json=body, headers=headers)
        assert len(conversations.opened) == 1
        assert conversations.opened[0].closed == 0
    assert conversations.opened[0].closed == 1


async def test_two_modern_clients_may_use_the_same_id_at_the_same_time() -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        answers: list[Any] = []

        async def call(name: str) -> None:
            body, headers = modern("tools/call", {"name": "slow", "arguments": {"who": name}}, 1)
            answers.append((name, (await client.post(url, json=body, headers=headers)).json()["result"]))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, "a")
            tasks.start_soon(call, "b")
            for request in reversed(await conversations.call("slow", 2)):
                assert request.params is not None
                request.answer({"result": request.params["arguments"]})
    assert sorted(answers) == [("a", {"who": "a"}), ("b", {"who": "b"})]


async def test_an_id_that_is_under_way_is_refused_in_its_session() -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        session = await handshake(client, url)
        first: list[Any] = []

        async def call() -> None:
            response = await client.post(url, json=message("tools/call", {"name": "slow"}, 7), headers=session)
            first.extend(events(response.text))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            [request] = await conversations.call("slow")
            second = await client.post(url, json=message("tools/call", {"name": "echo"}, "7"), headers=session)
            assert second.status_code == 400
            assert second.json()["error"]["code"] == -32600
            assert second.json()["id"] == "7"
            request.answer({"result": {"n": 1}})
        assert first[-1]["result"] == {"n": 1}
        assert conversations.opened[0].calls("echo") == []
        third = await client.post(url, json=message("tools/call", {"name": "echo"}, 7), headers=session)
        assert events(third.text)[-1]["result"]


# --- Eras and headers ---


@pytest.mark.parametrize("method", ["initialize", "ping", "logging/setLevel", "resources/subscribe"])
async def test_a_method_that_the_modern_era_removed_is_not_found(method: str) -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        body, headers = modern(method)
        response = await client.post(url, json=body, headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (404, -32601)
    assert conversations.opened == []


async def test_a_method_of_the_modern_era_is_not_found_on_a_legacy_session() -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        session = await handshake(client, url)
        response = await client.post(url, json=message("server/discover", id=2), headers=session)
    assert events(response.text)[-1]["error"]["code"] == -32601
    assert [request.method for request in conversations.opened[0].requests] == ["initialize"]


async def test_a_method_that_nobody_knows_is_the_gateways_to_refuse() -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        body, headers = modern("vendor/thing")
        response = await client.post(url, json=body, headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (404, -32601)
    assert [request.method for request in conversations.opened[0].requests] == ["vendor/thing"]


async def test_an_unknown_revision_is_refused_with_the_ones_that_are_served() -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        body, headers = modern("tools/call", {"name": "echo", "_meta": {f"{META}protocolVersion": "2027-01-01"}})
        response = await client.post(url, json=body, headers={**headers, "mcp-protocol-version": "2027-01-01"})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, -32022)
    assert error["data"] == {"supported": [MODERN], "requested": "2027-01-01"}
    assert conversations.opened == []


@pytest.mark.parametrize(
    "headers",
    [
        {"mcp-method": "tools/list"},
        {"mcp-name": "other"},
        {"mcp-name": "=?base64?b3RoZXI=?="},
        {"mcp-protocol-version": LEGACY},
        {"mcp-protocol-version": "2027-01-01"},
    ],
)
async def test_a_header_that_says_something_else_than_the_body_is_refused(headers: dict[str, str]) -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        body, right = modern("tools/call", {"name": "echo"}, 9)
        response = await client.post(url, json=body, headers={**right, **headers})
        assert (response.status_code, response.json()["error"]["code"]) == (400, -32020)
        assert response.json()["id"] == 9
        assert all(each.requests == [] for each in conversations.opened)


@pytest.mark.parametrize("missing", ["mcp-protocol-version", "mcp-method", "mcp-name"])
async def test_a_modern_call_needs_each_routing_header(missing: str) -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        body, headers = modern("tools/call", {"name": "echo"}, 9)
        del headers[missing]
        response = await client.post(url, json=body, headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (400, -32020)
        assert all(each.requests == [] for each in conversations.opened)


@pytest.mark.parametrize("headers", [{"mcp-method": "tools/list"}, {"mcp-name": "other"}])
async def test_routing_headers_on_a_legacy_session_must_match_too(headers: dict[str, str]) -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        session = await handshake(client, url)
        body = message("tools/call", {"name": "echo"}, 2)
        response = await client.post(url, json=body, headers={**session, **headers})
        assert (response.status_code, response.json()["error"]["code"]) == (400, -32020)
        assert conversations.opened[0].calls("echo") == []
        assert conversations.opened[0].refusals == [f"the {next(iter(headers))} header doesn't match the body"]


async def test_a_modern_envelope_is_not_taken_on_a_legacy_session() -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        session = await handshake(client, url)
        body = message("tools/call", {"name": "echo", "_meta": ENVELOPE}, 2)
        response = await client.post(url, json=body, headers=session)
        assert (response.status_code, response.json()["error"]["code"]) == (400, -32020)
        assert conversations.opened[0].calls("echo") == []


def region(name: str) -> dict[str, Any] | None:
    return TOOL["inputSchema"] if name == "echo" else None  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("sent", "status"), [({"mcp-param-region": "eu"}, 200), ({"mcp-param-region": "us"}, 400), ({}, 400)]
)
async def test_param_headers_are_held_to_the_arguments_that_the_schema_binds(sent: dict[str, str], status: int) -> None:
    conversations = Conversations()
    async with front(conversations, schema=region) as url, http() as client:
        body, headers = modern("tools/call", {"name": "echo", "arguments": {"region": "eu"}})
        response = await client.post(url, json=body, headers={**headers, **sent})
    assert response.status_code == status
    assert len(conversations.opened) == (status == 200)
    if status == 400:
        assert response.json()["error"]["code"] == -32020


async def test_a_schema_that_cannot_be_looked_up_refuses_the_call() -> None:
    def gone(name: str) -> None:
        raise LookupError("secret")

    conversations = Conversations()
    async with front(conversations, schema=gone) as url, http() as client:
        body, headers = modern("tools/call", {"name": "echo"})
        response = await client.post(url, json=body, headers=headers)
    assert response.json()["error"] == {"code": -32603, "message": "internal error"}
    assert conversations.opened == []


# --- Failures and the end ---


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_an_error_inside_the_guard_says_nothing_about_itself(era: str, caplog: pytest.LogCaptureFixture) -> None:
    async with front(Conversations()) as url, http() as client:
        if era == "legacy":
            session = await handshake(client, url)
            response = await client.post(url, json=message("tools/call", {"name": "breaks"}, 2), headers=session)
            [answer] = events(response.text)
        else:
            body, headers = modern("tools/call", {"name": "breaks"})
            answer = (await client.post(url, json=body, headers=headers)).json()
    assert answer["error"] == {"code": -32603, "message": "internal error"}
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_conversation_that_cannot_be_opened_is_an_error_for_that_request_only() -> None:
    class Full(Conversations):
        def open(self, **_: Any) -> Any:
            raise OSError("/secret is full")

    async with front(Full()) as url, http() as client:
        for _ in range(2):
            body, headers = modern("tools/call", {"name": "echo"})
            response = await client.post(url, json=body, headers=headers)
            assert response.json()["error"] == {"code": -32603, "message": "internal error"}


async def test_an_answer_that_is_neither_result_nor_error_is_an_internal_error() -> None:
    script = {"odd": lambda request: request.answer({"error": {"code": "x"}})}
    async with front(Conversations(**script)) as url, http() as client:
        body, headers = modern("tools/call", {"name": "odd"})
        response = await client.post(url, json=body, headers=headers)
    assert response.json()["error"] == {"code": -32603, "message": "internal error"}


async def test_stopping_answers_what_is_under_way_and_closes_every_conversation() -> None:
    conversations = Conversations()
    answers: list[Any] = []
    async with http() as client, anyio.create_task_group() as tasks, front(conversations) as url:
        session = await handshake(client, url)

        async def old() -> None:
            response = await client.post(url, json=message("tools/call", {"name": "slow"}, 7), headers=session)
            answers.extend(events(response.text))

        async def new() -> None:
            body, headers = modern("tools/call", {"name": "slow"}, 7)
            answers.append((await client.post(url, json=body, headers=headers)).json())

        async def listen() -> None:
            async with client.stream("GET", url, headers=session) as stream:
                with pytest.raises(Exception, match="peer closed connection"):
                    await stream.aread()

        for task in (old, new, listen):
            tasks.start_soon(task)
        await conversations.call("slow", 2)
        began = anyio.current_time()
    assert anyio.current_time() - began < 2
    assert [answer["error"]["code"] for answer in answers] == [-32011, -32011]
    assert [each.calls("slow")[0].cancelled for each in conversations.opened] == [["the guard is stopping"]] * 2
    assert [each.closed for each in conversations.opened] == [1, 1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_front_in_order(number: signal.Signals) -> None:
    conversations = Conversations()
    ready = anyio.Event()
    urls: list[str] = []

    def on_ready(url: str) -> None:
        urls.append(url)
        ready.set()

    async with http() as client, anyio.create_task_group() as tasks:
        tasks.start_soon(
            lambda: serve(conversations, host="127.0.0.1", port=0, access=Access(TOKEN), on_ready=on_ready)
        )
        await ready.wait()
        await handshake(client, urls[0])
        os.kill(os.getpid(), number)  # would end the tests, were the signal raised again
    assert conversations.opened[0].closed == 1


async def test_a_place_that_is_taken_is_an_input_error() -> None:
    async with front(Conversations()) as url:
        port = int(url.split(":")[2].removesuffix("/mcp"))
        with pytest.raises(InputError, match="can't listen on"):
            await serve(Conversations(), host="127.0.0.1", port=port, access=Access(TOKEN), on_ready=lambda url: None)


async def test_a_host_that_others_can_reach_is_an_input_error() -> None:
    with pytest.raises(InputError, match="other machines"):
        await serve(Conversations(), host="0.0.0.0", port=0, access=Access(TOKEN), on_ready=lambda url: None)  # noqa: S104
