"""Thousands of mutated frames from either side through a real guard: it lives, answers, lets nothing by unjudged."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.client import LEGACY, MODERN, RawClient
from tests.fixtures.mutations import mutated
from tests.guards import Stand
from tests.patience import PATIENCE

FRAMES = int(os.environ.get("MCP_GUARD_FRAMES", "2000"))
"""A side and an era; MCP_GUARD_FRAMES=20000 is the full run."""
GROWTH = 48 << 20
"""Bytes by which the guard's memory may grow, however many frames there are."""
BATCH = 100
POLICY = """
version: 1
grants:
  - {id: echo, tool: raw/echo, args: {text: {max_length: 3}}, optional: {nonce: any}}
  - {id: add, tool: raw/add, args: {a: {min: 0}, b: {min: 0}}}
  - {id: log, tool: raw/log, args: any}
  - {id: progress, tool: raw/progress, args: {n: {min: 0, max: 9}}}
  - {id: prompt, prompt: raw/greet, args: any}
  - {id: notes, resource: {server: raw, uri: {in: ["fixture://notes/1"]}}}
"""
SERVER = Path(__file__).parents[1] / "fixtures" / "mutating_server.py"


def memory(pid: int) -> int:
    """Resident bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) << 10


def seeds(era: str, number: int) -> list[dict[str, Any]]:
    """What a client may send, in its era."""
    meta: dict[str, Any] = {"progressToken": number}
    if era == MODERN:
        prefix = "io.modelcontextprotocol/"
        meta |= {f"{prefix}protocolVersion": era, f"{prefix}clientCapabilities": {}}

    def call(name: str, **arguments: Any) -> dict[str, Any]:
        params = {"name": name, "arguments": arguments, "_meta": meta}
        return {"id": number, "method": "tools/call", "params": params}

    return [
        call("echo", text="abc"),
        call("echo", text="too long", nonce="refused"),
        call("add", a=1, b=2),
        call("surroundings"),
        call("progress", n=2),
        {"id": number, "method": "tools/list", "params": {"_meta": meta}},
        {"id": number, "method": "prompts/get", "params": {"name": "greet", "arguments": {"who": "x"}, "_meta": meta}},
        {"id": number, "method": "resources/read", "params": {"uri": "fixture://notes/1", "_meta": meta}},
        {"id": number, "method": "completion/complete", "params": {"ref": {"type": "ref/prompt", "name": "greet"}}},
        {"id": number, "method": "initialize", "params": {"protocolVersion": LEGACY, "capabilities": {}}},
        {"id": number, "method": "logging/setLevel", "params": {"level": "info"}},
        {"method": "notifications/cancelled", "params": {"requestId": number - 1, "reason": "x"}},
    ]


def frame(chance: random.Random, era: str, number: int) -> dict[str, Any]:
    known = [
        seed for seed in seeds(era, number) if era == LEGACY or seed["method"] != "initialize"
    ]  # it would turn back
    return {"jsonrpc": "2.0", **chance.choice(known)}


async def alive(client: RawClient, number: int) -> None:
    """Anything that knows no era: a guard that answers it has taken all that came before."""
    answer = client.expect(f"alive-{number}")
    await client.send({"id": f"alive-{number}", "method": "ping"})
    async with asyncio.timeout(PATIENCE):
        assert "id" in await answer


def crashed(client: RawClient) -> bool:
    """Did an exception leave the guard's own code? (The server's own words are on the same standard error.)"""
    return "mcp_guard/" in client.stderr or "Exception in callback" in client.stderr


def granted_after_all(sent: bytes) -> bool:
    """Did a mutation shorten the text of the call that is to be refused, so that the policy grants it?"""
    try:
        params = json.loads(sent)["params"]
        text, nonce = params["arguments"]["text"], params["arguments"]["nonce"]
        return nonce == "refused" and isinstance(text, str) and len(text) <= 3
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def nothing_unjudged(stand: Stand) -> Counter[str]:
    """Each executed call has an allow decision, and the record holds together."""
    executed = Counter(line["tool"] for line in stand.ledger())
    allowed = Counter(row.target for row in stand.decisions() if row.effect == "allow")
    assert not executed - allowed
    assert stand.verified() == []
    return executed


@pytest.mark.parametrize("era", [LEGACY, MODERN])
async def test_mutated_frames_of_a_client_crash_nothing_and_pass_no_judgement(tmp_path: Path, era: str) -> None:
    chance = random.Random(f"client {era}")
    stand = Stand(tmp_path, POLICY)
    async with stand.wrap(server=stand.server("raw", "--frames", "0", program=SERVER)) as client:
        await (client.initialize() if era == LEGACY else client.discover())
        await alive(client, 0)
        before, granted = memory(client.pid), 0
        for start in range(0, FRAMES, BATCH):
            frames = [mutated(chance, frame(chance, era, start + at)) for at in range(BATCH)]
            granted += sum(map(granted_after_all, frames))
            await client.send_bytes(b"\n".join(frames) + b"\n")
            await alive(client, start + 1)
            client.received.clear()
        await client.call("echo", {"text": "end"})
        growth = memory(client.pid) - before
        assert growth < GROWTH
    assert client.not_json == []
    assert not crashed(client), client.stderr[-2000:]
    executed = nothing_unjudged(stand)
    assert executed["echo"] > FRAMES / 200
    assert executed["surroundings"] == 0
    assert sum(line["nonce"] == "refused" for line in stand.ledger()) <= granted
    print(f"\n{FRAMES} frames of a client, {era}: {executed.total()} executed, memory grew {growth >> 10} KiB")


@pytest.mark.parametrize("era", [LEGACY, MODERN])
async def test_mutated_frames_of_a_server_crash_nothing_and_stay_bounded(tmp_path: Path, era: str) -> None:
    stand = Stand(tmp_path, POLICY)
    command = stand.server("raw", "--seed", "7", "--frames", str(BATCH // 5), program=SERVER)
    async with stand.wrap(server=command) as client:
        await (client.initialize() if era == LEGACY else client.discover())
        await alive(client, 0)
        before = memory(client.pid)
        for number in range(FRAMES // 12):  # some are refused, since a mutated listing lacks the tool
            listed = await client.start("tools/list", id=f"t{number}")
            call = await client.start("tools/call", {"name": "add", "arguments": {"a": number, "b": 1}}, id=number + 1)
            last = await client.start("tools/call", {"name": "log", "arguments": {"message": "m"}}, id=f"l{number}")
            # After it, whatever it is, the server sends no more for the call before. It never comes where the bytes of
            # a listing were no message; then the next round asks anew.
            await asyncio.wait([last], timeout=0.3)
            await client.notify("notifications/cancelled", {"requestId": number + 1})  # unless it was answered
            for future in (listed, call, last):
                future.cancel()
        await alive(client, 1)
        growth = memory(client.pid) - before
        assert growth < GROWTH
    assert client.not_json == []
    assert not crashed(client), client.stderr[-2000:]
    executed = nothing_unjudged(stand)
    assert executed["add"] * (BATCH // 5) > FRAMES * 0.7
    forged = [
        message for message in client.received if "mcp-guard/decision" in str(message.get("error", {}).get("data"))
    ]
    assert all(message["error"]["message"] != "m" for message in forged)
    frames = executed["add"] * (BATCH // 5)
    print(f"\n{frames} frames of a server, {era}: {executed.total()} executed, memory grew {growth >> 10} KiB")
