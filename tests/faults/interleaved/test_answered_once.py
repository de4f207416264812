"""Crashes, silence, forgotten sessions, changed lists, cancellations and eras that change, in every order: each request
of the client is answered exactly once, in bounded time, or was cancelled and never is.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.downstream import Downstream
from mcp_guard.server_spec import ServerSpec
from tests.faults.interleaved.leaping import run
from tests.faults.interleaved.servers import LEGACY, MODERN, ScriptedLink
from tests.guards import Scene

CONVERSATIONS = int(os.environ.get("MCP_GUARD_CONVERSATIONS", "60"))
"""`make test` plays sixty; MCP_GUARD_CONVERSATIONS=5000 takes some minutes."""
PATIENCE = 10.0  # seconds for one call: the servers' `timeout`
LONGEST = 140.0
"""Seconds for the whole way of a request: a server's start, its listing, asked for again as often as that is done, each
of them as slow as they may be, and the call itself."""
META = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
HELLO: dict[str, Any] = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}


class Client:
    """Speaks both eras, one after the other, and keeps when each answer came."""

    def __init__(self, scene: Scene, chance: random.Random) -> None:
        self.scene = scene
        self.chance = chance
        self.asked: dict[int, float] = {}
        self.answers: dict[int, list[float]] = {}
        self.cancelled: dict[int, int] = {}  # how many answers there were
        self.exchanges: dict[int, Any] = {}

    def ask(self, method: str, params: dict[str, Any], *, modern: bool) -> None:
        number = len(self.asked) + 1
        now = asyncio.get_running_loop().time
        self.asked[number], self.answers[number] = now(), []
        told = {**params, "_meta": META} if modern else params
        self.exchanges[number] = self.scene.gateway.request(
            method, told, id=number, answer=lambda _: self.answers[number].append(now()), notify=lambda *_: None
        )

    def give_up(self) -> None:
        waiting = [number for number, answers in self.answers.items() if not answers and number not in self.cancelled]
        if waiting:
            number = self.chance.choice(waiting)
            self.cancelled[number] = 0
            self.exchanges[number].cancel("enough")

    async def live(self) -> None:
        modern, kinds = self.chance.random() < 0.5, ["call", "list", "begin", "change", "cancel", "subscribe"]
        steps = self.chance.choices(kinds, [24, 8, 2, 1, 6, 2], k=self.chance.randrange(4, 40))
        for kind in ["begin", *steps]:
            match kind:
                case "call":
                    name = f"{self.chance.choice('ab')}__echo"
                    self.ask("tools/call", {"name": name, "arguments": {}}, modern=modern)
                case "list":
                    self.ask("tools/list", {}, modern=modern)
                case "begin" | "change":
                    modern = modern if kind == "begin" else not modern
                    self.ask("server/discover" if modern else "initialize", {} if modern else HELLO, modern=modern)
                case "cancel":
                    self.give_up()
                case _:
                    self.ask("resources/subscribe", {"uri": "file:///one"}, modern=False)
            await asyncio.sleep(self.chance.choice([0, 0, 0, 0.001, 0.02, 1, 6, 31]))

    def wrong(self) -> list[str]:
        found = []
        for number, began in self.asked.items():
            answers = self.answers[number]
            if len(answers) != (number not in self.cancelled):
                found.append(f"request {number} has {len(answers)} answers")
            found += [f"request {number} took {at - began:.0f} s" for at in answers if at - began > LONGEST]
        return found


async def converse(directory: Path, seed: int, failures: list[str]) -> None:
    chance = random.Random(seed)
    policy = (
        "version: 1\n"
        "grants:\n"
        "  - {id: all, tool: [a/echo, b/echo], args: any}\n"
        '  - {id: read, resource: {server: a, uri: "file:///one"}}\n'
    )
    with Scene(directory, policy, [], prefixed=True) as scene:
        session = scene.gateway.session
        session.era, session.settled, session.listening = None, False, False
        session.servers.extend(
            Downstream(ServerSpec(name, ("scripted", name), timeout=PATIENCE), scene.gateway) for name in "ab"
        )
        eras = {server.name: chance.choice(["l", "m", "lm", "lm"]) for server in session.servers}

        def link(server: Downstream, life: int) -> tuple[ScriptedLink, str]:
            return ScriptedLink(server, life, chance, eras[server.name]), "scripted"

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Downstream, "_new_link", link)
            client = Client(scene, chance)
            await client.live()
            await asyncio.sleep(2 * LONGEST)
            failures += [f"conversation {seed}: {one}" for one in client.wrong()]
            failures += [f"conversation {seed}: {one.id} is still under way" for one in session.in_flight]
            scene.gateway.close()


def test_every_request_is_answered_once_in_bounded_time_whatever_servers_and_client_do(tmp_path: Path) -> None:
    failures: list[str] = []
    for seed in range(CONVERSATIONS):
        failures += run(converse(tmp_path / str(seed), seed, failures))
    assert failures == []
