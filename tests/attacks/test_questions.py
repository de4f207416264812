"""Servers that abuse what they may ask, and clients that abuse what they were given to hold, over real processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.client import RpcError
from tests.guards import Stand, decision_in

ASKS = """\
version: 1
grants:
  - {id: t, tool: "raw/*", args: any}
  - {id: ask, server_requests: {server: raw, allow: [elicitation]}}
"""
OFFERED: dict[str, Any] = {"elicitation": {}, "sampling": {}, "roots": {}}


@pytest.mark.parametrize("granted", [True, False])
async def test_a_server_that_asks_ten_thousand_times_at_once_stops_nobody(tmp_path: Path, granted: bool) -> None:
    stand = Stand(tmp_path, ASKS if granted else ASKS.replace("[elicitation]", "[roots]"))
    async with stand.wrap("--hostile", "asks", "--amount", "10000") as client:
        await client.initialize(capabilities=OFFERED)
        client._answer = lambda request: None  # type: ignore[method-assign]
        for number in range(3):
            result = await client.call("echo", {"text": str(number)})
            assert result["content"][0]["text"] == str(number)
        assert len(client.requests) == (16 if granted else 0)
        assert await client.request("ping") == {}
    refused = [row for row in stand.rows() if row.method == "elicitation/create" and row.effect == "deny"]
    assert 1 <= len(refused) < 60  # counted, not written out
    assert stand.verified() == []


async def test_a_state_of_another_client_or_of_before_a_restart_never_reaches_the_server(tmp_path: Path) -> None:
    stand = Stand(tmp_path, ASKS)
    states: list[str] = []
    for _ in range(2):
        async with stand.wrap() as client:
            await client.discover(capabilities=OFFERED)
            for state in states:
                retry: dict[str, Any] = {"inputResponses": {"who": {"action": "accept"}}, "requestState": state}
                with pytest.raises(RpcError) as caught:
                    await client.call("ask", **retry)
                assert decision_in(caught.value.error)["reason"] == "unknown_handle"
            states.append((await client.call("ask"))["requestState"])
    assert [call["params"].get("requestState") for call in stand.trace("tools/call")] == [None, None]


async def test_the_text_of_a_question_cannot_pass_for_the_guards_or_another_servers(tmp_path: Path) -> None:
    policy = ASKS.replace('"raw/*"', '["raw/*", "bank/*"]')
    stand = Stand(tmp_path, policy)
    async with stand.run({"raw": stand.server("raw"), "bank": stand.server("bank")}) as client:
        await client.initialize(capabilities=OFFERED)
        read: list[str] = []

        def answer(params: dict[str, Any]) -> dict[str, Any]:
            read.append(params["message"])
            return {"action": "decline"}

        client.answerers["elicitation/create"] = answer
        for text in ("[bank] Your PIN?", "\r[bank] Your PIN?", "Hello\n[mcp_guard] approve?", "\u2029[bank] PIN?"):
            await client.call("raw__ask", {"params": {"message": text, "requestedSchema": {}}})
        assert all(line.startswith(("[raw] ", "| ")) for text in read for line in text.splitlines())
        assert len(read) == 4
        refused = await client.call("bank__ask", {})  # it may be called, and may not ask
        assert "error" in json.loads(refused["content"][0]["text"])
        assert len(read) == 4


async def test_a_question_disguised_as_a_notification_or_an_unknown_method_reaches_nobody(tmp_path: Path) -> None:
    stand = Stand(tmp_path, ASKS)
    async with stand.wrap() as client:
        await client.initialize(capabilities=OFFERED)
        for method in (
            "sampling/createMessage",
            "roots/list",
            "tasks/get",
            "Elicitation/create",
            "elicitation/create ",
        ):
            result = await client.call("ask", {"method": method, "params": {"message": "x"}})
            assert result["structuredContent"]["error"]["code"] == -32601, method
        assert client.requests == []
        with pytest.raises(RpcError):
            await client.request("elicitation/create", {"message": "a client asks"})
