"""What a session met decides what it may do next: by tools, prompts, resources, questions, log messages, extensions."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.conversations import Conversations
from mcp_guard.eras import Era
from mcp_guard.guard import LiveFacts
from mcp_guard.record.usage import UsageView
from mcp_guard.record.verify import verify
from tests.guards import FullDisk, RecordingDownstream, Scene, decision_in, tool
from tests.record.examples import bodies

ERAS = pytest.mark.parametrize("era", list(Era))
POLICY = """\
version: 1
tools:
  raw/look: {effect: read}
  raw/read: {effect: read, gives: [{label: untrusted, args: {path: {under: /srv/downloads}}}]}
  raw/send: {effect: egress}
  raw/pay: {effect: write}
  raw/clean: {effect: read}
grants:
  - {id: look, tool: [raw/look, raw/fetch], args: any}
  - {id: read, tool: raw/read, args: {path: any}}
  - {id: send, tool: raw/send, args: any}
  - {id: once, tool: raw/pay, args: any, after: [look], once: true}
  - {id: clean, tool: raw/clean, args: any, when: {no_labels: [untrusted]}}
  - {id: page, prompt: raw/page, args: any}
  - {id: files, resource: {server: raw, uri: any}}
  - {id: ask, server_requests: {server: raw, allow: [elicitation, roots]}}
  - {id: more, extensions: {server: raw, allow: [acme/do, notifications/acme]}}
deny:
  - {id: no-tainted-egress, effect: egress, when: {labels: [untrusted]}, advice: It has read untrusted content.}
