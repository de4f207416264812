"""Starts a server once, to see its tools, after a person has seen and confirmed the very command.

A configuration may be somebody else's text: a cloned repository's names any command it likes.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import click

from mcp_guard.catalog import Tool
from mcp_guard.catalogue import find
from mcp_guard.clients.masking import MASK, masked_address, masked_arguments
from mcp_guard.record.shown import escaped
from mcp_guard.server_spec import ServerSpec
from mcp_guard.starting.entry_rules import Server
from mcp_guard.starting.guard_text import ServerLine
from mcp_guard.starting.naming import says_secret, steers
from mcp_guard.starting.tool_views import ServerView
from mcp_guard.starting.views import view
from mcp_guard.transports.spawn import MINIMAL_ENVIRONMENT


class Lister:
    """Knows which servers may be started: those that were named on the command line, or are confirmed one by one."""

    def __init__(self, named: Collection[str], *, may_ask: bool) -> None:
        self._named = named
        self._may_ask = may_ask

    def look(self, line: ServerLine, server: Server, config: Path) -> ServerView:
        """What is known of a server; it is started only if a person wants that."""
        tools = self._listed(line, server) if self._wanted(line, server) else None
        return view(line.name, line.command, config, tools, line.env)

    def _wanted(self, line: ServerLine, server: Server) -> bool:
        if server.url:
            return False  # asking it would send it a credential; `check` does, once it is behind the guard
        if server.entry.name in self._named:
            _say(f"starting `{line.name}`, to list its tools:", line, server)
            return True
        if not self._may_ask or find(line.command, line.env) is not None:
            return False
        _say(f"\n`{line.name}` isn't in the effects catalogue. This is what starts it:", line, server)
        return click.confirm("Start it once, to list its tools for the policy?", default=False, err=True)

    def _listed(self, line: ServerLine, server: Server) -> Sequence[Tool] | None:
        from mcp_guard.cli.check import ask  # it brings what draws tables
        from mcp_guard.cli.serving import end
        from mcp_guard.cli.setting_up import build_guard

        known = {name: os.environ[name] for name in MINIMAL_ENVIRONMENT if name in os.environ}
        given = {name: value for name, value in server.env.items() if value is not None and "${" not in value}
        spec = ServerSpec(line.name, line.command, {**known, **given}, line.cwd)
        guard = build_guard((spec,), policy=None, mandate=None, prefixed=False, own_files=())
        try:
            (report,) = asyncio.run(ask(guard))
        finally:
            end(guard)
        if not report.answered:
            why = f": {escaped(report.why)}" if report.why else ""
            click.echo(f"`{escaped(line.name)}` doesn't answer{why}; the policy is written without its list", err=True)
            return None
        return report.tools


def _say(head: str, line: ServerLine, server: Server) -> None:
    """All that decides what runs: each word on a line of its own, the directory, the environment."""
    click.echo(head, err=True)
    for word in line.command:
        click.echo(f"    {escaped(word)}", err=True)
    click.echo(f"  in {escaped(line.cwd)}", err=True)
    for name, value in server.env.items():
        click.echo(f"  with {escaped(name)}={escaped(_shown(name, value or ''))}", err=True)


def _shown(name: str, value: str) -> str:
    """A value that changes what runs is shown whole; of the others, what may be a secret isn't."""
    if says_secret(name):
        return MASK
    if steers(name):
        return masked_address(value) if "://" in value else value
    return str(masked_arguments([value])[0])


def on_a_terminal() -> bool:
    """Is there somebody to ask?"""
    return sys.stdin.isatty() and sys.stderr.isatty()
