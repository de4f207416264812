"""The guard in front of a published server behind a URL: server-everything, in Node, on streamable HTTP."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.end_to_end.test_http_servers import guarded, text
from tests.end_to_end.world import PUBLISHED
from tests.guards import Stand, decision_in
from tests.patience import PATIENCE
from tests.ports import free_port

pytestmark = pytest.mark.servers

EVERYTHING = PUBLISHED / "node_modules" / ".bin" / "mcp-server-everything"
POLICY = "version: 1\ngrants: [{id: echo, tool: web/echo, args: {message: {not_in: [secret]}}}]\n"


@asynccontextmanager
async def everything(port: int) -> AsyncIterator[None]:
    """The server, once it takes connections."""
    environment = {"PATH": os.environ["PATH"], "PORT": str(port)}
    nothing = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        str(EVERYTHING), "streamableHttp", env=environment, stdin=nothing, stdout=nothing, stderr=nothing
    )
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    _, writer = await asyncio.open_connection("localhost", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_published_server_is_held_to_its_policy_and_survives_a_restart_of_itself(tmp_path: Path) -> None:
    stand, port = Stand(tmp_path, POLICY), free_port()
    async with guarded(stand, f"http://localhost:{port}/mcp") as client:
        async with everything(port):
            await client.initialize()
            assert {tool["name"] for tool in await client.list_all()} == {"web__echo"}
            assert text(await client.call("web__echo", {"message": "hi"})) == "Echo: hi"
            assert decision_in(await client.call("web__echo", {"message": "secret"}))["reason"] == "no_grant"
        assert decision_in(await client.call("web__echo", {"message": "nobody there"}))["reason"] == "unavailable"
        async with everything(port):
            # It has forgotten the session, and says so; that call isn't made again, the next one is.
            answer = await client.start("tools/call", {"name": "web__echo", "arguments": {"message": "forgotten"}})
            assert "error" in await asyncio.wait_for(answer, PATIENCE)
            await client.wait_for_notification("notifications/tools/list_changed")
            assert text(await client.call("web__echo", {"message": "again"})) == "Echo: again"
    outcomes = [row.outcome or row.reason for row in stand.decisions()]
    assert (outcomes[:3], outcomes[-1]) == (["ok", "no_grant", "not_sent"], "ok")
