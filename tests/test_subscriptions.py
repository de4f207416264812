"""Being told of changes: granted like reading, judged at each delivery, once for many, and ended with the grant."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mcp_guard import deliveries, listening, subscriptions
from mcp_guard.downstream import State
from mcp_guard.eras import SUBSCRIPTION_KEY, Era
from mcp_guard.model import Reason
from mcp_guard.transports.front import Cancel
from tests.guards import FullDisk, Given, RecordingDownstream, Scene, tool
from tests.patience import PATIENCE

POLICY = """\
version: 1
grants:
  - {id: t, tool: "raw/echo", args: any}
  - {id: notes, resource: {server: raw, uri: {matches: "fixture://notes/.*"}}}
  - {id: soon, resource: {server: raw, uri: "fixture://soon"}, until: 2030-01-01T00:00:00Z}
"""
NOTE = "fixture://notes/1"
UPDATED = "notifications/resources/updated"
ACK = "notifications/subscriptions/acknowledged"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "AFTER", 0.0)
    monkeypatch.setattr(listening, "ACK_DEADLINE", 0.05)


async def settled() -> None:
    """Let timers that are due run."""
    for _ in range(5):
        await asyncio.sleep(0)


def later(scene: Scene) -> None:
    """Past every date in the policy."""
    scene.guard.clock = lambda: datetime.now(UTC) + timedelta(days=20_000)


def updates(scene: Scene) -> list[str]:
    return [params["uri"] for method, params in scene.notified if method == UPDATED]


def say(scene: Scene, method: str, params: dict[str, Any] | None = None, server: int = 0) -> None:
    double: Any = scene.servers[server]
    scene.gateway.server_notified(double, method, params)


def sent(scene: Scene, method: str) -> list[Any]:
    return [params for made, params in scene.servers[0].requests if made == method]


# --- the legacy era


async def test_a_subscription_is_judged_like_reading_and_its_updates_are_told(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=POLICY) as scene:
        assert "result" in await scene.ask("resources/subscribe", {"uri": NOTE})
        say(scene, UPDATED, {"uri": NOTE, "x-kept": None, "_meta": {"mcp-guard/x": 1, "kept": 2}})
        await settled()
        assert scene.notified == [(UPDATED, {"uri": NOTE, "x-kept": None, "_meta": {"kept": 2}})]
        (row,) = scene.rows()
        assert (row.method, row.target, row.effect, row.outcome) == ("resources/subscribe", NOTE, "allow", "ok")


@pytest.mark.parametrize("uri", ["fixture://other/1", "file:///etc/passwd", "", 7, None, ["fixture://notes/1"]])
async def test_a_resource_that_may_not_be_read_is_not_subscribed_to(tmp_path: Path, uri: Any) -> None:
    with Scene(tmp_path, policy=POLICY) as scene:
        for method in ("resources/subscribe", "resources/unsubscribe"):
            assert (await scene.ask(method, {"uri": uri}))["error"]["code"] == -32602
        assert scene.servers[0].requests == []
        say(scene, UPDATED, {"uri": uri})
        await settled()
        assert scene.notified == []


async def test_an_update_that_nobody_subscribed_to_is_not_told(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=POLICY) as scene:
        await scene.ask("resources/subscribe", {"uri": NOTE})
        await scene.ask("resources/subscribe", {"uri": "fixture://notes/2"})
        assert "result" in await scene.ask("resources/unsubscribe", {"uri": "fixture://notes/2"})
        for uri in ("fixture://notes/2", "fixture://notes/11", "fixture://other"):
            say(scene, UPDATED, {"uri": uri})
        await settled()
        assert updates(scene) == []
        say(scene, UPDATED, {"uri": f"{NOTE}/a-part-of-it"})
        await settled()
        assert updates(scene) == [f"{NOTE}/a-part-of-it"]


async def test_an_update_after_the_grant_is_over_is_not_told_and_ends_the_subscription(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=POLICY) as scene:
        await scene.ask("resources/subscribe", {"uri": "fixture://soon"})
        await scene.ask("resources/subscribe", {"uri": NOTE})
        later(scene)
        say(scene, UPDATED, {"uri": "fixture://soon"})
        say(scene, UPDATED, {"uri": NOTE})
        await settled()
        assert updates(scene) == [NOTE]
        assert sent(scene, "resources/unsubscribe") == [{"uri": "fixture://soon"}]
        assert [row.reason for row in scene.rows() if row.method == UPDATED] == [Reason.NO_GRANT]


async def test_an_update_that_waits_while_the_grant_ends_is_not_told(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=POLICY) as scene:
        await scene.ask("resources/subscribe", {"uri": "fixture://soon"})
        say(scene, UPDATED, {"uri": "fixture://soon"})
        later(scene)  # judged when it goes out, not when it came in
        await settled()
        assert updates(scene) == []


async def test_after_the_grant_is_over_it_is_still_possible_to_unsubscribe(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=POLICY) as scene:
        await scene.ask("resources/subscribe", {"uri": "fixture://soon"})
        later(scene)
        assert await scene.ask("resources/unsubscribe", {"uri": "fixture://soon"}) == {"result": {}}
        assert sent(scene, "resources/unsubscribe") == [{"uri": "fixture://soon"}]


async def test_one_client_has_a_bounded_number_of_subscriptions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MAX_SUBSCRIPTIONS", 2)
    with Scene(tmp_path, policy=POLICY) as scene:
        answers = [await scene.ask("resources/subscribe", {"uri": f"fixture://notes/{n}"}) for n in range(3)]
        assert ["error" in answer for answer in answers] == [False, False, True]
        assert len(sent(scene, "resources/subscribe")) == 2


async def test_a_server_that_comes_back_is_asked_again_for_what_is_still_granted(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=POLICY) as scene:
        for uri in ("fixture://soon", NOTE):
            await scene.ask("resources/subscribe", {"uri": uri})
        later(scene)
        double: Any = scene.servers[0]
        double.restarted = True
        scene.gateway.server_changed(double, "ready", "legacy")
        await settled()
        assert [params["uri"] for params in sent(scene, "resources/subscribe")] == ["fixture://soon", NOTE, NOTE]
        assert [row.reason for row in scene.rows() if row.method == UPDATED] == [Reason.NO_GRANT]


async def test_a_thousand_changes_in_a_moment_are_told_once(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=POLICY) as scene:
        await scene.ask("resources/subscribe", {"uri": NOTE})
        for _ in range(1000):
            say(scene, deliveries.TOOLS)
            say(scene, deliveries.RESOURCES, {"_meta": {"kept": 1}})
            say(scene, UPDATED, {"uri": NOTE})
        await settled()
        assert scene.notified == [
            (deliveries.TOOLS, None),
            (deliveries.RESOURCES, {"_meta": {"kept": 1}}),
            (UPDATED, {"uri": NOTE}),
        ]


async def test_changes_of_what_nothing_grants_are_not_told(tmp_path: Path) -> None:
    with Scene(tmp_path, policy='version: 1\ngrants: [{id: t, tool: "raw/echo", args: any}]\n') as scene:
        for method in (deliveries.PROMPTS, deliveries.RESOURCES):
            say(scene, method)
        await settled()
        assert scene.notified == []


async def test_in_the_legacy_era_a_streams_id_means_nothing(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=POLICY) as scene:
        say(scene, deliveries.RESOURCES, {"_meta": {SUBSCRIPTION_KEY: 1}})
        await settled()
        assert scene.notified == [(deliveries.RESOURCES, {"_meta": {SUBSCRIPTION_KEY: 1}})]


async def test_what_waits_when_the_client_leaves_goes_nowhere(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=POLICY) as scene:
        say(scene, deliveries.TOOLS)
        scene.gateway.close()
        await settled()
        assert scene.notified == []


# --- the modern era


class Listening(RecordingDownstream):
    """Acknowledges what it is asked to tell, under the id of its own stream, and tells by `tell`."""

    def __init__(self, name: str = "raw", *, honours: bool = True) -> None:
        super().__init__(name, [tool("echo")])
        self.honours = honours
        self.gateway: Any = None
        self.streams: list[int] = []
        self.ends: list[Any] = []

    def request(self, method: str, params: Any, answer: Any, progress: Any = None) -> Given:
        if method != "subscriptions/listen":
            return super().request(method, params, answer, progress)
        self.requests.append((method, params))
        self.last += 1
        stream = self.last
        self.streams.append(stream)
        self.ends.append(answer)
        if self.honours:
            told = {"notifications": params["notifications"]}
            asyncio.get_running_loop().call_soon(self.tell, ACK, told, stream)

        return Given(stream, self.cancelled.append)

    def tell(self, method: str, params: dict[str, Any], stream: Any = None) -> None:
        meta = {**params.get("_meta", {}), SUBSCRIPTION_KEY: self.streams[-1] if stream is None else stream}
        self.gateway.server_notified(self, method, {**params, "_meta": meta})


def modern(path: Path, *servers: Listening, policy: str = POLICY, **options: Any) -> Scene:
    doubles: list[RecordingDownstream] = list(servers or (Listening(),))
    scene = Scene(path, policy=policy, era=Era.MODERN, servers=doubles, **options)
    for double in doubles:
        double.gateway = scene.gateway  # type: ignore[attr-defined]
    return scene


def source(scene: Scene, number: int = 0) -> Listening:
    found = scene.servers[number]
    assert isinstance(found, Listening)
    return found


async def opened(scene: Scene, **wanted: Any) -> tuple[Cancel, asyncio.Future[dict[str, Any]]]:
    """A stream that was acknowledged."""
    before = len(scene.notified)
    exchange, answer = scene.start("subscriptions/listen", {"notifications": wanted})
    async with asyncio.timeout(PATIENCE):
        while len(scene.notified) == before and not answer.done():
            await asyncio.sleep(0)
    return exchange.cancel, answer


async def test_a_stream_carries_the_clients_id_and_what_is_granted_of_what_it_asks(tmp_path: Path) -> None:
    with modern(tmp_path) as scene:
        uris = [NOTE, "fixture://other/1", NOTE]
        _, answer = await opened(scene, toolsListChanged=True, promptsListChanged=True, resourceSubscriptions=uris)
        honoured = {"toolsListChanged": True, "resourceSubscriptions": [NOTE]}
        assert scene.notified == [(ACK, {"notifications": honoured, "_meta": {SUBSCRIPTION_KEY: 1}})]
        (asked,) = sent(scene, "subscriptions/listen")
        assert asked["notifications"] == honoured
        source(scene).streams[-1] = 77  # what a server says is known by its own stream's id
        source(scene).tell(UPDATED, {"uri": NOTE, "x": None, "_meta": {"kept": 1}}, stream="1")
        await settled()
        expected = {"uri": NOTE, "x": None, "_meta": {"kept": 1, SUBSCRIPTION_KEY: 1}}
        assert scene.notified[1:] == [(UPDATED, expected)]
        rows = [(row.target, row.effect) for row in scene.rows() if row.method == "subscriptions/listen"]
        assert rows == [(NOTE, "allow"), ("fixture://other/1", "deny")]
        assert not answer.done()


async def test_the_id_on_the_servers_side_is_the_guards_own(tmp_path: Path) -> None:
    with modern(tmp_path) as scene:
        for _ in range(3):
            await scene.ask("tools/list")
        await opened(scene, toolsListChanged=True)
        assert scene.notified[0][1]["_meta"][SUBSCRIPTION_KEY] == 4
        stream = source(scene).streams[-1]
        for other in (stream + 1, str(stream) + " ", True, [stream], 4.0):
            source(scene).tell(deliveries.TOOLS, {}, stream=other)
        await settled()
        assert len(scene.notified) == 1
        source(scene).tell(deliveries.TOOLS, {})
        await settled()
        assert scene.notified[1:] == [(deliveries.TOOLS, {"_meta": {SUBSCRIPTION_KEY: 4}})]


async def test_changes_are_told_on_streams_that_asked_for_them_and_nowhere_else(tmp_path: Path) -> None:
    with modern(tmp_path) as scene:
        say(scene, deliveries.TOOLS)
        say(scene, deliveries.RESOURCES)
        say(scene, UPDATED, {"uri": NOTE})
        await settled()
        assert scene.notified == []
        await opened(scene, resourceSubscriptions=[NOTE])
        for method in (deliveries.TOOLS, deliveries.PROMPTS, deliveries.RESOURCES, "notifications/odd"):
            source(scene).tell(method, {})
        source(scene).tell(UPDATED, {"uri": "fixture://notes/2"})
        await settled()
        assert len(scene.notified) == 1


async def test_a_thousand_changes_on_a_stream_are_told_once(tmp_path: Path) -> None:
    with modern(tmp_path) as scene:
        await opened(scene, toolsListChanged=True, resourcesListChanged=True)
        for _ in range(1000):
            source(scene).tell(deliveries.TOOLS, {})
            source(scene).tell(deliveries.RESOURCES, {})
        await settled()
        assert [method for method, _ in scene.notified[1:]] == [deliveries.TOOLS, deliveries.RESOURCES]


async def test_what_a_server_tells_before_the_acknowledgement_comes_after_it(tmp_path: Path) -> None:
    with modern(tmp_path, Listening(honours=False)) as scene:
        scene.start("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
        await settled()
        source(scene).tell(deliveries.TOOLS, {})
        await settled()
        assert scene.notified == []
        source(scene).tell(ACK, {"notifications": {"toolsListChanged": True}})
        await settled()
        assert [method for method, _ in scene.notified] == [ACK, deliveries.TOOLS]


async def test_a_server_that_acknowledges_nothing_holds_up_no_stream(tmp_path: Path) -> None:
    policy = POLICY.replace("raw/echo", "a/echo").replace("server: raw", "server: a")
    servers = Listening("a"), Listening("b", honours=False)
    with modern(tmp_path, *servers, policy=policy, prefixed=True) as scene:
        await opened(scene, toolsListChanged=True, resourceSubscriptions=[NOTE])
        assert scene.notified[0][1]["notifications"] == {"toolsListChanged": True, "resourceSubscriptions": [NOTE]}
        ((_, asked),) = scene.servers[1].requests
        assert asked["notifications"] == {"toolsListChanged": True}  # b isn't told what is wanted of a


async def test_an_update_after_the_grant_is_over_ends_a_stream_that_carries_nothing_else(tmp_path: Path) -> None:
    with modern(tmp_path) as scene:
        _, answer = await opened(scene, resourceSubscriptions=["fixture://soon"])
        later(scene)
        source(scene).tell(UPDATED, {"uri": "fixture://soon"})
        await settled()
        assert updates(scene) == []
        assert answer.result() == {"result": {"resultType": "complete", "_meta": {SUBSCRIPTION_KEY: 1}}}
        assert source(scene).cancelled == ["nobody listens any more"]


async def test_an_update_after_the_grant_is_over_leaves_the_rest_of_a_stream(tmp_path: Path) -> None:
    with modern(tmp_path) as scene:
        _, answer = await opened(scene, resourceSubscriptions=["fixture://soon", NOTE])
        later(scene)
        for uri in ("fixture://soon", NOTE):
            source(scene).tell(UPDATED, {"uri": uri})
        await settled()
        assert updates(scene) == [NOTE]
        assert not answer.done()


async def test_when_the_mandate_is_over_the_streams_end(tmp_path: Path) -> None:
    mandate = "version: 1\ntask: t\nexpires: 1h\ngrants: [{id: t, tool: raw/echo, args: any}]\n"
    with modern(tmp_path, mandate=mandate) as scene:
        _, answer = await opened(scene, toolsListChanged=True)
        later(scene)
        source(scene).tell(deliveries.TOOLS, {})
        await settled()
        assert answer.result()["result"]["resultType"] == "complete"
        assert len(scene.notified) == 1


async def test_a_client_that_stops_listening_ends_the_servers_streams(tmp_path: Path) -> None:
    with modern(tmp_path) as scene:
        cancel, answer = await opened(scene, toolsListChanged=True)
        cancel("enough")
        source(scene).tell(deliveries.TOOLS, {})
        await settled()
        assert source(scene).cancelled == ["nobody listens any more"]
        assert not answer.done()
        assert len(scene.notified) == 1
        assert scene.gateway.session.streams == set()


async def test_when_a_server_ends_its_stream_in_order_the_client_is_told(tmp_path: Path) -> None:
    with modern(tmp_path) as scene:
        _, answer = await opened(scene, toolsListChanged=True)
        source(scene).ends[0]({"result": {"resultType": "complete", "_meta": {SUBSCRIPTION_KEY: 1}}})
        assert answer.result()["result"]["_meta"] == {SUBSCRIPTION_KEY: 1}


async def test_a_server_that_does_not_know_streams_is_heard_saying_so(tmp_path: Path) -> None:
    with modern(tmp_path, Listening(honours=False)) as scene:
        _, answer = scene.start("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
        await settled()
        source(scene).ends[0]({"error": {"code": -32601, "message": "Method not found"}})
        assert answer.result()["error"]["code"] == -32601


async def test_a_server_that_comes_back_is_listened_to_again(tmp_path: Path) -> None:
    with modern(tmp_path) as scene:
        await opened(scene, toolsListChanged=True, resourceSubscriptions=[NOTE, "fixture://soon"])
        source(scene).ends[0]({"gone": "it crashed"})
        later(scene)
        double: Any = scene.servers[0]
        double.restarted, double.state = True, State.READY
        scene.gateway.server_changed(double, "ready", "modern")
        await settled()
        again = sent(scene, "subscriptions/listen")[1]["notifications"]
        assert again == {"toolsListChanged": True, "resourceSubscriptions": [NOTE]}
        source(scene).tell(UPDATED, {"uri": NOTE})
        await settled()
        assert updates(scene) == [NOTE]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"notifications": []},
        {"notifications": {"resourceSubscriptions": "fixture://notes/1"}},
        {"notifications": {"resourceSubscriptions": [7]}},
        {"notifications": {}, "more": 1},
        {"notifications": {"resourceSubscriptions": ["x"] * 1001}},
    ],
)
async def test_a_stream_that_is_asked_for_in_another_form_is_refused(tmp_path: Path, params: dict[str, Any]) -> None:
    with modern(tmp_path) as scene:
        assert (await scene.ask("subscriptions/listen", params))["error"]["code"] == -32602
        assert scene.servers[0].requests == []


async def test_a_stream_of_a_thousand_resources_is_opened(tmp_path: Path) -> None:
    with modern(tmp_path) as scene:
        uris = [f"fixture://notes/{number}" if number % 2 else f"fixture://other/{number}" for number in range(1000)]
        await opened(scene, resourceSubscriptions=uris)
        assert scene.notified[0][1]["notifications"]["resourceSubscriptions"] == uris[1::2]


async def test_a_stream_that_is_given_up_while_it_is_judged_is_not_opened(tmp_path: Path) -> None:
    with modern(tmp_path) as scene:
        exchange, _ = scene.start("subscriptions/listen", {"notifications": {"resourceSubscriptions": [NOTE] * 3}})
        exchange.cancel("enough")
        await settled()
        assert sent(scene, "subscriptions/listen") == []
        assert scene.notified == []


async def test_one_client_has_a_bounded_number_of_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "MAX_STREAMS", 2)
    with modern(tmp_path) as scene:
        for _ in range(2):
            await opened(scene, toolsListChanged=True)
        answer = await scene.ask("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
        assert answer["error"]["code"] == -32600


async def test_a_stream_whose_resources_cannot_be_recorded_carries_none(tmp_path: Path) -> None:
    with modern(tmp_path) as scene:
        disk: Any = FullDisk(scene.record)
        scene.guard.record = disk
        await opened(scene, toolsListChanged=True, resourceSubscriptions=[NOTE])
        assert scene.notified[0][1]["notifications"] == {"toolsListChanged": True, "resourceSubscriptions": []}
        assert sent(scene, "subscriptions/listen")[0]["notifications"] == {"toolsListChanged": True}


# --- what servers log


async def test_in_the_modern_era_a_log_message_goes_to_the_request_that_wants_it(tmp_path: Path) -> None:
    with modern(tmp_path) as scene:
        await scene.ask("tools/list")
        scene.servers[0].hold = True
        told: list[tuple[str, Any]] = []
        meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
        for name, wants in (("quiet", {}), ("loud", {"io.modelcontextprotocol/logLevel": "debug"})):
            scene.gateway.request(
                "tools/call",
                {"name": "echo", "arguments": {}, "_meta": {**meta, **wants}},
                id=name,
                answer=lambda _: None,
                notify=lambda method, params, name=name: told.append((name, params)),  # type: ignore[misc]
            )
        say(scene, "notifications/message", {"level": "info", "data": None, "x": 1})
        assert told == [("loud", {"level": "info", "data": None, "x": 1})]
        assert scene.servers[0].calls[1]["_meta"]["io.modelcontextprotocol/logLevel"] == "debug"