"""
TRUSTED = POLICY.replace("tools:\n", "tools:\n  raw/*: {gives: []}\n")
TOOLS = ("look", "read", "send", "pay", "clean", "fetch")


def servers() -> list[RecordingDownstream]:
    return [RecordingDownstream(tools=[tool(name, path={"type": "string"}) for name in TOOLS])]


def scene_of(tmp_path: Path, policy: str = POLICY, era: Era = Era.LEGACY) -> Scene:
    return Scene(tmp_path, policy=policy, servers=servers(), era=era)


async def refused(scene: Scene, name: str) -> str:
    """The reason for which a call is refused now; empty if it is let through."""
    before = len(scene.servers[0].calls)
    result = (await scene.call(name))["result"]
    assert len(scene.servers[0].calls) == before + (0 if result.get("isError") else 1)
    return str(decision_in(result)["reason"]) if result.get("isError") else ""


@ERAS
async def test_a_tool_that_nobody_describes_closes_egress_and_the_refusal_says_why(tmp_path: Path, era: Era) -> None:
    with scene_of(tmp_path, era=era) as scene:
        assert [await refused(scene, name) for name in ("look", "send", "clean")] == ["", "", ""]  # look gives nothing
        listed = await scene.listed()
        assert await refused(scene, "fetch") == ""
        refusal = (await scene.call("send"))["result"]
        decision = decision_in(refusal)
        assert (decision["reason"], decision["rule"]) == ("denied", "no-tainted-egress")
        assert "It has read untrusted content." in refusal["content"][0]["text"]
        assert await refused(scene, "clean") == "history"
        assert await scene.listed() == listed, "a listing never depends on labels"
        assert verify(scene.record.directory) == []


async def test_the_label_counts_from_the_admission_not_from_the_answer(tmp_path: Path) -> None:
    with scene_of(tmp_path) as scene:
        scene.servers[0].hold = True
        scene.start("tools/call", {"name": "fetch", "arguments": {}})
        _, answer = scene.start("tools/call", {"name": "send", "arguments": {}})
        assert decision_in((await answer)["result"])["rule"] == "no-tainted-egress"


@pytest.mark.parametrize(
    ("path", "closed"),
    [
        ("/srv/project/a", False),
        ("/srv/downloads/a", True),
        ("/srv/project/../downloads/a", True),
        ("downloads/a", True),
    ],
)
async def test_a_label_that_depends_on_arguments_is_given_unless_they_are_a_clear_no(
    tmp_path: Path, path: str, closed: bool
) -> None:
    with scene_of(tmp_path) as scene:
        await scene.call("read", {"path": path})
        assert (await refused(scene, "send") == "denied") is closed


async def test_a_call_that_is_refused_gives_no_label(tmp_path: Path) -> None:
    with scene_of(tmp_path) as scene:
        await scene.call("read", {"path": "/srv/downloads/a", "other": 1})
        assert await refused(scene, "send") == ""


SAYINGS: dict[str, Callable[[Scene], Any]] = {
    "a prompt": lambda scene: scene.ask("prompts/get", {"name": "page", "arguments": {}}),
    "a resource": lambda scene: scene.ask("resources/read", {"uri": "file:///a"}),
    "an extension": lambda scene: scene.ask("acme/do", {}),
    "a log message": lambda scene: notified(scene, "notifications/message", {"level": "info", "data": "do this"}),
    "an extension's notification": lambda scene: notified(scene, "notifications/acme", {"say": "do this"}),
    "a question": lambda scene: asked(scene, "elicitation/create", {"message": "Do this?", "requestedSchema": {}}),
}


async def notified(scene: Scene, method: str, params: dict[str, Any]) -> None:
    server: Any = scene.servers[0]
    scene.gateway.server_notified(server, method, params)


async def asked(scene: Scene, method: str, params: dict[str, Any]) -> None:
    server: Any = scene.servers[0]
    scene.gateway.session.capabilities = {"elicitation": {}, "roots": {}}
    scene.gateway.server_asked(server, method, params, lambda _: None, None)
    assert len(scene.asked) == 1


@pytest.mark.parametrize("what", SAYINGS)
async def test_what_a_server_says_beside_its_tools_answers_counts_unless_the_operator_says_what_it_gives(
    tmp_path: Path, what: str
) -> None:
    for policy, reason in ((POLICY, "denied"), (TRUSTED, "")):
        with scene_of(tmp_path / (reason or "trusted"), policy) as scene:
            await SAYINGS[what](scene)
            if "notification" in what or "message" in what:
                assert len(scene.notified) == 1
            assert await refused(scene, "send") == reason
            assert verify(scene.record.directory) == []


async def test_roots_are_asked_for_without_words(tmp_path: Path) -> None:
    with scene_of(tmp_path) as scene:
        await asked(scene, "roots/list", {})
        assert await refused(scene, "send") == ""


async def test_words_that_cannot_be_recorded_are_not_passed_on(tmp_path: Path) -> None:
    with scene_of(tmp_path) as scene:
        full: Any = FullDisk(scene.record)
        scene.guard.record = full
        await notified(scene, "notifications/message", {"level": "info", "data": "do this"})
        assert scene.notified == []


async def test_a_chatty_server_is_one_entry(tmp_path: Path) -> None:
    with scene_of(tmp_path) as scene:
        for _ in range(50):
            await notified(scene, "notifications/message", {"level": "info", "data": "x"})
        assert len(scene.notified) == 50
        assert sum('"kind":"exposed"' in body for body in bodies(scene.record.directory)) == 1


async def test_a_grant_waits_for_what_comes_first_and_carries_one_call(tmp_path: Path) -> None:
    with scene_of(tmp_path) as scene:
        assert await refused(scene, "pay") == "history"
        await refused(scene, "look")
        scene.servers[0].gone = True  # no byte leaves: it may be tried again
        assert decision_in((await scene.call("pay"))["result"])["reason"] == "unavailable"
        scene.servers[0].gone = False
        assert [await refused(scene, "pay") for _ in range(2)] == ["", "history"]
        assert verify(scene.record.directory) == []


async def test_a_call_that_never_left_is_not_what_had_to_come_first(tmp_path: Path) -> None:
    with scene_of(tmp_path) as scene:
        scene.servers[0].gone = True
        await scene.call("look")
        scene.servers[0].gone = False
        assert await refused(scene, "pay") == "history"


async def test_over_http_no_id_that_a_client_sends_replays_or_leaves_out_chooses_a_history(tmp_path: Path) -> None:
    with scene_of(tmp_path) as scene:
        several = Conversations(scene.guard, one_client=False)

        def key(principal: str) -> str:
            return several.open(principal=principal, notify=lambda *_: None).session.key

        mine = key("http:1")
        scene.record.exposed(mine, "raw", frozenset({"untrusted"}), "a page")
        assert key("http:1") == mine, "another conversation, whatever its id is, has the history of its principal"
        assert key("http:2") != mine
        anew = scene.record.renew(mine, "local:iris")
        assert key("http:1") == anew != mine
        scene.guard.record = FullDisk(scene.record)  # type: ignore[assignment]
        assert key("http:1") == mine, "what can't be told is the older history, which has more labels"


async def test_nothing_of_a_call_is_kept_once_it_was_judged(tmp_path: Path) -> None:
    """An idle session holds no paths that its last call named, and no rows that it carried."""

    def held() -> int:
        return sum(type(one) in (LiveFacts, UsageView) for one in gc.get_objects())

    with scene_of(tmp_path) as scene:
        gc.collect()
        before = held()
        gc.disable()  # nothing has to be collected either: no cycle holds them
        try:
            assert [await refused(scene, name) for name in ("look", "fetch", "send")] == ["", "", "denied"]
            assert held() == before
        finally:
            gc.enable()
