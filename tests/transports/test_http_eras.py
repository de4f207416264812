"""What the headers of each era must say, and which methods it has."""

from __future__ import annotations

from typing import Any

import pytest

from tests.transports.http_support import (
    ENVELOPE,
    LEGACY,
    META,
    MODERN,
    TOOL,
    Conversations,
    events,
    front,
    handshake,
    http,
    message,
    modern,
)


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
