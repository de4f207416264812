"""What `init` found and would do, for people and programs. Secrets are masked, and nothing steers the terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from mcp_guard.clients import Scope, masked_diff
from mcp_guard.clients.masking import masked_arguments
from mcp_guard.record.shown import escaped
from mcp_guard.starting.plan import Change, FileChange
from mcp_guard.starting.survey import Survey, Table

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def plain(text: str) -> str:
    """Somebody else's text: it steers neither the terminal nor our markup."""
    return escape(escaped(text))


def show(console: Console, found: Survey, planned: Sequence[FileChange], passed_over: dict[int, str]) -> None:
    """Every table with its servers, then every file that would be written. `passed_over`: tables, by id, and why."""
    moved = {id(change.table): change for one in planned for change in one.changes}
    for table in found.tables:
        _table(console, table, moved.get(id(table)), passed_over.get(id(table), ""))
    for fault in found.faults:
        console.print(f"\n[red]left alone[/]: {plain(fault)}")
    for one in planned:
        for change in one.changes:
            for file in change.files:
                was = "" if file.old is None else ", kept as it is under another name" if file.aside else ", added to"
                console.print(
                    f"\n[bold]{plain(str(file.path))}[/] [dim]{'new' if file.old is None else 'there' + was}[/]"
                )
                _text(console, file.new.decode().splitlines())
        console.print(f"\n[bold]{plain(str(one.file.path))}[/] [dim]changes[/]")
        for line in masked_diff(one.file, one.loaded.data, one.new).splitlines():
            console.print(f"  {escape(line.expandtabs(4))}", style=_STYLES.get(line[:1]))


def _text(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(f"  {escape(line)}", style="dim" if line.lstrip().startswith("#") else None)


def _table(console: Console, table: Table, change: Change | None, why: str) -> None:
    console.print(table_line(table))
    if not table.movable and not table.left:
        console.print("  no servers")
    if change is not None:
        for server, line in change.moved:
            renamed = f" as `{line.name}`" if line.name != server.entry.name else ""
            lost = f"; dropped: {', '.join(server.dropped)}" if server.dropped else ""
            shown = server_line(server.entry.name, server.shown)
            console.print(f"  [green]behind the guard[/]{plain(renamed)}: {shown}{plain(lost)}")
    else:
        for server in table.movable:
            console.print(f"  [yellow]left[/]: {server_line(server.entry.name, server.shown)}: {plain(why)}")
    for left in table.left:
        style = "green" if left.guarded else "dim" if left.disabled else "yellow"
        state = f"[{style}]{'guarded' if left.guarded else 'left'}[/]"
        why = "" if left.why == "guarded" else f": {plain(left.why)}"  # said once is enough
        console.print(f"  {state}: [bold]{plain(left.entry.name)}[/]{why}")


def table_line(table: Table) -> str:
    """Whose servers these are, and where they stand."""
    where = f"{plain(str(table.loaded.file.path))} [dim]{' > '.join(map(plain, table.section.path))}[/]"
    return f"\n[bold]{table.client.title}[/] ({_whose(table)}): {where}"


def _whose(table: Table) -> str:
    return {
        Scope.USER: "yours, everywhere",
        Scope.PROJECT: "this project's",
        Scope.LOCAL: "yours, in one project",
    }[table.scope]


def server_line(name: str, command: Sequence[str]) -> str:
    """A server's name, and its command or address as it may be shown."""
    return f"[bold]{plain(name)}[/] {plain(shlex.join(masked_arguments(command)))}"


def as_json(
    found: Survey, planned: Sequence[FileChange], passed_over: dict[int, str], *, applied: bool
) -> dict[str, Any]:
    """The plan for programs; every value of an environment or header is masked."""
    moved = {id(change.table): change for one in planned for change in one.changes}
    return {
        "tables": [_table_json(table, moved.get(id(table)), passed_over.get(id(table), "")) for table in found.tables],
        "faults": list(found.faults),
        "files": [
            {"path": str(file.path), "new": file.old is None, "text": file.new.decode()}
            for one in planned
            for change in one.changes
            for file in change.files
        ],
        "changes": [
            {"path": str(one.file.path), "diff": masked_diff(one.file, one.loaded.data, one.new)} for one in planned
        ],
        "applied": applied,
    }


def _table_json(table: Table, change: Change | None, why: str) -> dict[str, Any]:
    return {
        "client": table.client.id,
        "file": str(table.loaded.file.path),
        "table": list(table.section.path),
        "scope": table.scope.value,
        "config": str(change.config) if change else None,
        "policy": str(change.policy) if change else None,
        "moved": [
            {
                "server": server.entry.name,
                "as": line.name,
                "command": masked_arguments(server.shown),
                "env": dict(line.env),
            }
            for server, line in (change.moved if change else ())
        ],
        "left": [
            *({"server": one.entry.name, "why": why, "guarded": False} for one in ([] if change else table.movable)),
            *({"server": one.entry.name, "why": one.why, "guarded": one.guarded} for one in table.left),
        ],
    }
