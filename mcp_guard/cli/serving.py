"""Runs a guard on stdio until its client is gone."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import stat

import click

from mcp_guard.cli.setting_up import local_principal
from mcp_guard.conversations import Conversations
from mcp_guard.errors import GuardError, InputError
from mcp_guard.giving_back import GivingBack
from mcp_guard.guard import Guard
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.schema import patiently
from mcp_guard.transports.link import see_links_end
from mcp_guard.transports.spawn import adopt_orphans, see_them_end
from mcp_guard.transports.stdio_front import StdioFront, take_stdio

BY_HAND = "mcp-guard: waiting for an MCP client on stdin; to look around: `mcp-guard check --help`; Ctrl-C ends this"


def serve_stdio(guard: Guard) -> int:
    """Serve one client on stdin and stdout. Returns the exit code; raises InputError if they are files or /dev/null."""
    for number, name in ((0, "stdin"), (1, "stdout")):
        mode = os.fstat(number).st_mode
        if stat.S_ISREG(mode) or (stat.S_ISCHR(mode) and not os.isatty(number)):
            end(guard)
            raise InputError(
                f"{name} is a file; an MCP client talks to the guard through pipes: name it in its settings"
            )
    if os.isatty(0):
        click.echo(BY_HAND, err=True)
    adopt_orphans()
    source, sink = take_stdio()
    guard.upkeep.also.append(GivingBack().look)
    gc.freeze()  # what was loaded stays: collections in between calls need not look at it again

    async def main() -> None:
        front = StdioFront(Conversations(guard, one_client=True), local_principal())
        async with guard.upkeep.running():
            await front.serve(source, sink)
        await see_links_end()

    try:
        asyncio.run(main())
    finally:
        end(guard)
    return 0


def end(guard: Guard) -> None:
    """Close the record in good order; the servers have been told to end."""
    see_them_end()
    if guard.watch is not None:
        guard.watch.close()
    with contextlib.suppress(GuardError):  # the client is gone: there is nobody to tell
        patiently(lambda: guard.record.note(EntryKind.STOPPED, {}))
    guard.upkeep.end()
    if guard.values is not None:
        guard.values.close()
    guard.record.close()
