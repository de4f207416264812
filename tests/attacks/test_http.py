"""A hostile client of the HTTP front, with a valid token."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_guard.transports.http_intake import Bounds
from mcp_guard.transports.http_outbox import Outbox
from tests.transports.http_support import Conversations, front, handshake, http, message


@pytest.mark.parametrize(
    ("sent", "notification"),
    [("tools/call", False), ("ping", False), ("no/such", False), ("notifications/initialized", True)],
)
async def test_requests_without_a_session_take_no_place_from_clients_that_have_one(
    sent: str, notification: bool
) -> None:
    async with front(Conversations(), bounds=Bounds(sessions=2)) as url, http() as client:
        for number in range(4):
            await client.post(url, json=message(sent, {"name": "echo"}, None if notification else number))
        await handshake(client, url)


async def test_a_call_goes_to_no_session_but_its_own() -> None:
    conversations = Conversations()
    async with front(conversations) as url, http() as client:
        one, other = await handshake(client, url), await handshake(client, url)
        for headers in ({}, {**one, "mcp-session-id": "0" * 32}, {**one, "mcp-session-id": one["mcp-session-id"][:-1]}):
            refused = await client.post(url, json=message("tools/call", {"name": "echo"}), headers=headers)
            assert refused.status_code in (400, 404), headers
        await client.post(url, json=message("tools/call", {"name": "echo"}), headers=other)
        await client.delete(url, headers=other)
        gone = await client.post(url, json=message("tools/call", {"name": "echo"}), headers=other)
        assert gone.status_code == 404
    assert [len(conversation.calls("echo")) for conversation in conversations.opened] == [0, 1]


async def test_a_server_that_floods_a_client_that_does_not_read_keeps_some_megabytes_of_it() -> None:
    outbox, written = Outbox(), list[Any]()
    for number in range(100):
        outbox.put("notifications/message", {"data": "x" * (1 << 20), "number": number})
    outbox.close()

    async def write(method: str, params: Any) -> None:
        written.append(params["number"])

    await outbox.drain(write)
    assert written == list(range(85, 100))  # the latest, within 16 MiB


async def test_one_long_notification_still_goes_out() -> None:
    outbox, written = Outbox(), list[str]()
    outbox.put("notifications/message", {"data": "x" * (17 << 20)})
    outbox.close()

    async def write(method: str, params: Any) -> None:
        written.append(method)

    await outbox.drain(write)
    assert written == ["notifications/message"]
