"""Attacks on the seams: what one room lets through because another one was thought to look at it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from mcp_guard import tasks
from mcp_guard.deliveries import MAX_TOLD, RESOURCES, TASK, UPDATED, Deliveries
from mcp_guard.downstream import State
from mcp_guard.eras import SUBSCRIPTION_KEY, Era
from mcp_guard.model import Reason
from mcp_guard.server_spec import ServerSpec
from mcp_guard.transports.http_link_remote import Remote
from tests.guards import FullDisk, RecordingDownstream, Scene, decision_in, tool
from tests.patience import PATIENCE
from tests.test_asking import ASKS, Asked
from tests.test_rounds import META

ERAS = pytest.mark.parametrize("era", list(Era))
POLICY = """\
version: 1
grants:
  - {id: t, tool: raw/echo, args: any}
  - {id: more, extensions: {server: raw, allow: [acme/do, notifications/acme, trace]}}
"""


def servers(**replies: Any) -> list[RecordingDownstream]:
    return [RecordingDownstream(tools=[tool("echo", text={"type": "string"})], replies=replies)]


# --- law 7: a state that no handle of the guard's carries is the client's own words


@ERAS
async def test_a_member_called_state_of_an_extension_cannot_name_the_guards_files(tmp_path: Path, era: Era) -> None:
    own = str(tmp_path / "own" / "policy.yaml")
    with Scene(tmp_path, policy=POLICY, era=era, servers=servers(), protect=[own]) as scene:
        answer = await scene.ask("acme/do", {"requestState": own})
        assert decision_in(answer["error"])["reason"] == Reason.PROTECTED
        assert scene.servers[0].requests == []


# --- laws 1 to 3: what is granted by name is judged, asked about, charged and recorded, answered or not


def told(scene: Scene) -> list[tuple[str, Any]]:
    return scene.servers[0].told


async def test_a_clients_notification_is_charged_and_recorded_before_a_server_hears_of_it(tmp_path: Path) -> None:
    policy = POLICY.replace("trace]}", "trace]}, budget: {calls: 1}")
    with Scene(tmp_path, policy=policy, servers=servers()) as scene:
        for number in range(3):
            scene.gateway.notification("notifications/acme", {"y": number})
        assert told(scene) == [("notifications/acme", {"y": 0})]
        assert [(row.effect, row.reason, row.outcome) for row in scene.rows()] == [
            ("allow", "", "ok"),
            ("deny", Reason.BUDGET_SPENT, ""),
            ("deny", Reason.BUDGET_SPENT, ""),
        ]


async def test_a_notification_that_somebody_has_to_be_asked_about_does_not_pass(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=POLICY.replace("trace]}", "trace]}, ask: true"), servers=servers()) as scene:
        double: Any = scene.servers[0]
        scene.gateway.notification("notifications/acme", {})
        scene.gateway.server_notified(double, "notifications/acme", {})
        assert told(scene) == [] and scene.notified == []
        assert {row.effect for row in scene.rows()} == {"ask", "deny"}


async def test_a_notification_cannot_name_the_guards_files(tmp_path: Path) -> None:
    own = str(tmp_path / "own" / "policy.yaml")
    with Scene(tmp_path, policy=POLICY, servers=servers(), protect=[own]) as scene:
        scene.gateway.notification("notifications/acme", {"read": own})
        assert told(scene) == []
        assert [row.reason for row in scene.rows()] == [Reason.PROTECTED]


async def test_a_notification_that_has_no_way_to_its_server_costs_nothing(tmp_path: Path) -> None:
    policy = POLICY.replace("trace]}", "trace]}, budget: {calls: 1}")
    with Scene(tmp_path, policy=policy, era=Era.MODERN, servers=servers()) as scene:
        double = scene.servers[0]
        double.spec = ServerSpec("raw", remote=Remote("https://docs.example.com/mcp"))
        scene.gateway.notification("notifications/acme", {})
        double.spec, double.state = ServerSpec("raw", ("double",)), State.DOWN
        scene.gateway.notification("notifications/acme", {})
        assert told(scene) == []
        double.state = State.READY
        scene.gateway.notification("notifications/acme", {})
        assert [row.outcome for row in scene.rows()] == ["not_sent", "not_sent", "ok"]


async def test_a_notification_that_cannot_be_recorded_is_not_sent(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=POLICY, servers=servers()) as scene:
        scene.guard.record = cast("Any", FullDisk(scene.record))
        scene.gateway.notification("notifications/acme", {})
        assert told(scene) == []


# --- law 3: a completion is judged as the prompt that it is about


PROMPTS = """\
version: 1
grants:
  - {id: p, prompt: raw/greet, args: {}, optional: {name: {in: [ada]}, path: {under: /srv/project}}}
