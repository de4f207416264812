"""What the guard doesn't know passes where a document names it, marked as not inspected, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.eras import Era
from mcp_guard.model import Reason
from tests.guards import RecordingDownstream, Scene, decision_in, tool

ERAS = pytest.mark.parametrize("era", list(Era))
TASKS = "io.modelcontextprotocol/tasks"
POLICY = f"""\
version: 1
grants:
  - {{id: t, tool: raw/echo, args: any}}
  - {{id: ask, server_requests: {{server: raw, allow: [elicitation]}}, budget: {{calls: 2}}}}
  - {{id: more, extensions: {{server: raw, allow: [acme/do, trace, notifications/acme, {TASKS}]}}}}
  - {{id: once, extensions: {{server: raw, allow: [acme/once]}}, budget: {{calls: 1}}}}
"""
OFFERED: dict[str, Any] = {"elicitation": {}, "extensions": {TASKS: {}, "acme/other": {}}}
META = {"io.modelcontextprotocol/clientCapabilities": OFFERED}
FORM = {"method": "elicitation/create", "params": {"message": "Who?", "requestedSchema": {}}}


def server(**replies: Any) -> list[RecordingDownstream]:
    named = {name.replace("_", "/"): reply for name, reply in replies.items()}
    return [RecordingDownstream(tools=[tool("echo")], replies=named)]


# --- methods, members, notifications


@ERAS
async def test_a_method_that_a_grant_names_passes_and_is_marked_as_not_inspected(tmp_path: Path, era: Era) -> None:
    answer = {"result": {"done": None, "resultType": "complete"}}
    with Scene(tmp_path, policy=POLICY, era=era, servers=server(acme_do=answer)) as scene:
        assert await scene.ask("acme/do", {"what": [None, 1.5]}) == answer
        ((_, params),) = scene.servers[0].requests
        assert params["what"] == [None, 1.5]
        (row,) = scene.rows()
        assert (row.method, row.body["target_kind"], row.detail, row.outcome) == (
            "acme/do",
            "extension",
            "not inspected",
            "ok",
        )


@ERAS
@pytest.mark.parametrize("method", ["acme/else", "ACME/do", "acme/do ", "trace2", "tasks/list"])
async def test_a_method_that_no_grant_names_is_not_there(tmp_path: Path, era: Era, method: str) -> None:
    with Scene(tmp_path, policy=POLICY, era=era) as scene:
        assert (await scene.ask(method, {}))["error"]["code"] == -32601
        assert scene.servers[0].requests == []
        assert [row.reason for row in scene.rows()] == [Reason.UNKNOWN_METHOD]


async def test_an_extension_has_a_budget_like_any_grant(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=POLICY) as scene:
        assert "result" in await scene.ask("acme/once", {})
        answer = await scene.ask("acme/once", {})
        assert decision_in(answer["error"])["reason"] == Reason.BUDGET_SPENT
        assert len(scene.servers[0].requests) == 1


async def test_a_method_reaches_the_one_server_that_its_grant_names(tmp_path: Path) -> None:
    servers = [RecordingDownstream("a"), RecordingDownstream("raw")]
    with Scene(tmp_path, policy=POLICY, servers=servers, prefixed=True) as scene:
        await scene.ask("acme/do", {})
        assert [len(one.requests) for one in servers] == [0, 1]


@ERAS
async def test_a_member_of_a_call_passes_where_call_and_member_are_granted(tmp_path: Path, era: Era) -> None:
    with Scene(tmp_path, policy=POLICY, era=era) as scene:
        assert "isError" not in (await scene.call("echo", trace={"id": None}))["result"]
        assert scene.servers[0].calls[0]["trace"] == {"id": None}
        (row,) = [row for row in scene.rows() if row.method == "tools/call"]
        assert row.detail == "not inspected: trace"
        assert set(row.rules) == {"policy/t", "policy/more"}
        for member in ("Trace", "task", "requestState"):
            refused = await scene.call("echo", **{member: {}, "trace": {}})
            known = member == "requestState" and era is Era.MODERN  # there it claims to be a round's
            wanted = Reason.UNKNOWN_HANDLE if known else Reason.UNEXPECTED_MEMBER
            assert decision_in(refused["error" if known else "result"])["reason"] == wanted
        assert len(scene.servers[0].calls) == 1


async def test_members_of_one_grant_never_go_beyond_its_budget(tmp_path: Path) -> None:
    policy = POLICY.replace("[acme/once]", "[acme/once, one, two]")
    with Scene(tmp_path, policy=policy) as scene:
        assert "isError" not in (await scene.call("echo", one=1, two=2))["result"]
        charges = [charge for row in scene.rows() for charge in row.body.get("charges", ())]
        assert [(charge["rule"], charge["calls"]) for charge in charges] == [("policy/once", 1)]
        refused = await scene.call("echo", one=1)
        assert decision_in(refused["result"])["reason"] == Reason.BUDGET_SPENT


async def test_a_member_does_not_open_a_call_that_no_grant_carries(tmp_path: Path) -> None:
    policy = POLICY.replace("args: any", "args: {text: x}")
    with Scene(tmp_path, policy=policy) as scene:
        refused = await scene.call("echo", {"text": "y"}, trace={})
        assert decision_in(refused["result"])["reason"] == Reason.NO_GRANT
        assert scene.servers[0].calls == []


async def test_notifications_that_a_grant_names_pass_both_ways_and_others_do_not(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=POLICY) as scene:
        double: Any = scene.servers[0]
        for method in ("notifications/acme", "notifications/other"):
            scene.gateway.server_notified(double, method, {"x": None})
            scene.gateway.notification(method, {"y": None})
        assert scene.notified == [("notifications/acme", {"x": None})]
        assert scene.servers[0].told == [("notifications/acme", {"y": None})]


async def test_what_a_server_may_not_extend_it_does_not_hear_of(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=POLICY, era=Era.MODERN) as scene:
        await scene.call("echo", _meta=META)
        heard = scene.servers[0].calls[0]["_meta"]["io.modelcontextprotocol/clientCapabilities"]
        assert heard == {"elicitation": {}, "extensions": {TASKS: {}}}


# --- the tasks extension

Reply = Callable[[dict[str, Any]], dict[str, Any]]


def working(task: str = "server-task-1", **more: Any) -> dict[str, Any]:
    return {"result": {"resultType": "task", "taskId": task, "status": "working", "ttlMs": None, "x": None, **more}}


def state(status: str, task: str = "server-task-1", **more: Any) -> dict[str, Any]:
    return {"result": {"resultType": "complete", "taskId": task, "status": status, **more}}


class Tasks(Scene):
    """A modern scene with one task begun; `get` is what `tasks/get` answers."""

    async def begin(self) -> str:
        result = (await self.call("echo", _meta=META))["result"]
        assert result["resultType"] == "task"
        assert result["x"] is None
        return str(result["taskId"])

    async def about(self, method: str, handle: Any, **more: Any) -> dict[str, Any]:
        return await self.ask(method, {"taskId": handle, "_meta": META, **more})

    def __enter__(self) -> Tasks:
        return self


def tasks(path: Path, get: Any = None, policy: str = POLICY, **options: Any) -> Tasks:
    replies = {"tools_call": working(), "tasks_get": get or state("completed", result={"content": []})}
    update: dict[str, Any] = {"tasks_update": {"result": {}}, "tasks_cancel": {"result": {}}}
    return Tasks(path, policy=policy, era=Era.MODERN, servers=server(**replies, **update), **options)


async def test_a_task_is_polled_by_a_handle_and_its_result_comes_back(tmp_path: Path) -> None:
    done = state("completed", result={"content": [], "_meta": {"mcp-guard/decision": {}, "kept": 1}}, z=None)
    with tasks(tmp_path, done) as scene:
        handle = await scene.begin()
        assert "server-task-1" not in handle
        result = (await scene.about("tasks/get", handle))["result"]
        expected = {"content": [], "_meta": {"kept": 1}}
        assert result == {**done["result"], "taskId": handle, "result": expected}
        asked = scene.servers[0].requests[-1][1]
        assert asked["taskId"] == "server-task-1"
        assert [row.detail for row in scene.rows() if row.method == "tasks/get"] == ["not inspected"]
        assert "result" in await scene.about("tasks/cancel", handle)


@pytest.mark.parametrize("handle", ["server-task-1", "", None, 7, "g1.e30.x"])
@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
async def test_a_task_that_the_guard_did_not_give_out_is_not_there(tmp_path: Path, method: str, handle: Any) -> None:
    with tasks(tmp_path) as scene:
        await scene.begin()
        assert (await scene.about(method, handle))["error"]["code"] == -32602
        assert [made for made, _ in scene.servers[0].requests if made == method] == []
        assert scene.rows()[-1].reason == Reason.UNKNOWN_HANDLE


async def test_a_task_is_nobody_elses_and_ends_with_the_documents(tmp_path: Path) -> None:
    with tasks(tmp_path) as scene:
        handle = await scene.begin()
        scene.gateway.session.principal = "local:mallory"
        assert "error" in await scene.about("tasks/get", handle)
        scene.gateway.session.principal = "local:me"
        scene.guard.authority_digest = "another"
        assert "error" in await scene.about("tasks/get", handle)
        assert [made for made, _ in scene.servers[0].requests if made == "tasks/get"] == []


@pytest.mark.parametrize("era", list(Era))
async def test_a_task_that_nothing_grants_is_withheld(tmp_path: Path, era: Era) -> None:
    policy = POLICY.replace(f", {TASKS}", "")
    with Scene(tmp_path, policy=policy, era=era, servers=server(tools_call=working())) as scene:
        answer = await scene.call("echo", _meta=META)
        assert decision_in(answer["result"])["kind"] == "withheld"
        assert "server-task-1" not in json.dumps(answer)
        assert (await scene.ask("tasks/get", {"taskId": "server-task-1"}))["error"]["code"] == -32601


async def test_what_a_task_asks_is_judged_once_however_often_it_is_polled(tmp_path: Path) -> None:
    with tasks(tmp_path, state("input_required", inputRequests={"who": FORM})) as scene:
        handle = await scene.begin()
        for _ in range(5):
            result = (await scene.about("tasks/get", handle))["result"]
            assert result["inputRequests"]["who"]["params"]["message"] == "[raw] Who?"
        assert [row.outcome for row in scene.rows() if row.method == "elicitation/create"] == ["ok"]
        wrong: list[Any] = [{"other": {}}, [], None]
        for answers in wrong:
            assert "error" in await scene.about("tasks/update", handle, inputResponses=answers)
        assert "result" in await scene.about("tasks/update", handle, inputResponses={"who": {"action": "accept"}})
        updates = [params for made, params in scene.servers[0].requests if made == "tasks/update"]
        assert [params["inputResponses"] for params in updates] == [{"who": {"action": "accept"}}]


async def test_a_question_that_changes_under_its_key_is_judged_again(tmp_path: Path) -> None:
    asked = {"n": 0}

    def get(_: Any) -> dict[str, Any]:
        asked["n"] += 1
        changed = {**FORM, "params": {"message": f"Question {asked['n']}"}}
        return state("input_required", inputRequests={"who": changed})

    with tasks(tmp_path, get) as scene:
        handle = await scene.begin()
        kinds = [await scene.about("tasks/get", handle) for _ in range(3)]
        assert ["result" in answer for answer in kinds] == [True, True, False]  # the budget is two
        assert decision_in(kinds[2]["error"])["kind"] == "withheld"


@pytest.mark.parametrize(
    "requests",
    [
        {"a": {"method": "roots/list"}},
        {"a": FORM, "b": {"method": "sampling/createMessage", "params": {}}},
        {"a": []},
        [FORM],
        "x",
        None,
    ],
)
async def test_a_task_that_asks_for_what_nothing_grants_is_withheld(tmp_path: Path, requests: Any) -> None:
    with tasks(tmp_path, state("input_required", inputRequests=requests)) as scene:
        handle = await scene.begin()
        answer = await scene.about("tasks/get", handle)
        assert "Who?" not in json.dumps(answer)
        assert ("error" in answer) == (requests is not None)


async def test_an_answer_about_another_task_is_withheld(tmp_path: Path) -> None:
    with tasks(tmp_path, state("completed", "server-task-2", result={"content": ["secret"]})) as scene:
        answer = await scene.about("tasks/get", await scene.begin())
        assert decision_in(answer["error"])["kind"] == "withheld"
        assert "secret" not in json.dumps(answer)


async def test_a_task_gives_nothing_more_once_its_tool_is_not_granted_but_can_be_cancelled(tmp_path: Path) -> None:
    with tasks(tmp_path) as scene:
        handle = await scene.begin()
        without = Scene(tmp_path / "other", policy=POLICY.replace("raw/echo", "raw/another"))
        scene.guard.authority = without.guard.authority
        without.record.close()
        assert decision_in((await scene.about("tasks/get", handle))["error"])["reason"] == Reason.NO_GRANT
        assert "result" in await scene.about("tasks/cancel", handle)
        assert [made for made, _ in scene.servers[0].requests][-1] == "tasks/cancel"


async def test_a_member_beside_those_of_a_task_is_refused(tmp_path: Path) -> None:
    with tasks(tmp_path) as scene:
        answer = await scene.about("tasks/get", await scene.begin(), more=1)
        assert decision_in(answer["error"])["reason"] == Reason.UNEXPECTED_MEMBER
