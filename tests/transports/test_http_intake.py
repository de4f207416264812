"""What the HTTP front lets in: the bytes of a request, its size, its headers, how many at once."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from mcp_guard.transports.front import Holder
from mcp_guard.transports.http_access import Access
from mcp_guard.transports.http_intake import Bounds, Intake
from tests.transports.http_support import (
    LEGACY,
    TOKEN,
    Conversations,
    front,
    handshake,
    http,
    message,
    modern,
)

CALL = '{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"echo"%s}}'


@pytest.mark.parametrize(
    ("body", "code", "id"),
    [
        (b"", -32700, None),
        (b"{", -32700, None),
        (b"\xff", -32700, None),
        (b"null", -32600, None),
        (b"[]", -32600, None),
        (f"[{CALL % ''}]".encode(), -32600, None),
        ((CALL % ',"name":"slow"').encode(), -32600, None),
        ((CALL % ',"Name":"slow"').encode(), -32600, 9),
        ((CALL % ',"arguments":{"path":1,"path":2}').encode(), -32600, None),
        ((CALL % ',"arguments":{"n":NaN}').encode(), -32700, None),
        ((CALL % ',"arguments":{"n":1e400}').encode(), -32600, None),
        ((CALL % ',"arguments":{"s":"\\ud800"}').encode(), -32700, None),
        ((CALL % (',"arguments":' + "[" * 100 + "]" * 100)).encode(), -32600, 9),
        ((CALL % "").replace('"id":9', '"id":null').encode(), -32600, None),
        ((CALL % "").replace('"id":9', '"id":1.5').encode(), -32600, None),
        ((CALL % "").replace('"id":9', '"id":true').encode(), -32600, None),
        ((CALL % "").replace('"id":9,', "").encode(), -32600, None),
        ((CALL % "").replace('"2.0"', '"1.0"').encode(), -32600, 9),
        ((CALL % "").replace('"params":', '"result":{},"params":').encode(), -32600, 9),
    ],
)
@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_what_is_not_one_strict_message_is_refused_and_recorded(
    era: str, body: bytes, code: int, id: int | None
) -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        headers = await handshake(client, url) if era == "legacy" else modern("tools/call", {"name": "echo"})[1]
        response = await client.post(url, content=body, headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (400, code)
        assert response.json()["id"] == id
        [conversation] = conversations.opened
        assert len(conversation.refusals) == 1
        assert conversation.calls("echo") == []
        assert conversation.calls("slow") == []


async def test_the_sdk_gets_the_parsed_message_again_and_not_the_bytes() -> None:
    inner = Recording()
    body = b'{ "jsonrpc":"2.0", "method":"notifications/x", "params":{"a":"\\u0041", "n":1.0e0}}'
    await intake(inner)(scope([(b"content-length", b"%d" % len(body))]), receiver(body), inner.discard)
    expected = b'{"jsonrpc":"2.0","method":"notifications/x","params":{"a":"A","n":1.0}}'
    assert inner.body == expected
    assert dict(inner.scope["headers"])[b"content-length"] == b"%d" % len(expected)


async def test_the_sdk_gets_neither_token_nor_cookies_nor_query() -> None:
    inner = Recording()
    more = [(b"cookie", b"c=1"), (b"x-forwarded-for", b"1.2.3.4"), (b"last-event-id", b"1"), (b"mcp-param-a", b"b")]
    await intake(inner)(scope(more), receiver(b'{"jsonrpc":"2.0","method":"notifications/x"}'), inner.discard)
    names = {name for name, _ in inner.scope["headers"]}
    assert names == {b"host", b"content-type", b"accept", b"mcp-param-a", b"content-length"}
    assert inner.scope["query_string"] == b""


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_bound_is_refused(declared: bool) -> None:
    conversations = Conversations()

    async def chunks() -> Any:
        for _ in range(3):
            yield b" " * 500

    content = b" " * 1500 if declared else chunks()
    async with front(conversations, bounds=Bounds(body=1000)) as url, http() as client:
        response = await client.post(url, content=content)
    assert response.status_code == 413


async def test_a_body_within_the_bound_may_grow_when_it_is_written_again() -> None:
    numbers = ",".join(["1e15"] * 10)
    body = (CALL % f',"arguments":{{"n":[{numbers}]}},"_meta":{json.dumps(modern("x")[0]["params"]["_meta"])}').encode()
    conversations = Conversations()
    async with front(conversations, bounds=Bounds(body=len(body))) as url, http() as client:
        response = await client.post(url, content=body, headers=modern("tools/call", {"name": "echo"})[1])
    assert response.status_code == 200, response.text
    [call] = conversations.opened[0].calls("echo")
    assert call.params is not None
    assert call.params["arguments"] == {"n": [1e15] * 10}


@pytest.mark.parametrize("name", ["mcp-method", "mcp-name", "mcp-protocol-version", "mcp-session-id", "content-type"])
@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_repeated_header_is_refused_even_when_the_copies_agree(era: str, name: str) -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        if era == "legacy":
            body, headers = message("tools/call", {"name": "echo"}, 9), await handshake(client, url)
        else:
            body, headers = modern("tools/call", {"name": "echo"}, 9)
        value = {**headers, "mcp-method": "tools/call", "mcp-name": "echo", "content-type": "application/json"}.get(
            name, "0"
        )
        pairs = [*((key, text) for key, text in headers.items() if key != name), (name, value), (name, value)]
        response = await client.post(url, json=body, headers=pairs)
        assert (response.status_code, response.json()["error"]["code"]) == (400, -32020)
        assert response.json()["id"] == 9
        assert all(each.calls("echo") == [] for each in conversations.opened)


async def test_a_repeated_session_id_is_refused_without_a_body_too() -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        first, second = await handshake(client, url), await handshake(client, url)
        pairs = [(name, value) for session in (first, second) for name, value in session.items()]
        response = await client.delete(url, headers=pairs)
        assert response.status_code == 400
        assert [each.closed for each in conversations.opened] == [0, 0]


async def test_only_a_post_has_a_body() -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        session = await handshake(client, url)
        response = await client.request("DELETE", url, content=b"{}", headers=session)
        assert response.status_code == 400
        assert conversations.opened[0].closed == 0


async def test_an_event_stream_can_be_asked_to_resume_and_simply_begins() -> None:
    async with front(Conversations()) as url, http() as client:
        session = await handshake(client, url)
        async with client.stream("GET", url, headers={**session, "last-event-id": "7"}) as stream:
            assert stream.status_code == 200


async def test_sessions_are_bounded() -> None:
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    conversations = Conversations()
    async with front(conversations, bounds=Bounds(sessions=1)) as url, http() as client:
        session = await handshake(client, url)
        full = await client.post(url, json=message("initialize", params))
        assert full.status_code == 503
        await client.delete(url, headers=session)
        await handshake(client, url)
    assert len(conversations.opened) == 2


async def test_an_idle_session_ends() -> None:
    conversations = Conversations()
    async with front(conversations, bounds=Bounds(idle=0.05)) as url, http() as client:
        session = await handshake(client, url)
        await conversations.opened[0].until(lambda it: it.closed == 1)
        response = await client.post(url, json=message("ping", id=2), headers=session)
    assert response.status_code == 404


async def test_requests_under_way_are_bounded_and_those_without_the_token_take_no_place() -> None:
    inner = Blocking()
    bounded = intake(inner, Bounds(requests=1))
    statuses: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def ask(token: str = TOKEN) -> None:
        await bounded(scope([], token), receiver(b'{"jsonrpc":"2.0","method":"notifications/x"}'), send)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await inner.entered.wait()
        await ask("another-token-0123456789")
        await ask()
        inner.free.set()
    await ask()
    assert statuses == [401, 503]
    assert inner.served == 2


async def test_a_slow_body_is_given_up() -> None:
    inner, sent = Recording(), []

    async def receive() -> Any:
        await anyio.sleep_forever()

    async def send(message: Any) -> None:
        sent.append(message)

    await intake(inner, Bounds(body_seconds=0.01))(scope([]), receive, send)
    assert sent[0]["status"] == 408
    assert inner.body is None


async def test_a_front_that_stops_takes_no_new_request() -> None:
    inner, sent = Recording(), []

    async def send(message: Any) -> None:
        sent.append(message)

    stopping = intake(inner)
    stopping.stop()
    await stopping(scope([]), receiver(b'{"jsonrpc":"2.0","method":"notifications/x"}'), send)
    assert sent[0]["status"] == 503
    assert inner.body is None


async def test_a_body_that_breaks_off_reaches_nothing() -> None:
    inner = Recording()
    parts = [{"type": "http.request", "body": b'{"jsonrpc"', "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return parts.pop(0)

    await intake(inner)(scope([]), receive, inner.discard)
    assert inner.body is None


# --- Doubles ---


class Recording:
    """An application that keeps what it was given."""

    def __init__(self) -> None:
        self.scope: Any = None
        self.body: bytes | None = None
        self.refusals: list[str] = []

    def begin(self, *_: object) -> bool:
        return False

    def begun_is_lost(self, session: str | None) -> bool:
        return False

    def over(self, caller: object) -> None:
        pass

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        self.body = (await receive())["body"]

    def refused(self, holder: Holder, session: str | None, why: str) -> None:
        self.refusals.append(why)

    async def discard(self, message: Any) -> None:
        pass


class Blocking(Recording):
    """An application that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.free, self.served = anyio.Event(), anyio.Event(), 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.entered.set()
        await self.free.wait()
        self.served += 1


HOSTS = frozenset({"localhost:1"})


def intake(inner: Recording, bounds: Bounds | None = None) -> Intake:
    return Intake(inner, Access(TOKEN), HOSTS, bounds or Bounds(), inner)


def scope(more: list[tuple[bytes, bytes]], token: str = TOKEN) -> dict[str, Any]:
    standard = [
        (b"host", b"localhost:1"),
        (b"authorization", b"Bearer " + token.encode()),
        (b"content-type", b"application/json"),
        (b"accept", b"application/json"),
    ]
    return {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "headers": [*standard, *more],
        "query_string": b"token=x",
    }


def receiver(body: bytes) -> Any:
    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
