"""Attacks on stops and on what was taken away: a way on which something still comes out afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mcp_guard.accepting import local
from mcp_guard.accepting.local import Live, place_for
from mcp_guard.record import stops
from tests.guards import Scene
from tests.patience import PATIENCE
from tests.test_asking import ASKS, ELICITATION, Asked, requests_of_servers
from tests.test_extensions import Tasks, tasks
from tests.test_task_notices import Listening


@pytest.mark.parametrize("scope", ["everything", "server:raw", "effect:egress", "session"])
async def test_what_is_stopped_tells_nothing_of_its_tasks_to_who_listens(tmp_path: Path, scope: str) -> None:
    with tasks(tmp_path) as scene:
        listening = Listening(scene, [await scene.begin()])
        await listening.begun()
        scope = f"session:{scene.gateway.session.key}" if scope == "session" else scope
        scene.record.change(lambda moment: stops.halt(moment, scope, "by a test"))
        await ends_without_a_word(listening)


async def test_a_tool_that_was_taken_away_tells_nothing_of_its_tasks_at_once(tmp_path: Path) -> None:
    with tasks(tmp_path) as scene:
        listening = Listening(scene, [await scene.begin()])
        await listening.begun()
        take_away(scene, "echo")
        await ends_without_a_word(listening)


async def test_a_tool_that_was_taken_away_gives_nothing_more_to_who_polls(tmp_path: Path) -> None:
    with tasks(tmp_path) as scene:
        handle = await scene.begin()
        take_away(scene, "echo")
        assert "error" in await scene.about("tasks/get", handle)
        assert [made for made, _ in scene.servers[0].requests if made == "tasks/get"] == []


async def test_a_server_that_was_stopped_gets_no_answer_to_what_it_asked_before(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        before, after = (Asked(scene, "elicitation/create", ELICITATION) for _ in range(2))
        (_, _, first), (_, _, second) = scene.asked
        first({"result": {"action": "accept", "content": {"card": "1"}}})
        scene.record.change(lambda moment: stops.halt(moment, "server:raw", "by a test"))
        second({"result": {"action": "accept", "content": {"card": "2"}}})
        assert [before.refused, after.refused] == [None, -32011]
        assert "card" not in str(after.answers)
        assert [row.outcome for row in requests_of_servers(scene)] == ["ok", "withheld"]


def take_away(scene: Tasks, tool: str) -> None:
    state, place = scene.record.directory, place_for(Path("/policy.yaml"))
    scene.guard.local = Live(state, place)
    local.add(state, place, server="raw", tool=tool, by="local:me")


async def ends_without_a_word(listening: Listening) -> None:
    result = {"content": [{"type": "text", "text": "a secret"}]}
    listening.says("notifications/tasks", taskId="server-task-1", status="completed", result=result)
    async with asyncio.timeout(PATIENCE):
        assert "result" in await listening.ended
    assert listening.told("/tasks") == []
