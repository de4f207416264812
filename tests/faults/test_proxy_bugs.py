"""Faults that proxies are known for and that no other suite provokes; `table.yaml` says where each of the others is."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.errors import RecordBusy
from mcp_guard.record.store import Record
from mcp_guard.transports.spawn import spawn
from mcp_guard.transports.stdio_link import StdioLink
from tests.faults.test_kill import none_left
from tests.fixtures.client import LEGACY, MODERN, RAW_SERVER, RawClient, RpcError
from tests.guards import Stand
from tests.transports.processes import until

PINGS_FIRST = """
import json, sys
begun = json.loads(sys.stdin.readline())
print('{"jsonrpc":"2.0","id":"p","method":"ping"}', flush=True)
assert json.loads(sys.stdin.readline()) == {"jsonrpc": "2.0", "id": "p", "result": {}}
hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "p", "version": "1"}}
print(json.dumps({"jsonrpc": "2.0", "id": begun["id"], "result": hello}), flush=True)
sys.stdin.read()
"""


async def begin(client: RawClient, era: str) -> None:
    await (client.initialize() if era == LEGACY else client.discover())


@pytest.mark.parametrize("era", [LEGACY, MODERN])
@pytest.mark.parametrize("size", [1 << 20, 10 << 20])
async def test_a_megabyte_and_ten_pass_both_ways_whole(tmp_path: Path, era: str, size: int) -> None:
    stand = Stand(tmp_path, timeout=60)
    async with stand.wrap() as client:
        await begin(client, era)
        text = "x" * size
        assert (await client.call("echo", {"text": text}))["content"][0]["text"] == text
        assert len((await client.call("big", {"bytes": size}))["content"][0]["text"]) == size


async def test_two_megabytes_on_the_servers_standard_error_hold_up_no_call(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        await client.initialize()
        await client.call("noise", {"bytes": 2 << 20})
        assert (await client.call("echo", {"text": "x"}))["content"][0]["text"] == "x"
        assert client.not_json == []  # not a byte of it came between two messages


async def test_a_server_that_pings_before_it_answers_the_handshake_is_answered(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap(server=[sys.executable, "-S", "-c", PINGS_FIRST]) as client:
        assert (await client.initialize())["protocolVersion"] == LEGACY
        assert client.requests == []


async def test_a_handshake_cannot_be_cancelled(tmp_path: Path) -> None:
    """The protocol forbids it; half of one would leave a connection that nobody can use."""
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        begun = await client.start("initialize", {"protocolVersion": LEGACY, "capabilities": {}}, id="h")
        await client.notify("notifications/cancelled", {"requestId": "h"})
        assert (await client.result(begun))["protocolVersion"] == LEGACY
        await client.notify("notifications/initialized")
        assert len(await client.list_all()) == 15
    assert "cancelled" in next(row.detail for row in stand.rows() if row.reason == "malformed")


async def test_an_envelope_of_the_other_era_on_a_connection_that_is_settled_reaches_no_server(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        await client.initialize()
        client.speak_modern()
        with pytest.raises(RpcError, match="began with `initialize`"):
            await client.call("echo", {"text": "x"})
    assert stand.ledger() == []


async def test_one_progress_token_of_two_clients_is_two_at_the_server() -> None:
    link = StdioLink(
        spawn([sys.executable, "-S", str(RAW_SERVER)]),
        on_notification=lambda *_: None,
        on_request=lambda *_: lambda _: None,
        on_odd=lambda _: None,
        on_gone=lambda _: None,
    )
    await link.start()
    seen: dict[str, list[Any]] = {"one": [], "two": []}
    answers: list[Any] = []
    hello = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    link.request("initialize", hello, answers.append)
    for name, count in (("one", 2), ("two", 5)):
        params = {"name": "progress", "arguments": {"n": count}, "_meta": {"progressToken": "t"}}
        link.request("tools/call", params, answers.append, seen[name].append)
    await until(lambda: len(answers) == 3)
    assert (len(seen["one"]), len(seen["two"])) == (2, 5)
    assert {params["progressToken"] for params in seen["one"] + seen["two"]} == {"t"}
    link.close()
    await asyncio.to_thread(link.child.process.wait, 10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
async def test_a_signal_during_a_call_ends_guard_and_server_and_the_record_has_the_call(
    tmp_path: Path, number: signal.Signals
) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        await client.initialize()
        await client.start("tools/call", {"name": "slow", "arguments": {}})
        await until(stand.ledger)
        os.kill(client.pid, number)
        assert await client.ended() == 0
    assert await none_left(str(stand.ledger_file()))
    assert [row.outcome for row in stand.decisions()] == ["cancelled"]
    assert stand.rows()[-1].kind.value == "stopped"
    assert stand.verified() == []


async def test_a_guard_that_starts_while_others_write_waits_for_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mcp_guard.cli.setting_up import build_guard

    monkeypatch.setenv("MCP_GUARD_STATE", str(tmp_path / "state"))
    note, busy = Record.note, iter([True, True, False])

    def taken(record: Record, *about: Any) -> Any:
        if next(busy):
            raise RecordBusy("another process is writing")
        return note(record, *about)

    monkeypatch.setattr(Record, "note", taken)
    guard = build_guard((), policy=None, mandate=None, prefixed=True, own_files=())
    guard.record.close()
    assert list(busy) == []
