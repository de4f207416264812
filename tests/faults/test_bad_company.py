"""A sound server among a slow, a crashing, a huge and a restless one: on stdio and by URL, for clients of either era.

The whole way but the client's pipes; the deadlines for the slow one are short here. Counted, not timed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mcp_guard import deliveries, lifecycle, listing
from mcp_guard.downstream import Downstream
from mcp_guard.eras import Era
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.server_spec import ServerSpec
from mcp_guard.transports.http_link_remote import Remote
from mcp_guard.transports.link import see_links_end
from tests.fixtures.http_server import DISCOVERED, INITIALIZED, SESSION, Heard, Wire, event, result, serving, silent
from tests.guards import Scene, Stand, decision_in, tool
from tests.patience import PATIENCE
from tests.transports.processes import until

RESTLESS = Path(__file__).parents[1] / "fixtures" / "restless_server.py"
NAMES = ("a", "slow", "crashing", "huge", "restless")
ALL = f"version: 1\ngrants: [{{id: all, tool: {json.dumps([f'{name}/*' for name in NAMES])}, args: any}}]\n"
CALLS = 100
CHANGED = "notifications/tools/list_changed"
HELLO = {"capabilities": {"tools": {"listChanged": True}}}
MODERN_KEYS = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((lifecycle, "HANDSHAKE_DEADLINE"), (lifecycle, "DISCOVERY_DEADLINE"), (listing, "DEADLINE")):
        monkeypatch.setattr(module, name, 1.0)
    monkeypatch.setattr(deliveries, "LONGEST", 0.5)


@asynccontextmanager
async def on_stdio(directory: Path) -> AsyncIterator[list[ServerSpec]]:
    stand = Stand(directory)
    commands = {
        "a": stand.server("a"),
        "slow": stand.server("slow", "--slow-start", str(directory / "never")),
        "crashing": [sys.executable, "-S", "-c", "raise SystemExit(3)"],
        "huge": stand.server("huge", "--tools", "11000", "--page-size", "5000"),
        "restless": [sys.executable, "-S", str(RESTLESS), "1000"],
    }
    yield [ServerSpec(name, tuple(command)) for name, command in commands.items()]


async def pages(heard: Heard, wire: Wire) -> None:
    """100,000 tools, in pages that each say that there is another."""
    start = int(heard.message.get("params", {}).get("cursor", "0"))
    named = [tool(f"tool_{number}") for number in range(start, start + 5000)]
    assert start < 100_000
    await wire.json(result(heard, {"tools": named, "nextCursor": str(start + 5000), **MODERN_KEYS}))


async def says_so(heard: Heard, wire: Wire) -> None:
    """Its list changed, a thousand times a second, as long as anybody listens."""
    asked = heard.message if heard.body else {}
    meta = {"_meta": {"io.modelcontextprotocol/subscriptionId": asked["id"]}} if asked else {}
    await wire.stream()
    if asked:
        method = "notifications/subscriptions/acknowledged"
        told = {"notifications": {"toolsListChanged": True}, **meta}
        await wire.chunk(event({"jsonrpc": "2.0", "method": method, "params": told}))
    while True:
        await wire.chunk(event({"jsonrpc": "2.0", "method": CHANGED, **({"params": meta} if meta else {})}))
        await asyncio.sleep(0.001)


@asynccontextmanager
async def by_url(directory: Path) -> AsyncIterator[list[ServerSpec]]:
    async def greet(heard: Heard, wire: Wire) -> None:
        await wire.json(result(heard, {**INITIALIZED, **HELLO}), mcp_session_id=SESSION)

    async def discovered(heard: Heard, wire: Wire) -> None:
        await wire.json(result(heard, {**DISCOVERED, **HELLO}))

    async def breaks(_: Heard, wire: Wire) -> None:
        wire.cut()

    greeting = {"initialize": greet, "server/discover": discovered}
    async with AsyncExitStack() as stack:
        servers = {
            "a": serving(**greeting),
            "slow": serving(**dict.fromkeys(greeting, silent)),
            "crashing": serving(**dict.fromkeys(greeting, breaks)),
            "huge": serving(tools_list=pages, **greeting),
            "restless": serving(GET=says_so, subscriptions_listen=says_so, **greeting),
        }
        specs = []
        for name, server in servers.items():
            specs.append(ServerSpec(name, remote=Remote((await stack.enter_async_context(server)).url)))
        yield specs


@asynccontextmanager
async def guarded(directory: Path, specs: list[ServerSpec], era: Era) -> AsyncIterator[Scene]:
    with Scene(directory, ALL, [], era=era, prefixed=True) as scene:
        session = scene.gateway.session
        session.era, session.settled = None, False
        session.servers.extend(Downstream(spec, scene.gateway) for spec in specs)
        try:
            if era is Era.LEGACY:
                hello = {"protocolVersion": "2025-11-25", "capabilities": {}}
                assert "result" in await scene.ask("initialize", hello)
            yield scene
        finally:
            scene.gateway.close()
            await see_links_end(5)


def all_rows(directory: Path) -> list[Any]:
    with open_for_reading(directory / "state") as query:
        return list(query.entries(Filter()))


@pytest.mark.parametrize("way", [on_stdio, by_url])
@pytest.mark.parametrize("era", list(Era))
async def test_a_sound_server_answers_every_call_whatever_company_it_keeps(tmp_path: Path, era: Era, way: Any) -> None:
    async with way(tmp_path) as specs, guarded(tmp_path, specs, era) as scene:
        if era is Era.MODERN:  # there, a client hears of changes where it listens
            assert "result" in await scene.ask("tools/list")
            scene.start("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
        _, listed = scene.start("tools/list")
        for number in range(CALLS):
            said = await scene.call("a__echo", {"text": str(number)})
            assert said["result"]["content"][0]["text"] == str(number)
        async with asyncio.timeout(PATIENCE):
            names = [one["name"] for one in (await listed)["result"]["tools"]]
        assert any(name.startswith("a__") for name in names)
        assert not any(name.startswith(("huge__", "crashing__", "slow__")) for name in names)
        assert "isError" not in (await scene.call("restless__echo"))["result"]
        refused = await scene.call("huge__echo", {"text": "x"})
        assert decision_in(refused["result"])["reason"] == "unavailable"
        await until(lambda: any(method == CHANGED for method, _ in scene.notified), "nothing is told")
        assert sum(method == CHANGED for method, _ in scene.notified) <= 60  # of thousands

        def ill() -> set[str]:
            return {row.body["data"]["server"] for row in all_rows(tmp_path) if row.kind.value == "server_ill"}

        await until(ill, "nobody is ill")
        refused = await scene.call("crashing__echo")
        assert decision_in(refused["result"])["reason"] == "unavailable"
        assert ill() == {"crashing"}
    withheld = [row.body["data"] for row in all_rows(tmp_path) if row.kind.value == "withheld"]
    assert "too long" in json.dumps(withheld)
    assert {one["server"] for one in withheld} == {"huge"}
