"""The other era over HTTP: what a server that knows one era hears from a client that knows the other, and how often."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcp_guard.eras import Era
from tests.fixtures.http_server import DISCOVERED, INITIALIZED, SESSION, Heard, Wire, event, result, serving
from tests.remote_scene import HELLO, remote, remote_scene
from tests.transports.processes import until

POLICY = """
version: 1
grants:
  - {id: tools, tool: raw/*, args: any}
  - {id: notes, resource: {server: raw, uri: any}}
  - {id: ask, server_requests: {server: raw, allow: [elicitation]}}
"""
VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
FORM = {"message": "Who?", "requestedSchema": {"type": "object", "properties": {}}}
NAMED = {"action": "accept", "content": {}}
CHANGING = {"tools": {"listChanged": True}, "resources": {"subscribe": True}}


async def not_this_one(heard: Heard, wire: Wire) -> None:
    """How servers of the modern era refuse `initialize`."""
    error = {"code": -32022, "message": "Unsupported protocol version", "data": {"supported": ["2026-07-28"]}}
    await wire.json({"jsonrpc": "2.0", "id": heard.message["id"], "error": error}, status=400)


async def nothing_here(_: Heard, wire: Wire) -> None:
    """How servers of the legacy era answer what needs a session."""
    await wire.respond(400, b"Bad Request: no session", content_type="text/plain")


async def listens(heard: Heard, wire: Wire) -> None:
    meta = {"_meta": {SUBSCRIPTION: heard.message["id"]}}
    wanted = heard.message["params"]["notifications"]
    method = "notifications/subscriptions/acknowledged"
    await wire.stream(event({"jsonrpc": "2.0", "method": method, "params": {"notifications": wanted, **meta}}))
    for uri in wanted.get("resourceSubscriptions", ()):
        told = {"uri": uri, **meta}
        await wire.chunk(event({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": told}))
    if wanted.get("toolsListChanged"):
        told = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": meta}
        await wire.chunk(event(told))
    await wire.until_left()


async def asks_first(heard: Heard, wire: Wire) -> None:
    """A call of two rounds."""
    params = heard.message["params"]
    if "inputResponses" in params:
        answers = {"content": [], "structuredContent": params["inputResponses"], "resultType": "complete"}
        return await wire.json(result(heard, answers))
    asked = {"who": {"method": "elicitation/create", "params": FORM}}
    round_ = {"resultType": "input_required", "inputRequests": asked, "requestState": "theirs"}
    return await wire.json(result(heard, round_))


def called(server: Any) -> list[dict[str, Any]]:
    return [one.message["params"] for one in server.of("tools/call")]


async def test_a_legacy_client_at_a_modern_server_by_url(tmp_path: Path) -> None:
    async def discovered(heard: Heard, wire: Wire) -> None:
        await wire.json(result(heard, {**DISCOVERED, "capabilities": CHANGING}))

    async def resources(heard: Heard, wire: Wire) -> None:
        await wire.json(result(heard, {"resources": [{"uri": "x:1", "name": "x"}], "resultType": "complete"}))

    scripts: dict[str, Any] = {"server_discover": discovered, "subscriptions_listen": listens}
    scripts |= {"tools_call": asks_first, "initialize": not_this_one, "resources_list": resources}
    async with serving(**scripts) as server, remote_scene(tmp_path, server, POLICY) as scene:
        hello = {**HELLO, "capabilities": {"elicitation": {}, "sampling": {}}}
        assert (await scene.ask("initialize", hello))["result"]["protocolVersion"] == "2025-11-25"
        await until(lambda: any("list_changed" in method for method, _ in scene.notified), "no change is told")
        assert await scene.listed() == ["echo"]
        assert "result" in await scene.ask("resources/subscribe", {"uri": "x:1"})
        await until(lambda: ("notifications/resources/updated", {"uri": "x:1"}) in scene.notified, "no update is told")
        _, answer = scene.start("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        await until(lambda: scene.asked, "nothing is asked")
        ((method, params, give),) = scene.asked
        assert (method, params["message"]) == ("elicitation/create", "[raw] Who?")
        assert len(called(server)) == 1
        give({"result": NAMED})
        said = (await answer)["result"]
        assert said == {"content": [], "structuredContent": {"who": NAMED}}
    first, second = called(server)
    assert first["_meta"][VERSION] == "2026-07-28"
    assert first["_meta"][CAPABILITIES] == {"elicitation": {}}  # what is granted
    assert second == {**first, "inputResponses": {"who": NAMED}, "requestState": "theirs"}
    assert len(server.of("initialize")) == 1
    rows = [row for row in scene.rows() if row.method == "tools/call"]
    assert [row.outcome for row in rows] == ["ok", "ok"]
    assert rows[1].detail == f"continues {rows[0].id}"


async def test_a_modern_client_at_a_legacy_server_by_url(tmp_path: Path) -> None:
    async def greeted(heard: Heard, wire: Wire) -> None:
        await wire.json(result(heard, {**INITIALIZED, "capabilities": CHANGING}), mcp_session_id=SESSION)

    waiting: list[tuple[Heard, Wire]] = []

    async def asks(heard: Heard, wire: Wire) -> None:
        question = {"jsonrpc": "2.0", "id": "theirs", "method": "elicitation/create", "params": FORM}
        await wire.stream(event(question))
        waiting.append((heard, wire))

    async def answered(heard: Heard, wire: Wire) -> None:
        await wire.respond(202)
        call, stream = waiting.pop()
        said = {"content": [], "structuredContent": heard.message["result"]}
        await stream.chunk(event({"jsonrpc": "2.0", "id": call.message["id"], "result": said}))
        await stream.finish()

    scripts: dict[str, Any] = {"initialize": greeted, "server_discover": nothing_here, "tools_call": asks}
    async with (
        serving(answer=answered, **scripts) as server,
        remote_scene(tmp_path, server, POLICY, era=Era.MODERN) as scene,
    ):
        offered: dict[str, Any] = {"_meta": {CAPABILITIES: {"elicitation": {}}}}
        listed = (await scene.ask("tools/list", offered))["result"]
        assert (listed["resultType"], listed["ttlMs"], listed["cacheScope"]) == ("complete", 0, "private")
        assert remote(scene).translated
        asked = {"name": "echo", "arguments": {"text": "x"}, **offered}
        round_ = (await scene.ask("tools/call", asked))["result"]
        ((key, question),) = round_["inputRequests"].items()
        assert question["params"]["message"] == "[raw] Who?"
        again = {**asked, "inputResponses": {key: NAMED}, "requestState": round_["requestState"]}
        said = (await scene.ask("tools/call", again))["result"]
        assert (said["structuredContent"], said["resultType"]) == (NAMED, "complete")
    assert len(called(server)) == 1  # held, and not made again
    assert "_meta" not in called(server)[0]
    (opened,) = server.of("initialize")
    assert opened.message["params"]["capabilities"] == {"elicitation": {}}
    assert [row.outcome for row in scene.rows() if row.method == "tools/call"] == ["ok", "ok"]
