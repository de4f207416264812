"""A client whose gateway lives in this very process, so that the tasks which it leaves behind can be counted."""

from __future__ import annotations

import asyncio
from typing import Any

from mcp_guard.cli.setting_up import build_guard, load_documents
from mcp_guard.config import load_config
from mcp_guard.conversations import Conversations
from mcp_guard.gateway import Gateway
from mcp_guard.guard import Guard
from mcp_guard.transports.link import see_links_end
from tests.faults.soak.lanes import GIVEN_UP_AFTER, Lane
from tests.faults.soak.world import World
from tests.fixtures.client import LEGACY


class InsideLane(Lane):
    """The legacy era, without pipes on the client's side."""

    kind = "inside, legacy"

    def __init__(self, world: World, number: int, seed: int) -> None:
        super().__init__(world, number, seed)
        self._guard: Guard | None = None
        self._gateway: Gateway | None = None

    @property
    def gateway(self) -> Gateway:
        assert self._gateway is not None
        return self._gateway

    async def arrive(self) -> None:
        if self._guard is None:
            loaded = load_config(self.world.config)
            policy, mandate = load_documents(loaded.policy, None, {})
            specs, own = loaded.servers, (loaded.file,)
            self._guard = build_guard(specs, policy=policy, mandate=mandate, prefixed=True, own_files=own)
        self._gateway = Conversations(self._guard, one_client=True).open(principal="local:soak", notify=lambda *_: None)
        info = {"name": "soak", "version": "1"}
        await self.answer_to("initialize", {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": info})

    async def leave(self) -> None:
        self.gateway.close()
        await see_links_end(5)

    def end(self) -> None:
        """Close the record."""
        if self._guard is not None:
            self._guard.record.close()

    async def answer_to(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        return await self._begin(method, params)[1]

    def _begin(self, method: str, params: dict[str, Any]) -> tuple[Any, asyncio.Future[dict[str, Any]]]:
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        def take(reply: dict[str, Any]) -> None:
            if answer.done():
                self.ledger.twice.append(f"client {self.number}: {str(reply)[:200]}")
            else:
                answer.set_result(reply)

        exchange = self.gateway.request(method, params, id=self.nonce(), answer=take, notify=lambda *_: None)
        return exchange, answer

    async def give_up(self, name: str) -> None:
        self.ledger.asked += 1
        exchange, answer = self._begin("tools/call", {"name": name, "arguments": {}})
        await asyncio.wait([answer], timeout=GIVEN_UP_AFTER)
        if answer.done():
            return self.ledger.end(answer.result())
        exchange.cancel("enough")
        self.ledger.ends["given up"] += 1
        answer.cancel()  # Invariant: what comes now counts as a second answer
        return None

    async def garbage(self) -> None:
        """Without a front there are no bytes; the nearest to it is a method that nobody knows."""
        await self.ask("tools/nonsense", {"name": 5})
