"""`mcp-guard lock`: put down what the servers offer now, and say what became of what was there before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from mcp_guard.accepting.stacks import Asked
from mcp_guard.catalog import SERVER_NAME
from mcp_guard.cli.accepting import standing_of
from mcp_guard.cli.containing import say_contained
from mcp_guard.cli.serving import end
from mcp_guard.cli.setting_up import build_guard, load_documents, local_principal, say_unset
from mcp_guard.config import load_config
from mcp_guard.errors import InputError
from mcp_guard.floating import pinned_line
from mcp_guard.guard import Guard
from mcp_guard.lock.drift import Change, drift
from mcp_guard.lock.servers import Lock, ServerPin, Strength
from mcp_guard.lock.words import headline, in_words
from mcp_guard.lock_file import NAME, load_lock, write_lock
from mcp_guard.looking import Look, look
from mcp_guard.pinning import first_seen_as
from mcp_guard.policy.document import Document
from mcp_guard.record.schema import patiently
from mcp_guard.server_spec import ServerSpec, identity

PROVES = {
    Strength.NOTHING: "nothing tells what its command starts",
    Strength.NAME: "a package without a version: it may be another one tomorrow",
    Strength.ADDRESS: "whoever answers at this address",
    Strength.VERSION: "one version of a package, as good as the registry that it comes from",
    Strength.CONTENT: "this very program, though not what it loads",
}


@click.command(epilog="Example: mcp-guard lock --config guard.yaml --check")
@click.option("--config", type=click.Path(path_type=Path), help="The servers of this guard.yaml (default: guard.yaml).")
@click.option("--name", help="The server's name in the policy, with its command after --.")
@click.option("--lock", "file", type=click.Path(path_type=Path), help="The lock file (default: as guard.yaml says).")
@click.option("--server", help="Only this server of guard.yaml; what is locked of the others stays.")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit code 1 if anything drifted.")
@click.option("--accept-first-sight", "accept", is_flag=True, help="Write no lock: what is offered now is first sight.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.argument("command", nargs=-1, metavar="[-- COMMAND...]")
def lock(
    config: Path | None,
    name: str | None,
    file: Path | None,
    server: str | None,
    only_check: bool,
    accept: bool,
    as_json: bool,
    command: tuple[str, ...],
) -> int:
    """Start the servers, list what they offer, show what changed in words, and write guard.lock.

    Under a lock, `run` and `wrap --lock` show only what is in it and still is what it was. Without one, what was first
    seen counts, and --accept-first-sight takes what is offered now for that.

    Exit code 1 when something drifted (with --check) or a server doesn't answer: then nothing is written.
    """
    if accept and (only_check or file is not None):
        raise InputError("`--accept-first-sight` writes no lock; leave out `--check` and `--lock`")
    specs, target, own = _servers(config, name, file, command)
    wanted = _wanted(specs, server)
    before = load_lock(target) if target.exists() else Lock()
    if only_check and not target.exists():
        raise InputError(f"there is no {target} to check; write it with `mcp-guard lock`")
    granting = None if command else _granting(wanted, config or Path("guard.yaml"))
    guard = build_guard(wanted, policy=granting, mandate=None, prefixed=True, own_files=(*own, target))
    say_contained(guard.specs)
    try:
        found = asyncio.run(look(guard, local_principal()))
        silent = [spec.name for spec in wanted if spec.name not in found]
        for one in silent:
            click.echo(f"mcp-guard: {one} doesn't answer, so nothing is written; see `mcp-guard check`", err=True)
        if silent:
            return 1
        if accept:
            return _accept(guard, found, as_json=as_json)
    finally:
        end(guard)
    looked = {one: each.pin for one, each in found.items()}
    kept = before.servers if server is not None or command else {}
    after = Lock({**kept, **looked}, str(target))
    changes = drift(before, after)
    if not only_check:
        write_lock(target, after)
    if as_json:
        click.echo(json.dumps(_as_json(changes, after, target), indent=2))
    else:
        _show(changes, before, after, target, wanted, only_check=only_check)
    return 1 if only_check and changes else 0


def _servers(
    config: Path | None, name: str | None, file: Path | None, command: tuple[str, ...]
) -> tuple[tuple[ServerSpec, ...], Path, tuple[Path, ...]]:
    """The servers, the lock's place, and the files that are the guard's own."""
    if not command:
        if name is not None:
            raise InputError("`--name` goes with the server's command: mcp-guard lock --name NAME -- COMMAND")
        loaded = load_config(config or Path("guard.yaml"), lock_may_be_missing=True)
        say_unset(loaded)
        return loaded.servers, file or loaded.lock_place, (loaded.file,)
    if config is not None:
        raise InputError("`--config` stands alone: guard.yaml names the servers")
    if name is not None and not SERVER_NAME.fullmatch(name):
        raise InputError(f"`{name}` can't be a server's name; use letters, digits, `_` and `-`")
    return (ServerSpec(name or "server", command),), file or Path(NAME), ()


def _granting(specs: Iterable[ServerSpec], config: Path) -> Document | None:
    """The policy by whose grants contained servers get their files, as it is in force: they start as `run` starts them.

    None where no server's files go by grants. What is offered isn't filtered by it.
    """
    if not any(spec.contain is not None and spec.contain.files == "grants" for spec in specs):
        return None
    asked = Asked(config)
    try:
        return standing_of(asked).force.policy
    except (
        InputError
    ):  # nothing is accepted yet, and the lock that guard.yaml names may be the one that is to be written
        loaded = load_config(config, lock_may_be_missing=True)
        return load_documents(loaded.policy, None, loaded.variables)[0]


def _wanted(specs: tuple[ServerSpec, ...], server: str | None) -> tuple[ServerSpec, ...]:
    wanted = tuple(spec for spec in specs if server in (None, spec.name))
    if not wanted:
        raise InputError(f"there is no server `{server}`; there is {', '.join(spec.name for spec in specs)}")
    return wanted


def _accept(guard: Guard, found: dict[str, Look], *, as_json: bool) -> int:
    """What the servers offer now is their first sight from here on: a person said so."""
    from mcp_guard.lock.pins import PinKind
    from mcp_guard.pinning import INSTRUCTIONS

    for spec in guard.specs:
        seen = found[spec.name]
        pins = {key: pin for kind, items in seen.listed.items() for key, pin in first_seen_as(kind, items).items()}
        pins[INSTRUCTIONS] = seen.pin.instructions
        tools = [name for kind, name in seen.pin.pins if kind is PinKind.TOOL]
        key = identity(spec, guard.record.key)
        patiently(lambda key=key, tools=tools, pins=pins: guard.record.see_anew(key, tools, pins))  # type: ignore[misc]
        if not as_json:
            click.echo(f"{spec.name}: what it offers now counts as first seen: {_count(seen.pin)}")
    if as_json:
        click.echo(json.dumps({"accepted": {name: _count(each.pin) for name, each in found.items()}}, indent=2))
    return 0


def _count(pin: ServerPin) -> str:
    kinds = [kind.value for kind, _ in pin.pins]
    parts = [f"{kinds.count(kind)} {kind}{'' if kinds.count(kind) == 1 else 's'}" for kind in dict.fromkeys(kinds)]
    return ", ".join(parts) or "nothing"


def _show(
    changes: tuple[Change, ...],
    before: Lock,
    after: Lock,
    target: Path,
    specs: Iterable[ServerSpec],
    *,
    only_check: bool,
) -> None:
    for line in in_words(changes, before, after):
        click.echo(line)
    if not changes:
        click.echo("nothing has changed")
    for spec in specs:
        pin = after.servers[spec.name]
        identity = f"{pin.identity.of or 'unknown'} ({pin.identity.strength}: {PROVES[pin.identity.strength]})"
        click.echo(f"{spec.name}: {_count(pin)}; {identity}")
        if pin.identity.strength is Strength.NAME and (line := pinned_line(spec)):
            click.echo(f"  to pin it: {line}")
    if not only_check:
        click.echo(f"wrote {target}; read it, and keep it beside guard.yaml under version control")
        if changes:
            click.echo(
                "what is new in it waits for `mcp-guard accept`"
                if before.servers
                else "guards that run go by it from their next start on"
            )
    elif changes:
        click.echo(f"{len(changes)} differences; if they are meant: mcp-guard lock")


def _as_json(changes: Iterable[Change], after: Lock, target: Path) -> dict[str, Any]:
    return {
        "lock": str(target),
        "changes": [
            {
                "sort": change.sort.value,
                "server": change.server,
                "kind": change.kind.value if change.kind is not None else "server",
                "name": change.name,
                "parts": list(change.parts),
                "looser": list(change.looser),
                "like": change.like,
                "withholds": change.withholds,
                "words": headline(change),
            }
            for change in changes
        ],
        "servers": {
            name: {"identity": pin.identity.of, "strength": pin.identity.strength.value, "offers": _count(pin)}
            for name, pin in after.servers.items()
        },
    }
