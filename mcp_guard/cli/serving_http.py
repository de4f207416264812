"""Runs a guard as an HTTP server, behind a token, until it is told to stop."""

from __future__ import annotations

import gc
import os
from contextlib import ExitStack
from dataclasses import replace
from urllib.parse import urlsplit

import anyio
import click

from mcp_guard.accepting.bearers import Bearers
from mcp_guard.cli.serving import end
from mcp_guard.cli.setting_up import local_principal
from mcp_guard.conversations import Conversations
from mcp_guard.errors import InputError
from mcp_guard.giving_back import GivingBack
from mcp_guard.guard import Guard
from mcp_guard.own_ports import announced
from mcp_guard.transports.http import serve
from mcp_guard.transports.http_access import Access, token_file, token_from_env
from mcp_guard.transports.http_intake import Bounds
from mcp_guard.transports.http_link_remote import is_loopback
from mcp_guard.transports.http_listen import parse_address
from mcp_guard.transports.link import never_dial, see_links_end
from mcp_guard.transports.spawn import adopt_orphans


def serve_http(
    guard: Guard,
    address: str,
    token_env: str | None,
    origins: frozenset[str] = frozenset(),
    bearers: Bearers | None = None,
    sessions: int = 64,
) -> int:
    """Serve clients on `address` (HOST:PORT); pages in a browser only from `origins`. Returns the exit code.

    Raises InputError for an address that isn't safe.
    """
    host, port = parse_address(address)
    _check_no_loop(guard, port)
    adopt_orphans()
    conversations = Conversations(guard, one_client=False, views=None if bearers is None else bearers.view)
    with ExitStack() as stack:
        stack.callback(end, guard)
        if token_env is not None:
            access, where = Access(token_from_env(token_env), origins), f"the one in {token_env}"
        else:
            path = guard.record.directory / f"http-{port or os.getpid()}.token"
            access = Access(stack.enter_context(token_file(path)), origins, local_principal())
            where = f"in {path}"

        if bearers is not None:
            access = replace(access, bearers=bearers.holder)

        def ready(url: str) -> None:
            own = urlsplit(url).port or port
            guard.protection.listen_on(own)
            stack.enter_context(announced(guard.record.directory, own))
            never_dial(own)
            click.echo(f"mcp-guard: serving {url}\nmcp-guard: bearer token: {where}", err=True)
            click.echo(f"mcp-guard: its holder, in documents and in the record: {access.principal}", err=True)

        guard.upkeep.also.append(GivingBack().look)
        gc.freeze()  # what was loaded stays: collections in between calls need not look at it again

        async def main() -> None:
            async with guard.upkeep.running():
                await serve(
                    conversations,
                    host=host,
                    port=port,
                    access=access,
                    on_ready=ready,
                    input_schema=conversations.input_schema,
                    bounds=Bounds.of(sessions),
                )
            await see_links_end()

        anyio.run(main)
    return 0


def _check_no_loop(guard: Guard, port: int) -> None:
    """A server that is the guard itself would send it every request again. By other names, the link finds it out."""
    for spec in guard.specs:
        if spec.remote is not None and is_loopback(spec.remote.host) and spec.remote.port == port:
            raise InputError(f"the `url` of `{spec.name}` is the guard's own address; use another port for one of them")
