"""What a server says beside its answers: questions, rounds, progress, instructions. It passes the same inspection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_guard import lifecycle
from mcp_guard.eras import Era
from mcp_guard.inspecting import line
from mcp_guard.model import Outcome
from tests.guards import RecordingDownstream, Scene, tool
from tests.inspection.samples import AWS, answer, encoded, text
from tests.inspection.test_passage import release
from tests.test_asking import Asked
from tests.test_rounds import DONE, STATE, asking, modern, question

POLICY = """version: 1
grants:
  - {id: t, tool: raw/echo, args: any, result: WANTED}
  - {id: ask, server_requests: {server: raw, allow: [elicitation, sampling]}}
  - {id: tasks, extensions: {server: raw, allow: [io.modelcontextprotocol/tasks]}}
"""
REDACT, HOLD = POLICY.replace("WANTED", "redact"), POLICY.replace("WANTED", "quarantine")
SAMPLING = {"messages": [{"role": "user", "content": text(f"use {AWS}")}], "maxTokens": 9}


async def test_a_question_is_redacted_before_it_is_judged_and_shown(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=REDACT) as scene:
        form = {"message": f"Is {AWS} yours?", "requestedSchema": {"type": "object", "title": AWS}}
        Asked(scene, "elicitation/create", form)
        Asked(scene, "sampling/createMessage", SAMPLING)
        assert len(scene.asked) == 2
        assert AWS not in json.dumps([params for _, params, _ in scene.asked])
        assert scene.asked[0][1]["message"] == "[raw] Is [redacted: aws access key] yours?"


async def test_a_server_whose_answers_are_held_may_not_ask_the_model_in_their_place(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=HOLD) as scene:
        asked = Asked(scene, "sampling/createMessage", SAMPLING)
        assert asked.refused is not None
        assert scene.asked == []


async def test_a_round_is_redacted_and_the_state_of_the_server_stays_what_it_is(tmp_path: Path) -> None:
    state = f"{STATE}{AWS}"  # whatever a server keeps in it, the client doesn't see it
    asks = asking(state, who=question(message=f"{AWS}?", requestedSchema={"type": "object"}))
    with modern(tmp_path, asks, DONE, policy=REDACT) as scene:
        asked = (await scene.echo())["result"]
        assert AWS not in json.dumps(asked)
        assert encoded(AWS)[:20] not in json.dumps(asked)
        answers = {"who": {"action": "accept"}}
        await scene.echo(requestState=asked["requestState"], inputResponses=answers)
        assert scene.servers[0].calls[-1]["requestState"] == state


async def test_a_held_call_asks_nothing_before_it_answers(tmp_path: Path) -> None:
    with modern(tmp_path, asking(who=question()), policy=HOLD) as scene:
        found = await scene.echo()
        assert found["result"]["_meta"]["mcp-guard/decision"]["kind"] == "withheld"
        assert "Who?" not in json.dumps(found)
        assert [row.outcome for row in scene.rows()] == [Outcome.WITHHELD]


class Reporting(RecordingDownstream):
    """Tells of its progress before it answers."""

    def request(self, method: str, params: Any, answer: Any, progress: Any = None) -> Any:
        if method == "tools/call":
            progress({"progressToken": 1, "progress": 2, "message": f"trying {AWS}", "_meta": {"k": AWS}})
        return super().request(method, params, answer, progress)


@pytest.mark.parametrize(("policy", "message"), [(REDACT, "trying [redacted: aws access key]"), (HOLD, None)])
async def test_progress_is_redacted_and_of_a_held_call_only_numbers(
    tmp_path: Path, policy: str, message: str | None
) -> None:
    with Scene(tmp_path, policy=policy, servers=[Reporting(tools=[tool("echo")])]) as scene:
        await scene.call("echo", _meta={"progressToken": 1})
        ((method, params),) = [one for one in scene.notified if one[0] == "notifications/progress"]
        assert (params["progressToken"], params["progress"], params.get("message")) == (1, 2, message)
        assert AWS not in json.dumps(params), method


@pytest.mark.parametrize("prefixed", [False, True])
async def test_instructions_are_redacted(tmp_path: Path, prefixed: bool) -> None:
    with Scene(tmp_path, policy=REDACT, prefixed=prefixed) as scene:
        scene.servers[0].hello["instructions"] = f"The key is {AWS}."
        together = lifecycle._together(scene.gateway.context)
        assert AWS not in json.dumps(together)
        assert line(scene.gateway.context, "raw", "Use it well.") == "Use it well."


async def test_what_a_task_comes_to_is_inspected_and_held_while_its_handle_passes(tmp_path: Path) -> None:
    for policy in (REDACT, HOLD):
        directory = tmp_path / policy[-1:] / str(len(policy))
        directory.mkdir(parents=True)
        begun = {"result": {"resultType": "task", "taskId": "t1", "status": "working", "statusMessage": f"on {AWS}"}}
        ended = {"taskId": "t1", "status": "completed", "result": answer(f"the key {AWS}")["result"]}
        double = RecordingDownstream(tools=[tool("echo")])
        double.replies |= {"tools/call": begun, "tasks/get": {"result": ended}}
        with Scene(directory, policy=policy, servers=[double], era=Era.MODERN) as scene:
            task = (await scene.call("echo"))["result"]
            assert task["taskId"]
            found = await scene.ask("tasks/get", {"taskId": task["taskId"]})
            assert AWS not in json.dumps([task, found])
            assert task["status"] == "working"
            assert ("the key" in json.dumps(found)) is (policy == REDACT)
            if policy == HOLD:
                release(scene, scene.rows()[-1])
                given = (await scene.ask("tasks/get", {"taskId": task["taskId"]}))["result"]
                assert (given["taskId"], given["status"]) == (task["taskId"], "completed")
                assert "the key" in json.dumps(given)
                assert [method for method, _ in double.requests].count("tasks/get") == 1


async def test_a_link_to_what_nothing_grants_reading_is_taken_out(tmp_path: Path) -> None:
    policy = f"{REDACT}  - {{id: r, resource: {{server: raw, uri: {{under: 'file:///srv/open'}}}}}}\n"
    links = [{"type": "resource_link", "uri": f"file:///srv/{name}/x", "name": "n"} for name in ("open", "closed")]
    double = RecordingDownstream(tools=[tool("echo")])
    double.replies["tools/call"] = answer(*links)
    with Scene(tmp_path, policy=policy, servers=[double]) as scene:
        first, second = (await scene.call("echo"))["result"]["content"]
        assert first == links[0]
        assert second["type"] == "text"
        assert "closed" not in json.dumps(second)