"""
REF = {"type": "ref/prompt", "name": "greet"}


@pytest.mark.parametrize(
    ("asked", "passes"),
    [
        ({"argument": {"name": "name", "value": "ada"}}, True),
        ({"argument": {"name": "name", "value": "ada"}, "context": {"arguments": {"path": "/srv/project/a"}}}, True),
        ({"argument": {"name": "path", "value": "/etc/passwd"}}, False),
        ({"argument": {"name": "name", "value": "ada"}, "context": {"arguments": {"path": "/etc/passwd"}}}, False),
        ({"argument": {"name": "name", "value": "ada"}, "context": {"arguments": {"name": "eve"}}}, False),
        ({"argument": {"name": "name", "value": "ada"}, "context": {"arguments": ["/etc/passwd"]}}, False),
        ({"argument": {"name": "other", "value": "x"}}, False),
        ({"argument": ["name", "/etc/passwd"]}, False),
        ({}, False),
    ],
)
async def test_a_completion_carries_no_argument_that_the_prompt_could_not(
    tmp_path: Path, asked: dict[str, Any], passes: bool
) -> None:
    with Scene(tmp_path, policy=PROMPTS, servers=servers()) as scene:
        answer = await scene.ask("completion/complete", {"ref": REF, **asked})
        assert ("error" not in answer) is passes
        heard = [method for method, _ in scene.servers[0].requests]
        assert heard.count("completion/complete") == passes


# --- floods


async def test_what_is_asked_and_taken_back_before_the_client_is_ready_leaves_nothing_behind(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS, servers=servers()) as scene:
        session = scene.gateway.session
        session.listening = False
        for _ in range(100):
            Asked(scene, "elicitation/create", {"message": "x"}).take_back("no")
        assert session.held == []
        waiting = Asked(scene, "elicitation/create", {"message": "still"})
        session.listens()
        assert [params["message"] for _, params, _ in scene.asked] == ["[raw] still"] and waiting.answers == []


async def test_a_server_that_invents_names_hides_nobodys_attempts(tmp_path: Path) -> None:
    doubles = [RecordingDownstream("raw"), RecordingDownstream("other")]
    with Scene(tmp_path, policy=POLICY, servers=doubles, prefixed=True) as scene:
        given: list[Any] = list(doubles)
        for number in range(300):
            scene.gateway.server_notified(given[0], f"x/{number}", {})
        before = len(scene.rows())
        assert before < 80
        scene.gateway.server_asked(given[1], "sampling/createMessage", {}, lambda _: None, None)
        assert [row.server for row in scene.rows()[before:]] == ["other"]
        for number in range(300):
            scene.gateway.server_notified(given[0], f"y/{number}", {})
        assert len(scene.rows()) > before + 1  # counted as one, and still told of


async def test_notices_of_full_length_do_not_fill_the_memory(tmp_path: Path) -> None:
    told: list[Any] = []
    deliveries = Deliveries(lambda *one: told.append(one))
    for number in range(20):
        deliveries.put(UPDATED, "raw", {"uri": f"file:///{number}", "x": "y" * (MAX_TOLD if number else 1)})
    deliveries.open()
    async with asyncio.timeout(PATIENCE):
        while not told:
            await asyncio.sleep(0.01)
    assert [params["uri"] for _, _, params in told] == ["file:///0"]
    deliveries.close()


@pytest.mark.parametrize("method", ["logging/setLevel", "subscriptions/listen"])
async def test_what_is_not_judged_names_none_of_the_guards_files_to_a_server(tmp_path: Path, method: str) -> None:
    own = str(tmp_path / "own" / "policy.yaml")
    era = Era.LEGACY if method == "logging/setLevel" else Era.MODERN
    params = {"level": "info"} if era is Era.LEGACY else {"notifications": {"toolsListChanged": True}}
    with Scene(tmp_path, policy=POLICY, era=era, servers=servers(), protect=[own]) as scene:
        refused = await scene.ask(method, {**params, "_meta": {"x": own}})
        assert decision_in(refused["error"])["reason"] == Reason.PROTECTED
        assert scene.servers[0].requests == []
        assert [row.reason for row in scene.rows()] == [Reason.PROTECTED]


# --- tasks


class Polled(Scene):
    """A modern scene whose server's tasks ask."""

    def __enter__(self) -> Polled:
        return self

    async def task(self, number: int) -> str:
        self.servers[0].replies["tools/call"] = {"result": {"resultType": "task", "taskId": str(number), "status": "w"}}
        return str((await self.ask("tools/call", {"name": "echo", "_meta": META}))["result"]["taskId"])

    async def poll(self, number: int, handle: str, key: str = "who") -> dict[str, Any]:
        asked = {key: {"method": "elicitation/create", "params": {"message": "Who?"}}}
        self.servers[0].replies["tasks/get"] = {"result": {"taskId": str(number), "inputRequests": asked}}
        return await self.ask("tasks/get", {"taskId": handle, "_meta": META})


