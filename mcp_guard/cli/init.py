"""`mcp-guard init`: from a client's configuration to a guarded one, and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from mcp_guard.cli.init_listing import Lister, on_a_terminal
from mcp_guard.cli.init_show import as_json, plain, show
from mcp_guard.cli.init_undo import undo as take_back
from mcp_guard.clients import CLIENTS, Scope, this_machine
from mcp_guard.errors import InputError
from mcp_guard.starting.applying import apply as put_in_place
from mcp_guard.starting.places import guards_home, program, project_of
from mcp_guard.starting.plan import FileChange, Setting, plan
from mcp_guard.starting.survey import Survey, Table, survey


@click.command(
    epilog="Examples: mcp-guard init\n\nmcp-guard init --apply --client claude-code\n\nmcp-guard init --undo"
)
@click.option("--apply", "apply", is_flag=True, help="Put the guard in the servers' place without asking.")
@click.option("--undo", "undo", is_flag=True, help="Give the clients' files back, byte for byte, as they were before.")
@click.option("--project", is_flag=True, help="Also change the files of the project in this directory.")
@click.option(
    "--client",
    "clients",
    multiple=True,
    type=click.Choice([client.id for client in CLIENTS]),
    help="Only this client; may be repeated.",
)
@click.option("--list", "listed", multiple=True, metavar="SERVER", help="Start this server to list its tools.")
@click.option("--force", is_flag=True, help="With --undo: also where the file was changed since.")
@click.option("--json", "as_data", is_flag=True, help="For programs.")
def init(
    apply: bool,
    undo: bool,
    project: bool,
    clients: tuple[str, ...],
    listed: tuple[str, ...],
    force: bool,
    as_data: bool,
) -> int:
    """Find the MCP servers that your clients have configured, and put them behind a guard.

    Shows what it would write, and changes a client's file only with --apply, or after a yes. It starts no server unless
    you confirm its command. Your own files are changed, those of the project in this directory only with --project.

    Exit code 1 when the guard isn't in place though --apply was given, 2 when a file is malformed.
    """
    if undo and (apply or listed):
        raise InputError("`--undo` stands alone, or with `--client`, `--project` and `--force`")
    if force and not undo:
        raise InputError("`--force` goes with `--undo`")
    here = Path.cwd()
    if undo:
        return take_back(here, project=project, clients=clients, force=force, as_data=as_data)
    home = Path.home()
    guards = guards_home()
    opened = project_of(here, home, guards)
    setting = Setting(guards, opened, here, program(), f"{datetime.now(UTC):%Y-%m-%d}")
    found = survey(this_machine(here), setting.program, opened, clients)
    passed_over = {id(table): why for table in found.tables if (why := _why_passed_over(table, project=project))}
    lister = Lister(listed, may_ask=on_a_terminal() and not as_data and not apply)
    planned = plan([one for one in found.tables if id(one) not in passed_over], setting, lister.look)
    if unknown := set(listed) - lister.used:
        raise InputError(f"`--list {min(unknown)}`: no server of this name would go behind the guard")
    return _go_on(found, planned, passed_over, setting, apply=apply, as_data=as_data)
