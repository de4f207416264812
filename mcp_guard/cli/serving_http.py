"""Runs a guard as an HTTP server, behind a token, until it is told to stop."""

from __future__ import annotations

from contextlib import ExitStack
from urllib.parse import urlsplit

import anyio
import click

from mcp_guard.cli.serving import end
from mcp_guard.gateway import Conversations
from mcp_guard.guard import Guard
from mcp_guard.transports.http import serve
from mcp_guard.transports.http_access import Access, token_file, token_from_env
from mcp_guard.transports.http_listen import parse_address


def serve_http(guard: Guard, address: str, token_env: str | None) -> int:
    """Serve clients on `address` (HOST:PORT). Returns the exit code.

    Raises InputError for an address that isn't safe.
    """
    host, port = parse_address(address)
    conversations = Conversations(guard, one_client=False)
    with ExitStack() as stack:
        stack.callback(end, guard)
        if token_env is not None:
            token, where = token_from_env(token_env), f"the one in {token_env}"
        else:
            path = guard.record.directory / f"http-{port}.token"
            token, where = stack.enter_context(token_file(path)), f"in {path}"

        def ready(url: str) -> None:
            guard.protection.listen_on(urlsplit(url).port or port)
            click.echo(f"mcp-guard: serving {url}\nmcp-guard: bearer token: {where}", err=True)

        async def main() -> None:
            await serve(
                conversations,
                host=host,
                port=port,
                access=Access(token),
                on_ready=ready,
                input_schema=conversations.input_schema,
            )

        anyio.run(main)
    return 0
