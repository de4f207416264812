"""The clients of a run. Each asks, misbehaves now and then, and keeps count of its answers; none waits for another."""

from __future__ import annotations

import asyncio
import random
import time
from abc import ABC, abstractmethod
from typing import Any

from tests.faults.soak.ledger import Ledger
from tests.faults.soak.observed import what_is_held
from tests.faults.soak.world import World

PAUSE = 0.005  # seconds between two requests of one client
FAULTS_EACH = 0.5  # seconds between two faults of one client, on average
PATIENCE = 240.0
"""Seconds for one answer; what comes later counts as unanswered. All that the guard may wait for on the way of one call
(`tests/faults/interleaved`) makes 140; the rest is for a machine on which every timer is late."""
GIVEN_UP_AFTER = 0.03  # seconds that a call runs which its client gives up
FAULTS = {"crash": 1, "give up": 4, "garbage": 3, "leave": 1, "list": 4, "fail": 3, "large": 3, "noise": 2, "many": 3}


class Lane(ABC):
    """One client."""

    kind: str  # transport and era

    def __init__(self, world: World, number: int, seed: int) -> None:
        self.world = world
        self.ledger: Ledger = world.ledger
        self.number = number
        self.chance = random.Random(f"{seed} {number}")
        self._asked = 0

    async def live(self, until: float) -> None:
        """Ask, until the loop's time is `until`, then leave in good order."""
        loop = asyncio.get_running_loop()
        await self.arrive()
        due = loop.time()
        while loop.time() < until:
            if loop.time() >= due:
                due = loop.time() + self.chance.expovariate(1 / FAULTS_EACH)
                await self._misbehave()
            await self.echo()
            await asyncio.sleep(PAUSE)
        await self.leave()

    async def _misbehave(self) -> None:
        kind = self.chance.choices(list(FAULTS), list(FAULTS.values()))[0]
        self.ledger.faults[kind] += 1
        match kind:
            case "crash":
                await self.call(self._stdio("crash"), {})
            case "give up":
                await self.give_up(self._stdio("slow"))
            case "garbage":
                await self.garbage()
            case "leave":
                await self.leave()
                await self.arrive()
            case "list":
                await self.ask("tools/list", {})
            case "fail":
                await self.call(self._stdio("fail"), {"rpc": True, "message": "no"})
            case "large":
                await self.call(self._stdio("big"), {"bytes": 200_000})
            case "noise":
                await self.call(self._stdio("noise"), {"bytes": 70_000})
            case _:
                await asyncio.gather(*(self.echo() for _ in range(20)))

    def _stdio(self, tool: str) -> str:
        return f"{self.chance.choice(self.world.stdio)}__{tool}"

    def nonce(self) -> str:
        self._asked += 1
        return f"{self.number}-{self._asked}"

    async def echo(self) -> None:
        """A call that says who made it: its server executes it once, or not at all."""
        nonce = self.nonce()
        arguments = {"text": nonce, "nonce": nonce}
        await self.call(f"{self.chance.choice(self.world.servers)}__echo", arguments)

    async def call(self, name: str, arguments: dict[str, Any]) -> None:
        await self.ask("tools/call", {"name": name, "arguments": arguments})

    async def ask(self, method: str, params: dict[str, Any]) -> None:
        """One request, to its one answer."""
        self.ledger.asked += 1
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                self.ledger.end(await self.answer_to(method, params))
            self.ledger.longest = max(self.ledger.longest, time.monotonic() - began)
        except TimeoutError:
            nonce = str(params.get("arguments", {}).get("nonce", ""))
            which = f"{nonce or self._asked}: {method} {params.get('name', '')}"
            about = f"client {self.number} ({self.kind}), its request {which}"
            self.ledger.unanswered[about] = nonce
            self.ledger.seen[about] = await self.seen()

    async def seen(self) -> str:
        """What is known here of a request that has just gone unanswered, and what the guard holds."""
        return what_is_held()

    @abstractmethod
    async def arrive(self) -> None:
        """Connect, and begin."""

    @abstractmethod
    async def leave(self) -> None:
        """Disconnect."""

    @abstractmethod
    async def answer_to(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and give its answer. A second answer goes to `ledger.twice`."""

    @abstractmethod
    async def give_up(self, name: str) -> None:
        """Make a call that is never answered, and give it up."""

    @abstractmethod
    async def garbage(self) -> None:
        """Send what is no message."""
