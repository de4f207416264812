"""A gateway in memory in front of a server that is reached by URL: the whole way but the client's pipes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp_guard.downstream import Downstream
from mcp_guard.eras import Era
from mcp_guard.server_spec import ServerSpec
from mcp_guard.transports.http_link_remote import Remote
from mcp_guard.transports.link import see_links_end
from tests.fixtures.http_server import LEGACY, HttpServer
from tests.guards import ALL_OF_RAW, Scene
from tests.transports.processes import until

HELLO = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
ONCE = 'version: 1\ngrants: [{id: one, tool: "raw/echo", args: any, budget: {calls: 1}}]\n'


@asynccontextmanager
async def remote_scene(
    directory: Path, server: HttpServer | str, policy: str = ALL_OF_RAW, era: Era = Era.LEGACY, **settings: Any
) -> AsyncIterator[Scene]:
    """The server is called `raw` in the policy. Nothing has been said to it yet: `begin` does."""
    url = server if isinstance(server, str) else server.url
    with Scene(directory, policy=policy, servers=[], era=era) as scene:
        session = scene.gateway.session
        session.era, session.settled = None, False
        session.servers.append(Downstream(ServerSpec("raw", remote=Remote(url, **settings)), scene.gateway))
        try:
            yield scene
        finally:
            scene.gateway.close()
            await see_links_end(5)
            if isinstance(server, HttpServer):
                await until(lambda: server.open == 0, "connections stay open")


async def begin(scene: Scene) -> dict[str, Any]:
    """The handshake of the scene's era."""
    if scene.era is Era.MODERN:
        return await scene.ask("server/discover")
    return await scene.ask("initialize", HELLO)


def remote(scene: Scene) -> Downstream:
    return scene.gateway.session.servers[0]
