"""A hostile client: any bytes, any method, races with budgets. Prevention is read from the server's ledger."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.client import RawClient, RpcError
from tests.fixtures.ledger import executed
from tests.guards import Stand

ONE_WORD = "version: 1\ngrants: [{id: one, tool: raw/echo, args: {text: {in: [ok]}}}]\n"
BUDGETS = """version: 1
grants:
  - {id: echo, tool: raw/echo, args: any, budget: {calls: 3, per: session}}
  - {id: crash, tool: raw/crash, args: any, budget: {calls: 1, per: session}}
  - {id: slow, tool: raw/slow, args: any, budget: {calls: 2, per: session}}
"""
CALL = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":%s}'
ADD = '{"name":"add","arguments":{"a":1,"b":2}}'
SMUGGLED = [
    CALL % '{"name":"echo","name":"add","arguments":{"text":"ok","a":1,"b":2}}',
    CALL % '{"name":"echo","\\u006eame":"add","arguments":{"text":"ok","a":1,"b":2}}',
    CALL % '{"name":"echo","Name":"add","arguments":{"text":"ok"}}',
    CALL % '{"name":"echo","arguments":{"text":"ok"},"arguments":{"text":"no"}}',
    CALL % '{"name":"echo","arguments":{"text":"ok","Text":"no"}}',
    CALL % '{"name":"echo","arguments":{"text":"ok","text\\u0000":"no"}}',
    CALL % '{"name":"echo","arguments":{"text":["ok"]}}',
    CALL % '{"name":"echo","arguments":{"text":"ok"},"task":{"ttl":1}}',
    CALL % '{"name":"echo","arguments":{"text":"ok"},"inputResponses":{}}',
    CALL % '{"name":"echo","arguments":"{\\"text\\":\\"ok\\"}"}',
    CALL % '{"name":["echo"],"arguments":{"text":"ok"}}',
    CALL % '{"name":"ECHO","arguments":{"text":"ok"}}',
    CALL % '{"name":"raw__echo","arguments":{"text":"ok"}}',
    CALL % '{"name":"raw/echo","arguments":{"text":"ok"}}',
    CALL % '{"name":"echo ","arguments":{"text":"ok"}}',
    CALL % ADD,
    (CALL % ADD).replace("tools/call", "Tools/Call"),
    (CALL % ADD).replace("tools/call", "tools/call\\u0000"),
    (CALL % ADD).replace("tools/call", "tools//call"),
    (CALL % ADD).replace("tools/call", "notifications/tools/call"),
    (CALL % ADD).replace('"id":7,', ""),
    (CALL % ADD).replace('"id":7', '"id":null'),
    (CALL % ADD).replace('"2.0"', '"1.0"'),
    (CALL % ADD)[:-1] + ',"result":{}}',
    f"[{CALL % ADD}]",
    f"{CALL % ADD} {CALL % ADD}",
    f"\ufeff{CALL % ADD}",
]


async def test_no_spelling_of_a_message_makes_the_server_execute_what_is_not_granted(tmp_path: Path) -> None:
    stand = Stand(tmp_path, ONE_WORD)
    async with stand.wrap() as client:
        await client.initialize()
        for line in SMUGGLED:
            await client.send_bytes(line.encode() + b"\n")
        result = await client.call("echo", {"text": "ok"})  # the last one of all, and the guard still serves
    assert not result.get("isError")
    assert executed(stand.ledger_file()) == ["echo"]
    sent = stand.trace("tools/call")
    assert [message["params"] for message in sent] == [{"name": "echo", "arguments": {"text": "ok"}}]


async def allowed(client: RawClient, count: int) -> int:
    """Calls `echo` so often at the same time; how many of them were carried out."""
    calls = [client.call("echo", {"text": "x"}) for _ in range(count)]
    return sum(not result.get("isError") for result in await asyncio.gather(*calls))


async def test_several_guards_at_once_spend_one_budget_once(tmp_path: Path) -> None:
    stand = Stand(tmp_path, BUDGETS)
    async with stand.wrap() as one, stand.wrap() as other:
        await asyncio.gather(one.initialize(), other.initialize())
        assert sum(await asyncio.gather(allowed(one, 10), allowed(other, 10))) == 3
    async with stand.wrap() as later:
        await later.initialize()
        assert await allowed(later, 3) == 0
    assert executed(stand.ledger_file()) == ["echo"] * 3
    assert stand.verified() == []


async def test_a_crash_after_the_deed_and_a_cancellation_give_no_budget_back(tmp_path: Path) -> None:
    stand = Stand(tmp_path, BUDGETS)
    async with stand.wrap() as client:
        await client.initialize()
        for number in range(4):
            slow = {"name": "slow", "arguments": {"until": str(tmp_path / "never"), "stubborn": True}}
            await client.start("tools/call", slow, id=f"slow-{number}")
            await client.request("ping")
            await client.notify("notifications/cancelled", {"requestId": f"slow-{number}"})
        with pytest.raises(RpcError, match="may have taken effect"):
            await client.call("crash")
        await client.wait_for_notification("notifications/tools/list_changed")  # it runs again
        assert (await client.call("crash"))["isError"]
    ledger = executed(stand.ledger_file())
    assert ledger.count("slow") <= 2
    assert ledger.count("crash") == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="launchers are told by /proc")
async def test_a_client_that_starts_the_guard_through_a_launcher_sheds_no_budget_by_a_restart(tmp_path: Path) -> None:
    stand = Stand(tmp_path, BUDGETS)
    guard = [sys.executable, "-m", "mcp_guard", "wrap", "--name", "raw", "--policy", str(stand.policy_file), "--"]
    through = ["sh", "-c", '"$@"; true', "sh", *guard, *stand.server()]  # as `uvx` does: not replaced, another parent
    for expected in (3, 0):
        async with RawClient(through, env=stand.environment, cwd=stand.home) as client:
            await client.initialize()
            assert await allowed(client, 5) == expected
    assert executed(stand.ledger_file()) == ["echo"] * 3


async def test_a_hidden_tool_answers_as_one_that_does_not_exist(tmp_path: Path) -> None:
    stand = Stand(tmp_path, ONE_WORD)
    answers: list[dict[str, Any]] = []
    async with stand.wrap() as client:
        await client.initialize()
        for name in ("add", "not"):
            with pytest.raises(RpcError) as refused:
                await client.call(name, {"a": 1, "b": 2})
            answers.append(json.loads(json.dumps(refused.value.error).replace(name, "NAME")))
    assert answers[0] == answers[1]


async def test_a_line_without_an_end_ends_the_guard_and_lets_nothing_through(tmp_path: Path) -> None:
    stand = Stand(tmp_path, ONE_WORD)
    async with stand.wrap() as client:
        await client.initialize()
        with contextlib.suppress(ConnectionError):
            await client.send_bytes(b'{"a":"' + b"x" * (17 << 20) + b"\n" + (CALL % ADD).encode() + b"\n")
        assert await client.ended() == 0
    assert executed(stand.ledger_file()) == []
