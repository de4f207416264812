"""A guard with the queue in a room with a person: a gateway in memory, and the desk at which the person answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mcp_guard.approvals import answering, slips
from mcp_guard.approvals.answering import Desk, Waiting
from mcp_guard.approvals.queue import Queue
from mcp_guard.model import By
from mcp_guard.record.verify import verify
from tests.guards import Scene
from tests.patience import PATIENCE

ASKING = """version: 1
grants: [{id: say, tool: raw/echo, args: {text: any}, optional: {n: {max: 9}}, ask: true, budget: {calls: 50}}]
"""


class Room:
    """One client of a guard that asks."""

    def __init__(self, home: Path, policy: str = ASKING, *, wait: float = 30.0, **scene: Any) -> None:
        self.scene = Scene(home, policy, **scene)
        self.directory = self.scene.record.directory
        self.attach(wait)

    def attach(self, wait: float = 30.0) -> None:
        """Give the guard its queue, as `run` and `wrap` do."""
        guard, record = self.scene.guard, self.scene.record
        self.queue = Queue(record, wait=wait)
        guard.approver, guard.memory, guard.answered_here = self.queue, self.queue.recall, self.queue.look
        guard.under_way.version = lambda: record.look("PRAGMA data_version")[0][0]
        guard.under_way.stopped = lambda: dict(record.look("SELECT scope, why FROM stops"))

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        with answering.at(self.directory) as desk:
            yield desk

    def waiting(self) -> list[Waiting]:
        with self.desk() as desk:
            return desk.waiting()

    def approve(self, one: Waiting | None = None, tier: By = By.PERSON) -> None:
        with self.desk() as desk:
            desk.approve(one or desk.waiting()[0], "a test", tier)

    def deny(self) -> None:
        with self.desk() as desk:
            desk.refuse(desk.waiting()[0], "a test")

    async def start(self, **arguments: Any) -> Any:
        """Make a call: how to cancel it, and its answer to be. It is asked about, or on its way, from here on."""
        await self.scene.listed()
        return self.scene.start("tools/call", {"name": "echo", "arguments": arguments})

    async def call(self, **arguments: Any) -> dict[str, Any]:
        return await self.scene.call("echo", arguments)

    def executed(self) -> int:
        """What reached the server."""
        return sum(method == "tools/call" for method, _ in self.scene.servers[0].requests)

    def values_kept(self) -> list[str]:
        return slips.left_over(self.directory)

    def verified(self) -> list[str]:
        return verify(self.directory)

    def states(self) -> list[str]:
        return [state for (state,) in self.scene.record.look("SELECT state FROM questions ORDER BY asked, entry")]


async def answer_of(future: asyncio.Future[dict[str, Any]]) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        return await future


def text_of(answer: dict[str, Any]) -> str:
    found: str = answer["result"]["content"][0]["text"]
    return found
