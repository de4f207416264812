"""The servers of a run, and the `guard.yaml` that names them: sound, noisy and repeating ones on stdio, and ones that
are reached by URL, break, and forget their sessions.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.soak.ledger import Ledger
from tests.fixtures.client import RAW_SERVER
from tests.fixtures.http_server import Heard, HttpServer, Wire, result, serving
from tests.guards import spelt_out

REPOSITORY = Path(__file__).parents[3]
ON_STDIO: Sequence[Sequence[str]] = ((), ("--hostile", "garbage"), ("--hostile", "duplicate"))
SLOW = 0.05
"""Seconds that a slow answer takes."""


@dataclass
class World:
    """One run's directory."""

    home: Path
    chance: random.Random
    ledger: Ledger
    stdio: list[str] = field(default_factory=list)
    remote: list[str] = field(default_factory=list)
    _http: list[HttpServer] = field(default_factory=list)

    @property
    def servers(self) -> list[str]:
        return [*self.stdio, *self.remote]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "MCP_GUARD_STATE": str(self.home / "state"), "PYTHONPATH": str(REPOSITORY)}

    @property
    def config(self) -> Path:
        return self.home / "guard.yaml"

    def guard(self, *more: str) -> list[str]:
        """The command of a guard in front of all servers."""
        return [sys.executable, "-m", "tests.faults.soak.observed", "run", "--config", str(self.config), *more]

    def ledgers(self) -> list[Path]:
        return [self.home / f"{name}.ledger" for name in self.stdio]

    @asynccontextmanager
    async def running(self, servers: int) -> AsyncIterator[None]:
        """Write the documents and run the servers that are reached by URL. Of five, two are."""
        lines = ["version: 1", "policy: policy.yaml", "servers:"]
        async with AsyncExitStack() as stack:
            for number in range(servers):
                name = f"s{number}"
                if number % 5 in (2, 4):
                    server = await stack.enter_async_context(serving(tools_call=self._faulty))
                    self._http.append(server)
                    self.remote.append(name)
                    lines.append(f"  {name}: {{url: {json.dumps(server.url)}, timeout: 10}}")
                else:
                    lines.append(f"  {name}: {json.dumps({'command': self._command(name), 'timeout': 10})}")
                    self.stdio.append(name)
            self.config.write_text("\n".join(lines))
            tools = json.dumps([f"{name}/*" for name in self.servers])
            policy = f"version: 1\ngrants: [{{id: all, tool: {tools}, args: any}}]\n"
            (self.home / "policy.yaml").write_text(spelt_out(policy))
            yield

    def _command(self, name: str) -> list[str]:
        hostile = ON_STDIO[len(self.stdio) % len(ON_STDIO)]
        return [sys.executable, "-S", str(RAW_SERVER), "--ledger", str(self.home / f"{name}.ledger"), *hostile]

    async def _faulty(self, heard: Heard, wire: Wire) -> None:
        """Answer a call, mostly; the rest is what servers on the web do."""
        self.ledger.remote[str(heard.message["params"]["arguments"].get("text"))] += 1
        for server in self._http:
            server.heard.clear()
        fault = self.chance.choices(["none", "slow", "cut", "502", "forgets", "no HTTP"], [90, 6, 1, 1, 0.3, 1])[0]
        if fault != "none":
            self.ledger.faults[f"http server: {fault}"] += 1
        match fault:
            case "cut":
                wire.cut()
            case "502":
                await wire.respond(502, b"<html>", content_type="text/html")
            case "forgets":
                await wire.respond(404)
            case "no HTTP":
                await wire.send(b"SSH-2.0\r\n")
                wire.cut()
            case _:
                await asyncio.sleep(SLOW if fault == "slow" else 0)
                await wire.json(result(heard))


def texts(lines: list[dict[str, Any]]) -> list[str]:
    """What the ledger of a stdio server says that it executed, by nonce."""
    return [str(line["nonce"]) for line in lines if line["nonce"] is not None]
