"""Sessions of the legacy era, and the one conversation of the modern era."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from mcp_guard.transports.http_intake import Bounds
from tests.transports.http_support import (
    LEGACY,
    Conversations,
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


async def test_a_call_that_waits_for_an_initialize_which_fails_reaches_no_conversation() -> None:
    conversations = Conversations(initialize=silent)
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    async with (
        front(conversations) as url,
        http() as client,
        client.stream("POST", url, json=message("initialize", params)) as opening,
    ):
        session = {"mcp-session-id": opening.headers["mcp-session-id"], "mcp-protocol-version": LEGACY}
        call = message("tools/call", {"name": "echo"}, 2)
        async with client.stream("POST", url, json=call, headers=session) as early:
            late = await client.post(url, json=message("notifications/initialized", id=None), headers=session)
            assert late.status_code == 202
            await until(conversations.changed, lambda: bool(conversations.opened))
            conversations.opened[0].requests[0].answer({"error": {"code": -32010, "message": "no server"}})
            answers = events((await early.aread()).decode())
    assert [answer["error"]["message"] for answer in answers] == ["not initialized"]
    assert conversations.opened[0].calls("echo") == []
    assert conversations.opened[0].notifications == []


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
