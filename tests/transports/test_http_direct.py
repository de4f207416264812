"""The short way of ordinary requests over HTTP: what is answered at once, and what the SDK takes over."""

from __future__ import annotations

from typing import Any

import anyio
import httpx2
import pytest

from mcp_guard.transports import http_direct
from mcp_guard.transports.http_direct import is_ordinary
from mcp_guard.transports.http_intake import Bounds
from mcp_guard.transports.http_resume import SessionEvents
from tests.transports.http_support import (
    ODD_RESULT,
    Conversations,
    Request,
    events,
    front,
    handshake,
    http,
    message,
    modern,
)

ERAS = pytest.mark.parametrize("era", ["legacy", "modern"])
DONE = {"content": [], "resultType": "complete"}


async def post(
    client: httpx2.AsyncClient, url: str, era: str, tool: str, id: int = 7, **headers: str
) -> httpx2.Response:
    """One call in its era; a legacy one in a session of its own."""
    if era == "legacy":
        session = await handshake(client, url)
        return await client.post(url, json=message("tools/call", {"name": tool}, id), headers=session | headers)
    body, said = modern("tools/call", {"name": tool}, id)
    return await client.post(url, json=body, headers=said | headers)


@ERAS
async def test_an_answer_that_comes_at_once_is_one_json_body(era: str) -> None:
    async with front(Conversations()) as url, http() as client:
        response = await post(client, url, era, "odd")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"jsonrpc": "2.0", "id": 7, "result": ODD_RESULT}
    assert ("mcp-session-id" in response.headers) == (era == "legacy")


@ERAS
async def test_what_a_server_says_before_its_answer_begins_a_stream_and_nothing_is_carried_twice(era: str) -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        response = await post(client, url, era, "later")
    said = [one.get("method", "answer") for one in events(response.text)]
    assert said == ["notifications/progress", "notifications/progress", "notifications/message", "answer"]
    assert len(conversations.opened[0].calls("later")) == 1


async def test_a_question_of_the_server_finds_its_way_to_the_client_and_its_answer_back() -> None:
    def asks(request: Request) -> None:
        assert request.ask is not None
        request.ask("elicitation/create", {"message": "Sure?"}, lambda reply: request.answer({"result": reply}))

    conversations, lines = Conversations(asks=asks), list[str]()
    async with front(conversations) as url, http() as client:
        session = await handshake(client, url)
        call = message("tools/call", {"name": "asks"}, 7)
        async with client.stream("POST", url, json=call, headers=session) as response:
            async for line in response.aiter_lines():
                lines.append(line)
                if "elicitation/create" in line:
                    [question] = events(line)
                    reply = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept"}}
                    await client.post(url, json=reply, headers=session)
    assert events("\r\n".join(lines))[-1]["result"] == {"result": {"action": "accept"}}
    assert len(conversations.opened[0].calls("asks")) == 1


async def test_a_question_that_was_taken_back_before_there_was_a_way_is_never_put() -> None:
    def asks(request: Request) -> None:
        assert request.ask is not None
        request.ask("elicitation/create", {"message": "Sure?"}, lambda _: None)(None)
        request.notify("notifications/message", {"level": "info", "data": "x"})
        request.answer({"result": DONE})

    async with front(Conversations(asks=asks)) as url, http() as client:
        response = await post(client, url, "legacy", "asks")
    assert [one.get("method", "answer") for one in events(response.text)] == ["notifications/message", "answer"]