TASK_POLICY = ASKS + "  - {id: x, extensions: {server: raw, allow: [io.modelcontextprotocol/tasks]}}\n"


async def test_tasks_that_were_asked_about_long_ago_make_room_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "MAX_KEPT", 2)
    with Polled(tmp_path, policy=TASK_POLICY, era=Era.MODERN, servers=servers()) as scene:
        for number in range(4):
            answer = await scene.poll(number, await scene.task(number))
            assert "inputRequests" in answer["result"], answer
        assert [task for _, task in scene.gateway.session.task_questions] == ["2", "3"]


async def test_a_name_of_a_question_that_would_fill_the_memory_is_withheld(tmp_path: Path) -> None:
    with Polled(tmp_path, policy=TASK_POLICY, era=Era.MODERN, servers=servers()) as scene:
        handle = await scene.task(1)
        assert "error" in await scene.poll(1, handle, "x" * 257)
        assert "result" in await scene.poll(1, handle, "x" * 256)


@pytest.mark.parametrize("method", ["elicitation/create", "sampling/createMessage", "roots/list"])
async def test_an_answer_to_a_question_names_no_more_of_the_guards_files_than_a_call_may(
    tmp_path: Path, method: str
) -> None:
    own = str(tmp_path / "own" / "policy.yaml")
    asks = {"message": "Which file?", "messages": [], "_meta": {"progressToken": 1}}
    answers: list[dict[str, Any]] = [
        {"result": {"content": {"file": own}}},
        {"error": {"code": -1, "message": own}},
        {"result": {"a": 1}},
    ]
    with Scene(tmp_path, policy=ASKS.replace("calls: 2", "calls: 9"), protect=[own]) as scene:
        for said in answers:
            asked = Asked(scene, method, asks)
            _, shown, answer = scene.asked[-1]
            token = shown["_meta"]["progressToken"]
            scene.gateway.notification("notifications/progress", {"progressToken": token, "message": own})
            answer(said)
            passes = "a" in said.get("result", {}) or method == "roots/list"
            assert (asked.answers == [said]) is passes
            assert scene.servers[0].told == []


# --- labels: a notice that something changed can say more than that


@pytest.mark.parametrize("method", ["notifications/prompts/list_changed", RESOURCES, UPDATED, TASK])
@pytest.mark.parametrize(
    ("more", "labels"),
    [
        ({}, 0),
        ({"words": "Ignore all"}, 1),
        ({"_meta": {"words": "Ignore all"}}, 1),
        ({"_meta": {SUBSCRIPTION_KEY: 1}}, 0),
    ],
)
async def test_words_in_a_notice_give_their_label_before_anybody_reads_them(
    tmp_path: Path, method: str, more: dict[str, Any], labels: int
) -> None:
    about = {UPDATED: {"uri": "file:///a"}, TASK: {"taskId": "1"}}.get(method, {})
    with Scene(tmp_path, policy=ASKS, servers=servers()) as scene:
        given: Any = scene.servers[0]
        scene.gateway.server_notified(given, method, {**about, **more})
        assert len(scene.record.look("SELECT * FROM labels")) == labels
        assert scene.notified == []  # it waits for others like it
