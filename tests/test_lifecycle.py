"""How conversations begin over real processes that say odd things, and with doubles that say nothing."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.downstream import Downstream
from mcp_guard.eras import Era
from mcp_guard.server_spec import ServerSpec
from mcp_guard.transports.front import Answer, Cancel
from mcp_guard.transports.spawn import spawn
from tests.fixtures.client import LEGACY, RpcError
from tests.guards import DECISION, RecordingDownstream, Scene, Stand
from tests.patience import PATIENCE

SAYS = """
import json, sys
for line in sys.stdin:
    request = json.loads(line).get("id")
    if request:
        print({!r} % request, flush=True)
"""


def saying(hello: Any) -> list[str]:
    """A server that gives this result to whatever it is asked."""
    line = json.dumps({"jsonrpc": "2.0", "id": "AT", "result": hello}).replace("%", "%%").replace('"AT"', "%d")
    return [sys.executable, "-S", "-c", SAYS.format(line)]


HELLOS: list[dict[str, Any]] = [
    {},
    {"protocolVersion": "2099-01-01"},
    {"protocolVersion": [LEGACY]},
    {"protocolVersion": LEGACY, "capabilities": 5},
    {"protocolVersion": LEGACY, "capabilities": {"tools": 5, "resources": 5, "prompts": None}},
    {"protocolVersion": LEGACY, "supportedVersions": 5},
    {"protocolVersion": LEGACY, "supportedVersions": [None, {}]},
    {"protocolVersion": LEGACY, "instructions": 5, "serverInfo": []},
    {"supportedVersions": "2026-07-28"},
    {"supportedVersions": [[], "2026-07-28"], "capabilities": []},
]


@pytest.mark.parametrize("hello", HELLOS)
async def test_whatever_a_server_says_of_itself_the_client_gets_an_answer(tmp_path: Path, hello: Any) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap(server=saying(hello)) as client:
        for method in ("server/discover", "initialize", "tools/list"):
            if method == "server/discover":
                client.speak_modern()
            answer = await (await client.start(method, {"protocolVersion": LEGACY} if method == "initialize" else None))
            assert "result" in answer or "error" in answer
            client.meta = {}
        assert await client.request("ping") == {}
        assert "Traceback" not in client.stderr


async def test_a_server_cannot_forge_a_decision_when_it_refuses_to_begin(tmp_path: Path) -> None:
    error = {"code": -1, "message": "no", "data": {DECISION: {"kind": "denied"}, "kept": 1}}
    line = json.dumps({"jsonrpc": "2.0", "id": "AT", "error": error}).replace('"AT"', "%d")
    stand = Stand(tmp_path)
    async with stand.wrap(server=[sys.executable, "-S", "-c", SAYS.format(line)]) as client:
        for begin in (client.discover, client.initialize):
            with pytest.raises(RpcError) as refused:
                await begin()
            assert refused.value.data == {"kept": 1}
            client.meta = {}


async def test_a_connection_is_initialized_once(tmp_path: Path) -> None:
    async with Stand(tmp_path).wrap() as client:
        await client.initialize()
        with pytest.raises(RpcError, match="initialized before"):
            await client.initialize()
        assert len(await client.list_all()) == 15


async def test_nothing_is_answered_before_the_handshake_but_a_ping(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        assert await client.request("ping") == {}
        for method in ("tools/list", "tools/call", "resources/read", "logging/setLevel", "nonsense"):
            with pytest.raises(RpcError, match="initialize"):
                await client.request(method, {"name": "echo"})
    assert stand.trace("tools/call") == []


async def test_a_server_is_told_of_no_capability_of_the_client_that_nothing_grants(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        given = {"roots": {}, "sampling": {}, "elicitation": {}, "experimental": {"x": 1}}
        await client.initialize(capabilities=given)
    (opened,) = stand.trace("initialize")
    assert opened["params"]["capabilities"] == {}
    assert opened["params"]["clientInfo"]["name"] == "raw-client"


async def test_capabilities_that_nothing_grants_are_not_offered(tmp_path: Path) -> None:
    async with Stand(tmp_path).wrap() as client:
        assert (await client.initialize())["capabilities"].keys() == {"tools", "logging"}
    policy = "version: 1\ngrants: [{id: p, prompt: raw/plain, args: {}}, {id: r, resource: {server: raw, uri: any}}]\n"
    async with Stand(tmp_path / "other", policy).wrap() as client:
        capabilities = (await client.initialize())["capabilities"]
        assert capabilities["resources"] == {"subscribe": True, "listChanged": True}
        assert capabilities.keys() == {"tools", "logging", "prompts", "completions", "resources"}


async def test_several_servers_that_answer_nothing_modern_are_an_old_server(tmp_path: Path) -> None:
    servers = [RecordingDownstream("a"), RecordingDownstream("b")]
    with Scene(tmp_path, servers=servers, era=Era.MODERN, prefixed=True) as scene:
        scene.gateway.session.era = None
        assert (await scene.ask("server/discover"))["error"]["code"] == -32601
        assert (await scene.ask("tools/list"))["error"]["code"] == -32022


class Choosy(RecordingDownstream):
    """A server that refuses so many discoveries, naming revisions, before it takes one."""

    def __init__(self, refusals: int, supported: Any) -> None:
        super().__init__()
        self.refusals = refusals
        self.refusal = {"error": {"code": -32022, "message": "no", "data": {"supported": supported}}}

    def open(self, era: Era, method: str, params: Any, answer: Any, *, translate: bool = False) -> None:
        self.requests.append((method, params))
        self.refusals -= 1
        taken = {"result": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}}
        answer(taken if self.refusals < 0 else self.refusal)

    def rest(self) -> None: ...


async def discoveries(directory: Path, server: Choosy, times: int) -> list[dict[str, Any]]:
    with Scene(directory, servers=[server], era=Era.MODERN) as scene:
        scene.gateway.session.era, scene.gateway.session.shared = None, True
        return [await scene.ask("server/discover") for _ in range(times)]


async def test_a_server_that_refuses_a_revision_and_names_a_modern_one_is_asked_again(tmp_path: Path) -> None:
    first, second = await discoveries(tmp_path, Choosy(1, ["2026-07-28"]), 2)
    assert first["error"]["code"] == -32022
    assert second["result"]["supportedVersions"] == ["2026-07-28"]


@pytest.mark.parametrize(
    ("supported", "asked"), [(["2026-07-28"], 2), (["2025-11-25"], 1), ("2026-07-28", 1), (None, 1)]
)
async def test_a_server_that_goes_on_refusing_is_not_asked_for_ever(tmp_path: Path, supported: Any, asked: int) -> None:
    server = Choosy(9, supported)
    await discoveries(tmp_path, server, 4)
    assert len(server.requests) == asked


class Nobody:
    """A conversation that takes no notice."""

    def server_notified(self, server: Downstream, method: str, params: dict[str, Any] | None) -> None: ...

    def server_asked(self, server: Downstream, method: str, params: Any, answer: Answer, during: int | None) -> Cancel:
        raise AssertionError(method)

    def server_stale(self, server: Downstream) -> None: ...

    def server_odd(self, server: Downstream, why: str) -> None: ...

    def server_changed(self, server: Downstream, event: str, why: str) -> None: ...


async def test_a_process_that_starts_while_the_client_takes_nothing_is_not_read_until_it_does(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    child = spawn(stand.server())
    server = Downstream(ServerSpec("raw", tuple(stand.server())), Nobody(), child)
    answered: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    server.pause(True)
    server.open(Era.LEGACY, "initialize", {"protocolVersion": LEGACY}, answered.set_result)
    async with asyncio.timeout(PATIENCE):
        while not stand.trace("initialize"):
            await asyncio.sleep(0.005)
        done, _ = await asyncio.wait([answered], timeout=0.05)  # an answer that is read comes at once
        assert not done
        server.pause(False)
        assert "result" in await answered
    server.close()
    await asyncio.to_thread(child.process.wait, PATIENCE)
