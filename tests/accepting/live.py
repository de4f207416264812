"""A gateway in memory that goes by the files of a `House` and takes them up as a running guard does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Self

from mcp_guard.accepting.gate import settle
from mcp_guard.accepting.local import Live, place_in
from mcp_guard.accepting.reload import Reload
from mcp_guard.accepting.stacks import Asked
from mcp_guard.accepting.watching import Watch
from mcp_guard.policy.document import Authority
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Filter, Row, open_for_reading
from tests.accepting.house import House
from tests.guards import RecordingDownstream, Scene, tool
from tests.patience import PATIENCE


class Running(Scene):
    """Start it inside a running loop. `said` is what a person read on stderr."""

    def __enter__(self) -> Self:
        return self

    def __init__(
        self, home: Path, policy: str, *, config: str | None = None, servers: tuple[str, ...] = ("raw",)
    ) -> None:
        self.said: list[str] = []
        tools = [tool("echo", text={}), tool("send", to={})]
        super().__init__(
            home, policy, [RecordingDownstream(name, tools) for name in servers], prefixed=len(servers) > 1
        )
        asked = Asked(policy=home / "policy.yaml") if config is None else Asked(config=home / "guard.yaml")
        self.house = House(home, asked)
        self.house.policy.write_text(policy)
        if config is not None:
            self.house.config.write_text(config)
        standing = self.house.look()
        settle(self.record, self.house.state, standing.force, standing.acceptances, "local:me")
        self.guard.bind(Authority(standing.force.layers), standing.force.lock, {})
        place = place_in(standing.force)
        assert place is not None
        self.place = place
        self.guard.local = Live(self.house.state, place)
        self.record.read(self.guard.renew)
        self.reload = Reload(self.guard, asked, standing.force, self.said.append, "mcp-guard accept", "local:me")

    async def look(self, times: int = 2) -> None:
        """So many seconds go by; two are enough for a file that is left alone."""
        for _ in range(times):
            await self.reload.look()
            await asyncio.sleep(0)

    async def settled(self) -> None:
        """What was announced has been delivered."""
        async with asyncio.timeout(PATIENCE):
            while not self.notified:
                await asyncio.sleep(0.01)

    async def allows(self, name: str, **arguments: Any) -> bool:
        """Does such a call reach its server? Read from the server."""
        before = sum(len(one.calls) for one in self.servers)
        await self.call(name, arguments)
        return sum(len(one.calls) for one in self.servers) == before + 1

    def told(self, kind: EntryKind) -> list[Row]:
        """The entries of this kind."""
        with open_for_reading(self.house.state) as query:
            return [row for row in query.entries(Filter()) if row.kind is kind]

    def watch(self) -> Watch:
        return self.reload._watch


def only(*names: str) -> str:
    """A policy that grants these tools of `raw`, any arguments."""
    listed = ", ".join(f"raw/{name}" for name in names)
    return f"version: 1\ngrants: [{{id: g, tool: [{listed}], args: any}}]\n"
