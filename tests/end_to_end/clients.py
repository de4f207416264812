"""The official SDK's client, connected to a command on stdio or to a guard that serves HTTP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx2
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.end_to_end.world import World
from tests.patience import PATIENCE

"""Seconds for one answer, also of servers that start while others do."""


@asynccontextmanager
async def on_stdio(world: World, command: Sequence[str], mode: str) -> AsyncIterator[Client]:
    """A client whose child process is `command`, in the project's directory."""
    started = StdioServerParameters(
        command=command[0], args=list(command[1:]), env=world.environment, cwd=world.project
    )
    with (world.home / "stderr.log").open("a") as log:
        client = Client(stdio_client(started, errlog=log), mode=mode, read_timeout_seconds=PATIENCE)
        async with client:
            yield client


@dataclass(frozen=True)
class Served:
    """A guard that serves HTTP."""

    pid: int
    url: str
    token: str

    @asynccontextmanager
    async def client(self, mode: str) -> AsyncIterator[Client]:
        """A client that brings the token."""
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {self.token}"}, timeout=PATIENCE) as http:
            transport = streamable_http_client(self.url, http_client=http)
            async with Client(transport, mode=mode, read_timeout_seconds=PATIENCE) as client:
                yield client


@asynccontextmanager
async def served(world: World, command: Sequence[str]) -> AsyncIterator[Served]:
    """`command`, which serves HTTP, from its word that it does to its orderly end."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=world.environment,
        cwd=world.project,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        with anyio.fail_after(PATIENCE):
            url = await _line(process.stderr, r"serving (http\S+)")
            token = await _line(process.stderr, r"bearer token: in (.+)")
        reading = asyncio.create_task(process.stderr.read())  # so that its pipe never fills
        yield Served(process.pid, url, Path(token).read_text())
        process.terminate()
        with anyio.fail_after(PATIENCE):
            await reading
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _line(stream: asyncio.StreamReader, pattern: str) -> str:
    said = ""
    while line := (await stream.readline()).decode():
        if found := re.search(pattern, line):
            return found[1]
        said += line
    raise AssertionError(f"the guard ended: {said}")
