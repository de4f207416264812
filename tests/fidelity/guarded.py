"""A guard for the suite to run against: one server of a guard.yaml under its own names, on HTTP or stdio.

The parts are those of `mcp-guard run`. What differs: the tools keep their names, since the suite calls them by name;
and over HTTP a door adds the token, since the suite has none.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import secrets
import sys
from pathlib import Path

from mcp_guard.cli.serving import end, serve_stdio
from mcp_guard.cli.setting_up import build_guard, load_documents
from mcp_guard.config import load_config
from mcp_guard.conversations import Conversations
from mcp_guard.errors import InputError
from mcp_guard.guard import Guard
from mcp_guard.transports.spawn import adopt_orphans
from tests.fidelity.door import Door
from tests.guards import harmless
from tests.ports import free_port


def build(config: Path) -> Guard:
    """The guard of a guard.yaml with one server. Raises InputError."""
    loaded = load_config(config)
    policy, mandate = load_documents(loaded.policy, loaded.mandate, loaded.variables)
    guard = build_guard(loaded.servers, policy=policy, mandate=mandate, prefixed=False, own_files=(config,))
    guard.look_up = lambda _: harmless()  # the policy grants everything by a pattern
    return guard


async def serve_http(guard: Guard, port: int) -> None:
    """Serve on `port` until a signal comes, through a door."""
    from mcp_guard.transports.http import serve
    from mcp_guard.transports.http_access import Access

    door = Door(port, free_port(), secrets.token_urlsafe(32))
    origins = frozenset({f"http://localhost:{port}", f"http://127.0.0.1:{port}"})
    conversations = Conversations(guard, one_client=False)
    ready = asyncio.Event()

    async def opened() -> None:
        await ready.wait()
        async with door.open():
            await asyncio.Event().wait()

    waiting = asyncio.ensure_future(opened())
    try:
        await serve(
            conversations,
            host="127.0.0.1",
            port=door.inner,
            access=Access(door.token, origins),
            on_ready=lambda _: ready.set(),
            input_schema=conversations.input_schema,
        )
    finally:
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting


def main() -> int:
    """Serve; exit code 2 when the configuration isn't one that this version of the guard takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--port", type=int, help="serve HTTP here instead of stdio")
    given = parser.parse_args()
    try:
        guard = build(given.config)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    if given.port is None:
        return serve_stdio(guard)
    adopt_orphans()
    try:
        asyncio.run(serve_http(guard, given.port))
    finally:
        end(guard)
    return 0


if __name__ == "__main__":
    sys.exit(main())
