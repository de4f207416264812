"""`mcp-guard check --clients`: what goes past the guard: servers that clients reach directly, tools of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from mcp_guard.cli.init_show import plain, server_line, table_line
from mcp_guard.clients import Client, this_machine
from mcp_guard.starting.closing import Closing, closings
from mcp_guard.starting.entry_rules import Left
from mcp_guard.starting.places import guards_home, program, project_of
from mcp_guard.starting.survey import Survey, Table, survey

HIDES = "it has the name of your guard, and the client may take it in the guard's place"
NOT_YET = "nothing stands in front of it; `mcp-guard init` can put a guard there"


def check_clients(*, as_json: bool) -> int:
    """Report on every client's files. 1 if a server is reached directly, 2 if a file can't be read."""
    here, home = Path.cwd(), Path.home()
    places = this_machine(here)
    found = survey(places, program(lasting=False), project_of(here, home, guards_home()))
    clients = {file.client.id: file.client for file in found.files}
    own = [one for client in clients.values() for one in closings(client, places)]
    if as_json:
        click.echo(json.dumps(_as_json(found, own), indent=2))
    else:
        _show(Console(highlight=False, soft_wrap=True), found, list(clients.values()), own)
    if found.faults:
        return 2
    return 1 if any(_direct(table, found) for table in found.tables) else 0


def _direct(table: Table, found: Survey) -> list[tuple[str, tuple[str, ...], str]]:
    """The servers of a table that no guard stands in front of: name, what is run or reached, and why."""
    hidden = _guards_elsewhere(table, found)
    waiting = [(one.entry.name, one.shown, HIDES if one.entry.name in hidden else NOT_YET) for one in table.movable]
    left = [
        (one.entry.name, _shown(one), f"{HIDES}; {one.why}" if one.entry.name in hidden else one.why)
        for one in table.left
        if one.direct
    ]
    return [*waiting, *left]


def _shown(left: Left) -> tuple[str, ...]:
    return left.entry.command or ((left.entry.url,) if left.entry.url else ())


def _guards_elsewhere(table: Table, found: Survey) -> set[str]:
    """The names of this client's guards in other tables: of two entries with one name, the project's may win."""
    others = [one for one in found.tables if one is not table and one.client is table.client]
    return {guard.name for one in others for guard in one.guards if not guard.doubt}


def _show(console: Console, found: Survey, clients: list[Client], own: list[Closing]) -> None:
    for table in found.tables:
        console.print(table_line(table))
        for name, shown, why in _direct(table, found):
            console.print(f"  [red]direct[/]   {server_line(name, shown)}: {plain(why)}")
        for one in table.left:
            if not one.direct:
                head = "[green]guarded[/]" if one.guarded else "[dim]off[/]    "
                console.print(f"  {head}  [bold]{plain(one.entry.name)}[/]{_more(one.why)}")
        if not table.movable and not table.left:
            console.print("  no servers")
    for fault in found.faults:
        console.print(f"\n[red]can't tell[/]: {plain(fault)}")
    if not found.tables and not found.faults:
        console.print("no client's configuration with MCP servers was found")
    for client in clients:
        console.print(f"\n[bold]{client.title}[/]: tools of its own, which no guard sees")
        for closing in own:
            if closing.client is client:
                _show_closing(console, closing)


def _more(why: str) -> str:
    return "" if why == "guarded" else f": {plain(why)}"


def _show_closing(console: Console, closing: Closing) -> None:
    tools = closing.tools
    names = f"{plain(tools.tools)} ({tools.reach})"
    if closing.set_in is not None:
        console.print(f"  [green]set[/]    {names}: in {plain(str(closing.set_in))}")
    else:
        console.print(f"  [yellow]open[/]   {names}")
        console.print(f"         to close: {plain(tools.where)}{':' if tools.setting else ''}")
        for line in tools.setting.splitlines():
            console.print(f"           {escape(line)}", style="cyan")
    if tools.note:
        console.print(f"         {plain(tools.note)}", style="dim")


def _as_json(found: Survey, own: list[Closing]) -> dict[str, Any]:
    return {
        "tables": [
            {
                "client": table.client.id,
                "file": str(table.loaded.file.path),
                "table": list(table.section.path),
                "scope": table.scope.value,
                "direct": [{"server": name, "why": why} for name, _, why in _direct(table, found)],
                "guarded": [one.entry.name for one in table.left if one.guarded],
                "off": [one.entry.name for one in table.left if one.disabled],
            }
            for table in found.tables
        ],
        "faults": list(found.faults),
        "own_tools": [
            {
                "client": one.client.id,
                "tools": one.tools.tools,
                "reach": one.tools.reach,
                "setting": one.tools.setting,
                "where": one.tools.where,
                "note": one.tools.note,
                "set_in": str(one.set_in) if one.set_in is not None else None,
            }
            for one in own
        ],
    }