@ERAS
async def test_an_answer_that_takes_longer_comes_all_the_same_and_once(
    era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_direct, "SOON", 0.0)
    conversations, answers = Conversations(), list[Any]()
    async with front(conversations) as url, http() as client:

        async def call() -> None:
            answers.append(await post(client, url, era, "slow"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            [request] = await conversations.call("slow")
            request.answer({"result": DONE})
    assert events(answers[0].text)[-1]["result"] == DONE
    assert len(conversations.opened[0].calls("slow")) == 1
    assert request.cancelled == []


async def test_a_session_that_ends_meanwhile_does_not_make_a_call_that_was_sent_look_unsent() -> None:
    conversations, answers = Conversations(), list[Any]()
    async with front(conversations) as url, http() as client:
        session = await handshake(client, url)

        async def call() -> None:
            body = message("tools/call", {"name": "slow"}, 7)
            answers.append(await client.post(url, json=body, headers=session))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            [request] = await conversations.call("slow")
            assert (await client.delete(url, headers=session)).status_code == 200
    assert (answers[0].status_code, answers[0].json()["error"]["code"]) == (200, -32011)
    assert request.cancelled == [None]


@ERAS
async def test_a_guard_that_breaks_carries_nothing_twice_and_tells_nothing(era: str) -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        response = await post(client, url, era, "breaks")
    assert response.json()["error"] == {"code": -32603, "message": "internal error"}
    assert len(conversations.opened[0].calls("breaks")) == 1


@ERAS
async def test_an_answer_that_has_no_bytes_is_no_refusal_of_what_has_happened(era: str) -> None:
    conversations = Conversations(odd=lambda request: request.answer({"result": {"x": "\ud800"}}))
    async with front(conversations) as url, http() as client:
        response = await post(client, url, era, "odd")
    assert response.json() == {"jsonrpc": "2.0", "id": 7, "error": {"code": -32603, "message": "internal error"}}
    assert [one.refusals for one in conversations.opened] == [[]]


@ERAS
async def test_a_request_whose_answer_is_not_read_is_under_way_until_it_is(era: str) -> None:
    """Else a client that never reads could have the guard hold as many long answers as it likes."""
    conversations = Conversations(odd=lambda request: request.answer({"result": {"x": "x" * (32 << 20)}}))
    async with front(conversations, bounds=Bounds(requests=2)) as url, http() as client:
        body, said = modern("tools/call", {"name": "odd"}, 7)
        if era == "legacy":
            body, said = message("tools/call", {"name": "odd"}, 7), await handshake(client, url)
        call, another = ({**body, "id": number} for number in (7, 8))
        async with (
            client.stream("POST", url, json=call, headers=said) as first,
            client.stream("POST", url, json=another, headers=said) as second,
        ):
            assert (await client.post(url, json={**body, "id": 9}, headers=said)).status_code == 503
            lengths = [len(await one.aread()) for one in (first, second)]
            assert min(lengths) > 32 << 20
        assert (await client.post(url, json={**body, "id": 9}, headers=said)).status_code == 200
    assert len(await conversations.call("odd")) == 3


@pytest.mark.parametrize(
    ("accept", "status"), [("*/*", 200), ("text/event-stream, application/json", 200), ("application/json", 406)]
)
@ERAS
async def test_other_spellings_are_the_sdks_to_judge(era: str, accept: str, status: int) -> None:
    async with front(Conversations()) as url, http() as client:
        response = await post(client, url, era, "odd", accept=accept)
    assert response.status_code == status
    if status == 200:
        assert events(response.text)[-1]["result"] == ODD_RESULT


def test_a_header_that_comes_twice_or_is_missing_is_out_of_the_ordinary() -> None:
    call = message("tools/call", {"name": "echo"})
    accept, kind = (b"accept", b"application/json, text/event-stream"), (b"content-type", b"application/json")
    assert is_ordinary(call, [accept, kind])
    assert not is_ordinary(call, [accept, accept, kind])
    assert not is_ordinary(call, [accept, (b"accept", b"*/*"), kind])
    assert not is_ordinary(call, [accept, accept])
    assert not is_ordinary(call, [accept])
    assert not is_ordinary(message("tools/list"), [accept, kind])


async def test_a_call_before_the_handshake_is_over_is_not_let_through() -> None:
    conversations = Conversations(initialize=lambda request: None)
    async with front(conversations, bounds=Bounds(reconnection=0.0)) as url, http() as client:
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        async with client.stream("POST", url, json=message("initialize", params)) as opening:
            session = {"mcp-session-id": opening.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
            await client.post(url, json=message("notifications/initialized", id=None), headers=session)
            body = message("tools/call", {"name": "echo"}, 7)
            async with client.stream("POST", url, json=body, headers=session) as waiting:
                assert waiting.headers["content-type"] == "text/event-stream"  # it waits in the SDK for its turn
                assert conversations.opened[0].calls("echo") == []


async def test_a_session_is_shown_to_the_sdk_again_before_that_counts_it_as_idle() -> None:
    known = SessionEvents()
    assert not known.known_alive
    known.seen_alive(60)
    assert known.known_alive
    known.seen_alive(0)
    assert not known.known_alive
    async with front(Conversations(), bounds=Bounds(idle=1e9)) as url, http() as client:
        assert (await post(client, url, "legacy", "echo")).headers["content-type"] == "application/json"
