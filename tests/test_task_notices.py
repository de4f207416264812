"""Tasks that a client listens to: what `tasks/get` would say and no more, as long as it would say anything."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.eras import Era
from mcp_guard.policy.document import Authority, load_text
from tests.guards import RecordingDownstream
from tests.patience import PATIENCE
from tests.test_extensions import FORM, META, POLICY, Tasks, tasks
from tests.transports.processes import until

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


class Listening:
    """A client that listens to one task, and the server's side of that."""

    def __init__(self, scene: Tasks, handles: list[str], takes: bool = True) -> None:
        self.scene = scene
        self.server: RecordingDownstream = scene.servers[0]
        self.server.hold = True
        _, self.ended = scene.start("subscriptions/listen", {"notifications": {"taskIds": handles}, "_meta": META})
        self._takes = takes

    async def begun(self) -> list[str]:
        """What the client is told that it gets."""
        await until(lambda: self.of("subscriptions/listen") or self.told("acknowledged"), "nobody is asked")
        if asked := self.of("subscriptions/listen"):
            taken = asked[-1]["notifications"]["taskIds"] if self._takes else []
            self.says("notifications/subscriptions/acknowledged", notifications={"taskIds": taken})
        await until(lambda: self.told("acknowledged"), "nothing is acknowledged")
        found: list[str] = self.told("acknowledged")[0]["notifications"]["taskIds"]
        return found

    def says(self, method: str, **params: Any) -> None:
        meta = {SUBSCRIPTION: self.server.last}
        self.scene.gateway.server_notified(self.server, method, {**params, "_meta": meta})  # type: ignore[arg-type]

    def of(self, method: str) -> list[Any]:
        return [params for made, params in self.server.requests if made == method]

    def told(self, ending: str) -> list[Any]:
        return [params for method, params in self.scene.notified if method.endswith(ending)]


async def test_a_client_is_told_of_its_task_under_its_own_handle_and_asked_nothing(tmp_path: Path) -> None:
    with tasks(tmp_path) as scene:
        handle = await scene.begin()
        listening = Listening(scene, [handle, "g1.somebody.else"])
        assert await listening.begun() == [handle]
        assert listening.of("subscriptions/listen")[0]["notifications"] == {"taskIds": ["server-task-1"]}
        listening.says("notifications/tasks", taskId="server-task-2", status="completed")
        said = {"status": "input_required", "inputRequests": {"q": FORM}, "inputrequests": {}, "kept": None}
        listening.says("notifications/tasks", taskId="server-task-1", **said)
        await until(lambda: listening.told("/tasks"), "nothing is told")
        (told,) = listening.told("/tasks")
        assert told == {"taskId": handle, "status": "input_required", "kept": None, "_meta": {SUBSCRIPTION: 2}}
        listening.says("notifications/tasks", taskId="server-task-1", result={"resultType": "input_required"})
        listening.says("notifications/tasks", taskId="server-task-1", status="completed", result={"content": []})
        await until(lambda: len(listening.told("/tasks")) == 2, "nothing more is told")
        assert listening.told("/tasks")[1]["result"] == {"content": []}
        rows = [row for row in scene.rows() if row.method == "subscriptions/listen"]
        assert [(row.effect, row.body["target_kind"]) for row in rows] == [
            ("allow", "extension"),
            ("deny", "extension"),
        ]


@pytest.mark.parametrize("lost", ["more", "t"])
async def test_a_grant_that_is_over_ends_the_stream_of_its_task(tmp_path: Path, lost: str) -> None:
    with tasks(tmp_path) as scene:
        listening = Listening(scene, [await scene.begin()])
        await listening.begun()
        without = "\n".join(line for line in POLICY.splitlines() if f"id: {lost}," not in line)
        layer = load_text(without.encode(), file="policy.yaml", kind="policy", home="/home/me")
        scene.guard.authority = Authority((layer,), None)
        listening.says("notifications/tasks", taskId="server-task-1", status="completed", result={"content": []})
        async with asyncio.timeout(PATIENCE):
            assert "result" in await listening.ended
        assert listening.told("/tasks") == []


async def test_a_server_that_does_not_tell_of_tasks_is_left_out(tmp_path: Path) -> None:
    with tasks(tmp_path) as scene:
        listening = Listening(scene, [await scene.begin()], takes=False)
        assert await listening.begun() == []


@pytest.mark.parametrize("handles", ["all", [1], ["x"] * 101])
async def test_what_is_no_list_of_tasks_is_refused(tmp_path: Path, handles: Any) -> None:
    with tasks(tmp_path) as scene:
        wanted = {"notifications": {"taskIds": handles}, "_meta": META}
        assert (await scene.ask("subscriptions/listen", wanted))["error"]["code"] == -32602


async def test_a_tasks_handle_is_good_for_seven_days(tmp_path: Path) -> None:
    with tasks(tmp_path) as scene:
        handle = await scene.begin()
        assert scene.era is Era.MODERN
        for days, good in ((6.9, True), (7.1, False)):
            scene.guard.clock = lambda days=days: datetime.now(UTC) + timedelta(days=days)  # type: ignore[misc]
            assert ("result" in await scene.about("tasks/get", handle)) is good
