"""A client on stdio: it starts a guard of its own, and sometimes leaves it and starts another."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.faults.soak.lanes import GIVEN_UP_AFTER, PATIENCE, Lane
from tests.faults.soak.observed import ask
from tests.faults.soak.world import World
from tests.faults.test_fuzz import crashed
from tests.fixtures.client import RawClient

KEPT = 500
"""Messages after which a client forgets what it has received."""


class StdioLane(Lane):
    """Both eras; one that `stays` never leaves before the end, so that its guard shows what it gathers."""

    def __init__(self, world: World, number: int, seed: int, *, modern: bool, stays: bool) -> None:
        super().__init__(world, number, seed)
        self._modern = modern
        self.kind = f"stdio, {'modern' if modern else 'legacy'}"
        self._stays = stays
        self._client: RawClient | None = None

    @property
    def client(self) -> RawClient:
        assert self._client is not None
        return self._client

    async def seen(self) -> str:
        return await ask(self.world.home, self.client.pid)

    async def arrive(self) -> None:
        if self._client is not None:
            return
        client = RawClient(self.world.guard(), env=self.world.environment, cwd=self.world.home, timeout=PATIENCE)
        self._client = await client.__aenter__()
        await (client.discover() if self._modern else client.initialize())

    async def leave(self) -> None:
        if self._stays and asyncio.get_running_loop().time() < self._until:
            return
        client, self._client = self.client, None
        self._look_back(client)
        if await client.close() != 0:
            self.ledger.broken.append(f"client {self.number}: its guard ended with {client.returncode}")
        if crashed(client):
            self.ledger.broken.append(f"client {self.number}: {client.stderr[-500:]}")

    async def live(self, until: float) -> None:
        self._until = until
        await super().live(until)

    def _look_back(self, client: RawClient) -> None:
        """Answers that nobody waited for; one without an id is to a line that had none."""
        again = [str(message) for message in client.unmatched if message.get("id") is not None]
        self.ledger.twice.extend(f"client {self.number}: {message[:200]}" for message in again)
        self.ledger.broken.extend(str(line[:200]) for line in client.not_json)
        client.unmatched.clear()
        client.not_json.clear()
        client.received.clear()
        del client._pipes.stderr[:-5000]

    async def answer_to(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if len(self.client.received) > KEPT:
            self._look_back(self.client)
        return await (await self.client.start(method, params))

    async def give_up(self, name: str) -> None:
        self.ledger.asked += 1
        number = f"given-up-{self.nonce()}"
        answer = await self.client.start("tools/call", {"name": name, "arguments": {}}, id=number)
        await asyncio.wait([answer], timeout=GIVEN_UP_AFTER)
        await self.client.notify("notifications/cancelled", {"requestId": number})
        if answer.done():  # refused, since the server was down
            self.ledger.end(await answer)
        else:
            self.ledger.ends["given up"] += 1  # its answer may have crossed the cancellation; a second one may not

    async def garbage(self) -> None:
        self.ledger.asked += 1
        await self.client.send_bytes(b'{"jsonrpc": "2.0", "id": 1.5, "method": "tools/call"}\nnot json\n\xff\xfe\n')
        self.ledger.end(await (await self.client.start("ping") if not self._modern else await self._listed()))

    async def _listed(self) -> asyncio.Future[dict[str, Any]]:
        return await self.client.start("tools/list")
