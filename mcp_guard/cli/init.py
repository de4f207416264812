"""`mcp-guard init`: from a client's configuration to a guarded one, and back."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from mcp_guard.cli.init_accepting import accept_written
from mcp_guard.cli.init_listing import Lister, on_a_terminal
from mcp_guard.cli.init_show import as_json, plain, show
from mcp_guard.cli.init_undo import undo as take_back
from mcp_guard.clients import CLIENTS, Scope, this_machine
from mcp_guard.errors import InputError
from mcp_guard.record.place import state_directory
from mcp_guard.starting.applying import apply as put_in_place
from mcp_guard.starting.places import guards_home, program, project_of
from mcp_guard.starting.plan import FileChange, Setting, plan
from mcp_guard.starting.survey import Survey, Table, survey


@click.command(
    epilog="Examples: mcp-guard init\n\nmcp-guard init --apply --client claude-code\n\nmcp-guard init --undo"
)
@click.option("--apply", "apply", is_flag=True, help="Put the guard in the servers' place without asking.")
@click.option("--undo", "undo", is_flag=True, help="Give the clients' files their old bytes back.")
@click.option("--project", is_flag=True, help="Also change the files of the project in this directory.")
@click.option(
    "--client",
    "clients",
    multiple=True,
    metavar="NAME",
    type=click.Choice([client.id for client in CLIENTS]),
    help=f"Only this client, of {', '.join(client.id for client in CLIENTS)}; may be repeated.",
)
@click.option("--list", "listed", multiple=True, metavar="SERVER", help="Start this server to list its tools.")
@click.option("--force", is_flag=True, help="With --undo: the old bytes, also where that loses what was changed since.")
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

    Shows what it would write, and changes a client's file only with --apply, or after a yes. Starts no server unless
    you confirm its command. Your own files are changed, those of the project in this directory only with --project.

    Exit code 1 when something couldn't be undone, 2 when a file is malformed or can't be written.
    """
    here = Path.cwd()
    if undo:
        if apply or listed:
            raise InputError("`--undo` goes with `--client`, `--project`, `--force` and `--json`")
        return take_back(here, project=project, clients=clients, force=force, as_data=as_data)
    if force:
        raise InputError("`--force` goes with `--undo`")
    return _put(here, apply=apply, project=project, clients=clients, listed=listed, as_data=as_data)


def _put(
    here: Path, *, apply: bool, project: bool, clients: tuple[str, ...], listed: tuple[str, ...], as_data: bool
) -> int:
    setting = _setting(here)
    found = survey(this_machine(here), setting.program, setting.project, clients)
    passed_over = {id(table): why for table in found.tables if (why := _why_passed_over(table, project=project))}
    tables = [table for table in found.tables if id(table) not in passed_over]
    _check_listed(listed, tables)
    lister = Lister(listed, may_ask=on_a_terminal() and not as_data and not apply)
    planned = plan(tables, setting, lister.look)
    console = Console(highlight=False, soft_wrap=True)

    def write() -> list[str]:
        notes = put_in_place(planned, setting.guards, state_directory(), datetime.now(UTC))
        return [*notes, *accept_written(planned, state_directory())]

    notes = write() if apply else []  # before anything is said: whoever reads it may stop reading
    if as_data:
        click.echo(json.dumps({**as_json(found, planned, passed_over, applied=apply), "notes": notes}, indent=2))
    else:
        console.print(_project(setting))
        show(console, found, planned, passed_over)
        agreed = not apply and bool(planned) and _agreed()
        waiting = any(table.movable and id(table) in passed_over for table in found.tables)
        _conclude(console, found, planned, write() if agreed else notes, applied=apply or agreed, waiting=waiting)
    return 2 if found.faults else 0


def _setting(here: Path) -> Setting:
    home, guards = Path.home(), guards_home()
    for path in (here, home, guards):
        if not str(path).isprintable():  # no document could say what it opens
            raise InputError(f"the path {path} has characters that can't be seen; rename the directory")
    return Setting(home, guards, project_of(here, home, guards), here, program(), f"{datetime.now(UTC):%Y-%m-%d}")


def _project(setting: Setting) -> str:
    if setting.project is None:
        return f"no project: {plain(str(setting.here))} is too much to open; run `init` in a project's directory"
    return f"project: [bold]{plain(str(setting.project))}[/]: all that the policies open"


def _check_listed(listed: tuple[str, ...], tables: list[Table]) -> None:
    """A name on the command line stands for one command that its writer knows, or for none."""
    servers = [server for table in tables for server in table.movable]
    for name in listed:
        named = [server for server in servers if server.entry.name == name]
        if not named:
            raise InputError(f"`--list {name}`: no server of this name would go behind the guard")
        if len(named) > 1:
            raise InputError(f"`--list {name}`: several servers are called `{name}`; say which with `--client`")
        if named[0].url:
            raise InputError(f"`--list {name}`: it is reached by address; `check` lists it once it is behind the guard")


def _why_passed_over(table: Table, *, project: bool) -> str:
    """Why the servers of this table stay where they are for now."""
    if not table.here:
        return f"it counts in {table.section.project}: run `mcp-guard init` there"
    if table.scope is Scope.PROJECT and not project:
        return "this project's file is changed only with `--project`"
    return ""


def _agreed() -> bool:
    if not on_a_terminal():
        return False
    return click.confirm("\nPut the guard in the place of these servers?", default=False, err=True)


def _conclude(
    console: Console,
    found: Survey,
    planned: tuple[FileChange, ...],
    notes: list[str],
    *,
    applied: bool,
    waiting: bool,
) -> None:
    """What to do next."""
    console.print()
    for note in notes:
        console.print(plain(note))
    changes = [change for one in planned for change in one.changes]
    if not planned:
        console.print(_nothing(found, waiting=waiting))
    elif not applied:
        console.print("Nothing was changed. To do this: `mcp-guard init --apply`, with the same options.", style="bold")
    else:
        console.print(
            "The guard is in place. Restart these clients; what each may use is said in its policy:", style="bold"
        )
        for change in changes:
            console.print(f"  {change.table.client.title}: {plain(str(change.policy))}")
        if any(change.table.scope is Scope.PROJECT for change in changes):
            console.print("A project's file now names places on this machine: it isn't for committing.")
        console.print(
            f"See what is shown and why: mcp-guard check --config {plain(shlex.quote(str(changes[0].config)))}"
        )
        console.print("See what goes past the guard: mcp-guard check --clients. Take it back: mcp-guard init --undo")


def _nothing(found: Survey, *, waiting: bool) -> str:
    if waiting:
        return "Nothing was done: of the servers above that could stand behind a guard, each has its reason beside it."
    if any(table.guards for table in found.tables):
        return "Nothing to do: what can stand behind a guard does. What is left says `mcp-guard check --clients`."
    if found.tables:
        return "Nothing to do: no server here can be put behind a guard as it is."
    return "No client's configuration with MCP servers was found. To guard one server by hand: mcp-guard wrap --help"
