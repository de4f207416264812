"""`mcp-guard check`: do the documents load, what does each server offer, what would be shown, what is odd."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mcp_guard import __version__, listing
from mcp_guard.cli.serving import end
from mcp_guard.cli.setting_up import build_guard, clock, load_documents, local_principal, parse_settings
from mcp_guard.config import load_config
from mcp_guard.downstream import ServerSpec
from mcp_guard.eras import LEGACY_REVISIONS
from mcp_guard.errors import InputError
from mcp_guard.gateway import Conversations, Gateway
from mcp_guard.guard import Guard
from mcp_guard.policy.oddities import Oddity, oddities
from mcp_guard.policy.sentences import sentence
from mcp_guard.record.shown import escaped
from mcp_guard.transports.spawn import contained

DEADLINE = 60.0
"""Seconds that the servers together may take to start and to list their tools; `npx` may have to fetch one first."""


@dataclass(slots=True)
class ServerReport:
    """What one server said, and what becomes of it."""

    name: str
    command: list[str]
    answered: bool = False
    revision: str = ""
    shown: list[str] = field(default_factory=list)  # as the client sees them
    hidden: list[str] = field(default_factory=list)  # the server's own names: nothing grants them
    withheld: dict[str, str] = field(default_factory=dict)  # the server's own names: why


@click.command(
    epilog="Examples: mcp-guard check --config guard.yaml\n\n"
    "mcp-guard check --policy project.yaml --name files -- npx -y @modelcontextprotocol/server-filesystem ."
)
@click.option("--config", type=click.Path(path_type=Path), help="Check this guard.yaml and its servers.")
@click.option("--policy", type=click.Path(path_type=Path), help="Check this policy, alone or with the server after --.")
@click.option("--mandate", type=click.Path(path_type=Path), help="And this mandate.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A variable of the documents.")
@click.option("--name", help="The server's name in the policy.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.argument("command", nargs=-1, metavar="[-- COMMAND...]")
def check(
    config: Path | None,
    policy: Path | None,
    mandate: Path | None,
    settings: tuple[str, ...],
    name: str | None,
    as_json: bool,
    command: tuple[str, ...],
) -> int:
    """Load the documents, start the servers, and say what would be shown to a client and what looks odd.

    Exit code 1 when a server doesn't answer, 2 when a document or option is wrong.
    """
    if config is not None and (policy is not None or command):
        raise InputError("`--config` stands alone: guard.yaml names policy and servers")
    variables = parse_settings(settings, Path.cwd())
    specs: tuple[ServerSpec, ...] = ()
    own: tuple[Path, ...] = ()
    if policy is None and not command:
        loaded = load_config(config or Path("guard.yaml"))
        policy, mandate, specs = loaded.policy, mandate or loaded.mandate, loaded.servers
        variables, own = {**loaded.variables, **variables}, (loaded.file,)
    elif command:
        if name is None and policy is not None:
            raise InputError("`--name` is missing: the policy's rules say NAME/tool; name the server as they do")
        specs = (ServerSpec(name or "server", command),)
    first, second = load_documents(policy, mandate, variables)
    guard = build_guard(specs, policy=first, mandate=second, prefixed=bool(own), own_files=own)
    try:
        reports = asyncio.run(_ask(guard)) if specs else []
    finally:
        end(guard)
    offered = {report.name: [*report.hidden, *(_own_name(report, tool) for tool in report.shown)] for report in reports}
    odd = oddities(guard.authority, offered, every_server=bool(own), now=clock())
    if as_json:
        click.echo(json.dumps(_as_json(guard, reports, odd), indent=2))
    else:
        _show(Console(highlight=False, soft_wrap=True), guard, reports, odd)
    return 0 if all(report.answered for report in reports) else 1


def _own_name(report: ServerReport, exposed: str) -> str:
    return exposed.removeprefix(f"{report.name}__")


async def _ask(guard: Guard) -> list[ServerReport]:
    """Begin a conversation as a client would, and look at what it finds."""
    gateway = Conversations(guard, one_client=True).open(principal=local_principal(), notify=lambda *_: None)
    info = {"name": "mcp-guard check", "version": __version__}
    hello = {"protocolVersion": LEGACY_REVISIONS[-1], "capabilities": {}, "clientInfo": info}
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE):
                await _answer(gateway, "initialize", hello)
                await asyncio.gather(*(_listed(gateway, server.name) for server in gateway.session.servers))
        return [_report(gateway, spec) for spec in guard.specs]
    finally:
        gateway.close()


async def _answer(gateway: Gateway, method: str, params: dict[str, Any]) -> dict[str, Any]:
    answered = asyncio.get_running_loop().create_future()
    gateway.request(method, params, id=method, answer=answered.set_result, notify=lambda *_: None)
    answer: dict[str, Any] = await answered
    return answer


async def _listed(gateway: Gateway, name: str) -> None:
    """Until the server's tools are known, or it is clear that they won't be."""
    known = asyncio.Event()
    listing.known_tools(gateway.context, f"{name}__", known.set)
    await known.wait()


def _report(gateway: Gateway, spec: ServerSpec) -> ServerReport:
    report = ServerReport(spec.name, list(spec.command))
    server = gateway.context.server(spec.name)
    if server is None or server.listing is None:
        return report
    report.answered = True
    report.revision = str(server.hello.get("protocolVersion", ""))
    index = gateway.session.tools()
    for tool in server.listing.tools:
        if index.get(tool.exposed) is tool:
            shown = listing.shows(gateway.context, tool)
            (report.shown if shown else report.hidden).append(tool.exposed if shown else tool.name)
    withheld = (*server.listing.withheld, *(one for one in gateway.session.shared_names() if one.server == spec.name))
    report.withheld = {one.name: one.why for one in withheld}
    return report


def _as_json(guard: Guard, reports: list[ServerReport], odd: list[Oddity]) -> dict[str, Any]:
    return {
        "documents": [
            {"kind": layer.kind, "file": layer.file, "digest": layer.digest, "rules": sentence(layer)}
            for layer in guard.authority.layers
        ],
        "servers": [
            {
                "name": report.name,
                "answered": report.answered,
                "revision": report.revision,
                "shown": report.shown,
                "hidden": report.hidden,
                "withheld": report.withheld,
            }
            for report in reports
        ],
        "contained": contained(),
        "odd": [
            {"message": one.message, "rule": one.rule, "file": one.file, "line": one.line, "column": one.column}
            for one in odd
        ],
    }


def _show(console: Console, guard: Guard, reports: list[ServerReport], odd: list[Oddity]) -> None:
    for layer in guard.authority.layers:
        console.print(f"[bold]{layer.kind}[/] {_plain(layer.file)}: {len(layer.rules)} rules  [green]loads[/]")
        for line in sentence(layer):
            console.print(f"  {_plain(line)}")
    if not guard.authority.layers:
        console.print("[yellow]no policy[/]: nothing is granted, so nothing would be listed")
    for report in reports:
        _show_server(console, report)
    if reports:
        console.print(f"\nwhen the guard ends, of each server it ends {contained()}", style="dim")
    if odd:
        console.print("\n[bold yellow]odd[/]")
        for one in odd:
            console.print(f"  {_plain(one.message)}  [dim]{_plain(f'{one.file}:{one.line}:{one.column}')}[/]")
    if not guard.authority.layers and reports and reports[0].hidden:
        console.print("\nTo grant a tool, write a policy and name it with --policy. For example:", style="bold")
        for line in _starter(reports[0]):
            console.print(f"  {escape(line)}", style="cyan")


def _show_server(console: Console, report: ServerReport) -> None:
    state = "[green]answers[/]" if report.answered else "[red]doesn't answer: try its command by hand[/]"
    console.print(f"\n[bold]{_plain(report.name)}[/] {_plain(' '.join(report.command))}: {state}")
    if not report.answered:
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_row("  shown", f"[green]{_names(report.shown)}[/]")
    table.add_row("  hidden", f"[dim]{_names(report.hidden)}[/]")
    for name, why in report.withheld.items():
        table.add_row("  withheld", f"[red]{_plain(name)}[/]: {_plain(why)}")
    console.print(table)


def _starter(report: ServerReport) -> list[str]:
    tool = escaped(report.hidden[0])
    return ["version: 1", "grants:", f"  - {{id: first, tool: {report.name}/{tool}, args: any}}"]


def _names(names: list[str]) -> str:
    return "  ".join(map(_plain, names)) or "nothing"


def _plain(text: str) -> str:
    """Text that may come from a server: it steers neither the terminal nor our markup."""
    return escape(escaped(text))
