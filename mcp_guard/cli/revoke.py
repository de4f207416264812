"""`mcp-guard revoke`: take a tool, or some calls of it, away from every guard of one policy, at once.

It only narrows, so it asks for nothing; to take it back asks for the PIN.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from mcp_guard import presence
from mcp_guard.accepting import local
from mcp_guard.accepting.beside import is_told
from mcp_guard.accepting.gate import Gate
from mcp_guard.accepting.local_text import Rule, Scalar
from mcp_guard.accepting.stacks import Asked
from mcp_guard.cli.setting_up import clock, local_principal
from mcp_guard.errors import InputError
from mcp_guard.record import place as places
from mcp_guard.record.query import open_for_reading
from mcp_guard.record.shown import escaped

NOBODY = "no guard has started with this document by this very path, so nothing is taken away from those that run"


@click.command(epilog="Example: mcp-guard revoke mail/send_email --where to=eve@example.com --reason 'not hers'")
@click.argument("tool", metavar="SERVER/TOOL", required=False)
@click.option(
    "--where",
    "clauses",
    multiple=True,
    metavar="ARG=VALUE",
    help="Only calls with exactly this argument; a number is one, in quotes a text.",
)
@click.option("--config", type=click.Path(path_type=Path), help="Beside the policy of this guard.yaml (the default).")
@click.option("--policy", type=click.Path(path_type=Path), help="Beside this policy.")
@click.option("--reason", default="", help="Why, for the record and for you.")
@click.option("--list", "listing", is_flag=True, help="Say what is taken away.")
@click.option(
    "--undo", metavar="ID", help="Permit again what this deny took away (`all`: every one). Asks for your PIN."
)
@click.option("--json", "as_json", is_flag=True, help="The same for programs.")
@click.option("--state", type=click.Path(path_type=Path), help="The record's directory.")
def revoke(
    tool: str | None,
    clauses: tuple[str, ...],
    config: Path | None,
    policy: Path | None,
    reason: str,
    listing: bool,
    undo: str | None,
    as_json: bool,
    state: Path | None,
) -> int:
    """Deny a tool from its next call on, in guards that run too, whatever their policy says.

    The policy file stays as it is: these denies are kept beside the record, one list for each policy, and every guard
    of that policy obeys them. SERVER/* takes all tools of a server.
    """
    if (tool is not None) + listing + (undo is not None) != 1:
        raise InputError("name one of SERVER/TOOL, `--list` and `--undo ID`")
    directory = places.state_directory(state)
    place = _place(config, policy, directory)
    if listing:
        _show(local.rules(directory, place), as_json)
    elif undo is not None:
        presence.require(directory, f"permit again what the local deny {undo} took away", clock=clock)
        gone = local.remove(directory, place, undo, by=local_principal())
        _say({"undone": list(gone)}, f"no longer denied: {', '.join(gone) or 'nothing was'}", as_json)
    else:
        server, slash, name = str(tool).partition("/")
        if not (server and slash and name):
            raise InputError(f"`{tool}` isn't SERVER/TOOL, as the policy writes it")
        given = parse_clauses(clauses)
        by = local_principal()
        rule = local.add(directory, place, server=server, tool=name, clauses=given, reason=reason, by=by)
        _say_if_nobody_goes_by_it(directory, place)
        back = f"mcp-guard revoke --undo {rule}{_as_named(config, policy)}"
        _say({"rule": rule}, f"denied from now on: {tool} ({rule}); `{back}` undoes it", as_json)
    return 0


def _say_if_nobody_goes_by_it(directory: Path, place: str) -> None:
    """Else a wrong path, or another name of the same file, would take nothing away without a word."""
    with open_for_reading(directory) as query:
        if not is_told(query, place):
            click.echo(f"mcp-guard: {NOBODY}", err=True)


def parse_clauses(written: Iterable[str]) -> dict[str, tuple[Scalar, ...]]:
    """`ARG=VALUE`, each argument once. The value is what it is in JSON (a number, true, false, a quoted text), else a
    text as it stands. One type only: to a deny, a call with another type isn't surely another value, so a list of
    two types would fire on every call that gives the argument.
    """
    found: dict[str, tuple[Scalar, ...]] = {}
    for one in written:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise InputError(f"`--where {one}` isn't ARG=VALUE")
        if name in found:
            raise InputError(f"`--where {name}` is given twice; add another deny for the other value")
        found[name] = (_meant(name, value),)
    return found


def _meant(name: str, written: str) -> Scalar:
    try:
        value = json.loads(written, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return written
    if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise InputError(
        f"`--where {name}` names a text, a number, true or false; put a text that looks otherwise in quotes"
    )


def _no_constant(name: str) -> None:
    """JSON has no NaN and no infinity, though Python reads them: these are texts."""
    raise ValueError(name)


def _place(config: Path | None, policy: Path | None, directory: Path) -> str:
    if policy is not None:
        if config is not None:
            raise InputError("`--config` and `--policy` are two ways to name one policy; keep one")
        return local.place_for(policy)
    asked = Asked(config or Path("guard.yaml"))
    place = local.place_in(Gate(asked, directory).stand().force)
    if place is None:
        raise InputError(f"{asked.config} loads nothing")
    return place


def _as_named(config: Path | None, policy: Path | None) -> str:
    """The option that named the policy, for a command that goes on from here."""
    given = f" --config {shlex.quote(str(config))}" if config is not None else ""
    return f" --policy {shlex.quote(str(policy))}" if policy is not None else given


def _show(rules: Iterable[Rule], as_json: bool) -> None:
    found = list(rules)
    if as_json:
        click.echo(json.dumps([_as_data(one) for one in found], indent=2))
        return
    for one in found:
        where = "".join(f" {name}={_value(value)}" for name, value in one.clauses.items())
        why = f": {one.why}" if one.why else ""
        click.echo(escaped(f"{one.key} {one.tool}{where} by {one.by}, {one.at}{why}"))
    if not found:
        click.echo("nothing is taken away beside this policy", err=True)


def _value(value: Any) -> str:
    """As `--where` would be given it: in quotes where the text alone would be read as something else."""
    one = value[0] if isinstance(value, tuple) else value
    return one if isinstance(one, str) and _reads_as_text(one) else json.dumps(one)


def _reads_as_text(text: str) -> bool:
    try:
        return _meant("", text) == text
    except InputError:
        return False


def _as_data(one: Rule) -> dict[str, Any]:
    said = {"rule": one.key, "tool": one.tool, "args": one.clauses}
    return {**said, "reason": one.why, "by": one.by, "at": one.at}


def _say(data: dict[str, Any], words: str, as_json: bool) -> None:
    click.echo(json.dumps(data) if as_json else escaped(words))
