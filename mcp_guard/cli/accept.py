"""`mcp-guard accept`: a person looks at what changed in the files that say what is granted, and lets it count."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from mcp_guard import presence
from mcp_guard.accepting.alone import Alone, alone
from mcp_guard.accepting.gate import Gate, Standing, settle
from mcp_guard.accepting.servers import differences
from mcp_guard.accepting.stacks import Asked, Stack
from mcp_guard.cli.diff import show as show_comparison
from mcp_guard.cli.setting_up import clock, local_principal, parse_settings
from mcp_guard.errors import GuardError, InputError
from mcp_guard.lock.drift import drift
from mcp_guard.lock.servers import Lock
from mcp_guard.lock.words import in_words
from mcp_guard.policy.compare import compare
from mcp_guard.policy.compare_words import as_data
from mcp_guard.record import place
from mcp_guard.record.acting import acting
from mcp_guard.record.shown import escaped

SESSION = "person"
"""The session under which the record keeps an acceptance: it belongs to no client."""


@click.command(epilog="Examples: mcp-guard accept --config guard.yaml\n\nmcp-guard accept --policy project.yaml --show")
@click.option("--config", type=click.Path(path_type=Path), help="This guard.yaml and what it names (the default).")
@click.option("--policy", type=click.Path(path_type=Path), help="This policy, as `wrap` gets it.")
@click.option("--mandate", type=click.Path(path_type=Path), help="And this mandate.")
@click.option("--lock", type=click.Path(path_type=Path), help="And this lock (guard.yaml names its own).")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A variable of the documents.")
@click.option("--show", is_flag=True, help="Only say what differs. Exit code 1 if something waits.")
@click.option("--json", "as_json", is_flag=True, help="The same for programs; accepts nothing.")
@click.option("--state", type=click.Path(path_type=Path), help="The record's directory.")
def accept(
    config: Path | None,
    policy: Path | None,
    mandate: Path | None,
    lock: Path | None,
    settings: tuple[str, ...],
    show: bool,
    as_json: bool,
    state: Path | None,
) -> int:
    """Say what the files on disk permit beyond what is in force, ask for your PIN, and let them count from here on.

    A policy, mandate, lock or guard.yaml is accepted at first sight. A later version counts if it is
    proved narrower; any other waits for this command, and what was accepted before stays in force.

    Exit code 1 when nothing was accepted that waits, 2 when a file doesn't load.
    """
    if config is not None and (policy is not None or lock is not None):
        raise InputError("`--config` stands alone: guard.yaml names policy and lock")
    if config is None and policy is None and mandate is None:
        config = Path("guard.yaml")
    asked = Asked(config, policy, mandate, lock, parse_settings(settings, Path.cwd()))
    directory = place.state_directory(state)
    gate = Gate(asked, directory)
    standing = gate.stand()
    if standing.broken:
        raise InputError(standing.broken)
    files = standing.changed or gate.elsewhere()
    waits = bool(files)
    new = standing.waiting or standing.force
    wanted = gate.accepted_now(standing)
    others = tuple(alone(directory, standing.force, new, wanted)) if waits else ()
    files = tuple(dict.fromkeys([*files, *(one.path for one in others)]))
    if as_json:
        click.echo(json.dumps({**_as_data(standing), "alone": dict(map(_alone_as_data, others))}, indent=2))
        return 1 if waits else 0
    _show(standing, files)
    _show_alone(others)
    if show or not waits:
        return 1 if waits else 0
    presence.require(directory, f"accept {', '.join(map(str, files))} as shown", clock=clock)
    with acting(directory, SESSION, clock) as record:
        settle(record, directory, new, wanted, local_principal())
    click.echo(
        "mcp-guard: accepted; it counts wherever a guard starts with it, and within seconds in those that run", err=True
    )
    return 0


def _show(standing: Standing, files: Iterable[Path]) -> None:
    new = standing.waiting
    if new is None and files:
        for path in files:
            name = escaped(str(path))
            click.echo(f"{name}: for this command line nothing waits; another has a narrower version in force")
        return None
    if new is None:
        for path in standing.first:
            click.echo(f"{escaped(str(path))} was not seen before; the first start accepts it")
        return click.echo("nothing waits: what is on disk is in force, or will be at the next start")
    for path in standing.changed:
        click.echo(f"changed: {escaped(str(path))}")
    for line in (*_of_servers(standing.force, new), *_of_lock(standing.force, new)):
        click.echo(f"  {escaped(line)}")
    if standing.force.layers and new.layers:
        show_comparison(Console(highlight=False, soft_wrap=True), _compared(standing.force, new))
    return None


def _show_alone(others: Iterable[Alone]) -> None:
    for one in others:
        with_what = ", ".join(f"{name}={value}" for name, value in sorted(one.new.variables.items()))
        click.echo(escaped(f"{one.path}, by itself, as it would count for every command line (here with {with_what}):"))
        if one.old is None:
            click.echo("  what counts until now can't be read with these variables: compare the two yourself")
        else:
            show_comparison(Console(highlight=False, soft_wrap=True), compare((one.old,), (one.new,)))


def _alone_as_data(one: Alone) -> tuple[str, Any]:
    return str(one.path), None if one.old is None else as_data(compare((one.old,), (one.new,)))


def _compared(old: Stack, new: Stack) -> Any:
    """What the documents permit. Raises GuardError where there is nothing on one side to compare."""
    if not old.layers or not new.layers:
        raise GuardError("one side has no documents")
    return compare(old.layers, new.layers)


def _of_servers(old: Stack, new: Stack) -> Iterator[str]:
    if old.plain is not None and new.plain is not None:
        yield from differences(old.plain, new.plain)


def _of_lock(old: Stack, new: Stack) -> Iterator[str]:
    before, after = old.lock or Lock(), new.lock or Lock()
    if before.servers != after.servers:
        yield from in_words(drift(before, after), before, after)


def _as_data(standing: Standing) -> dict[str, Any]:
    old, new = standing.force, standing.waiting
    if new is None:
        return {"waiting": [], "servers": [], "lock": [], "documents": None}
    both = bool(old.layers and new.layers)
    return {
        "waiting": [str(path) for path in standing.changed],
        "servers": list(_of_servers(old, new)),
        "lock": list(_of_lock(old, new)),
        "documents": as_data(_compared(old, new)) if both else None,
    }
