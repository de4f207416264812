"""`mcp-guard stop`: the kill switch. Binds every guard of this record at once, and over restarts."""

from __future__ import annotations

from pathlib import Path

import click

from mcp_guard import presence
from mcp_guard.approvals.answering import SESSION, Desk
from mcp_guard.cli.setting_up import clock, local_principal
from mcp_guard.errors import InputError
from mcp_guard.model import EffectClass
from mcp_guard.record import place
from mcp_guard.record.acting import acting
from mcp_guard.record.shown import escaped
from mcp_guard.record.stops import EVERYTHING


@click.command(epilog="Example: mcp-guard stop --server web")
@click.option("--server", metavar="NAME", help="Only this tool server.")
@click.option("--effect", type=click.Choice([one.value for one in EffectClass]), help="Only tools with this effect.")
@click.option("--session", metavar="KEY", help="Only this session.")
@click.option("--undo", is_flag=True, help="Let it go on. Asks for your PIN.")
@click.option("--state", type=click.Path(path_type=Path), help="The record's directory.")
def stop(server: str | None, effect: str | None, session: str | None, undo: bool, state: Path | None) -> int:
    """Stop every call at once, or those of one server, effect or session; calls under way are cancelled."""
    given = [("server", server), ("effect", effect), ("session", session)]
    scopes = [f"{name}:{value}" for name, value in given if value is not None]
    if len(scopes) > 1:
        raise InputError("name one of `--server`, `--effect` and `--session`; stop the others with a command each")
    scope = scopes[0] if scopes else EVERYTHING
    directory = place.state_directory(state)
    if undo:
        presence.require(directory, f"undo the stop of {scope}")
    with acting(directory, SESSION, clock) as record:
        desk = Desk(record)
        done = desk.resume(scope) if undo else desk.halt(scope, f"by {local_principal()}")
        left = {} if not undo else desk.stopped()
    shown = escaped(scope)
    if undo:
        click.echo(f"mcp-guard: {f'{shown} goes on' if done else f'{shown} was not stopped'}", err=True)
        for other in left:
            click.echo(f"mcp-guard: still stopped: {escaped(other)}", err=True)
        return 0 if done else 1
    click.echo(f"mcp-guard: stopped: {shown}; to undo it: the same command with --undo", err=True)
    return 0
