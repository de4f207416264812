"""`mcp-guard init --undo`: the clients' files as they were before, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from mcp_guard.cli.init_show import plain
from mcp_guard.clients import Backups, Change, How, IfChanged, Scope, Undone
from mcp_guard.errors import GuardError
from mcp_guard.record.place import state_directory
from mcp_guard.starting.applying import backups_in
from mcp_guard.starting.places import guards_home

_WORDS = {
    How.RESTORED: "restored, byte for byte",
    How.REVERSED: "restored, but for what was changed since, which stays",
    How.ALREADY: "was as before already",
    How.CHANGED: "left as it is",
    How.GONE: "left: it is gone",
}


def undo(here: Path, *, project: bool, clients: Collection[str], force: bool, as_data: bool) -> int:
    """Restore what can be. 1 if something was left that the person has to settle."""
    kept = backups_in(state_directory())
    wanted: list[Change] = []
    passed_over: list[tuple[Change, str]] = []
    for change in kept.kept():
        why = _why_not(change, here, project=project, clients=clients)
        (passed_over.append((change, why)) if why else wanted.append(change))
    how = IfChanged.FORCE if force else IfChanged.REVERSE  # clients themselves write into these files all the time
    done = [_one(kept, change, how) for change in wanted]
    if as_data:
        click.echo(json.dumps(_as_json(done, passed_over), indent=2))
    else:
        _show(Console(highlight=False, soft_wrap=True), done, passed_over)
    return 0 if all(one.done for one in done) else 1


def _one(kept: Backups, change: Change, how: IfChanged) -> Undone:
    try:
        return kept.undo(change, how)
    except GuardError as error:  # the others can be restored all the same
        return Undone(change, How.CHANGED, str(error))


def _why_not(change: Change, here: Path, *, project: bool, clients: Collection[str]) -> str:
    if clients and change.file.client.id not in clients:
        return f"it is {change.file.client.title}'s"
    if change.file.scope is Scope.PROJECT and not (project and change.file.within.resolve() == here.resolve()):
        return f"it is a project's: `mcp-guard init --undo --project` in {change.file.within}"
    return ""


def _show(console: Console, done: list[Undone], passed_over: list[tuple[Change, str]]) -> None:
    for one in done:
        style = "green" if one.done else "yellow"
        console.print(f"[bold]{plain(str(one.change.file.path))}[/]: [{style}]{_WORDS[one.how]}[/]")
        for line in (one.why, *one.notes):
            if line:
                console.print(f"  {plain(line)}")
        for line in one.diff.splitlines():
            console.print(f"  {escape(line.expandtabs(4))}", style="dim")
    for change, why in passed_over:
        console.print(f"[bold]{plain(str(change.file.path))}[/]: left: {plain(why)}")
    if not done and not passed_over:
        console.print("nothing to undo: no client's file was changed by `mcp-guard init`")
    if any(one.how is How.CHANGED for one in done):
        console.print("\nTo go on: mend it by hand, or `--force`: gives back the old bytes and loses what was changed.")
    if any(one.done for one in done):
        console.print(f"\nguard.yaml and policies stay, in {plain(str(guards_home()))}. Restart the clients.")


def _as_json(done: list[Undone], passed_over: list[tuple[Change, str]]) -> dict[str, Any]:
    return {
        "undone": [
            {"file": str(one.change.file.path), "how": one.how.value, "why": one.why, "diff": one.diff} for one in done
        ],
        "left": [{"file": str(change.file.path), "why": why} for change, why in passed_over],
    }
