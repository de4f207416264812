"""`mcp-guard check`: do the documents load, what does each server offer, what would be shown, what is odd."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from mcp_guard import __version__, listing, log
from mcp_guard.accepting import local
from mcp_guard.accepting.gate import Gate
from mcp_guard.accepting.stacks import Asked
from mcp_guard.catalog import Tool
from mcp_guard.cli.accepting import say, waits
from mcp_guard.cli.case_files import without_cases
from mcp_guard.cli.containing import cell_as_json, cell_rows, in_default_cell
from mcp_guard.cli.effects import NOBODY, Origin, grouped, origin
from mcp_guard.cli.explain import OfflineFacts
from mcp_guard.cli.findings import Scanned, scanned
from mcp_guard.cli.lately import Lately, lately
from mcp_guard.cli.not_passed import in_words, not_passed
from mcp_guard.cli.serving import end
from mcp_guard.cli.setting_up import build_guard, clock, load_documents, local_principal, parse_settings, say_unset
from mcp_guard.cli.watching import say_watched
from mcp_guard.config import load_config
from mcp_guard.containment.cell import Cell
from mcp_guard.conversations import Conversations
from mcp_guard.downstream import State
from mcp_guard.eras import LEGACY_REVISIONS
from mcp_guard.errors import InputError
from mcp_guard.floating import in_words as in_words_of
from mcp_guard.gateway import Gateway
from mcp_guard.guard import Guard
from mcp_guard.inspection.scan.settings import Inspect
from mcp_guard.policy.document import Document
from mcp_guard.policy.oddities import Oddity, looks_harmless, oddities, strangers
from mcp_guard.policy.oddities_effects import undescribed
from mcp_guard.policy.oddities_proved import needless
from mcp_guard.policy.oddities_schema import misfits
from mcp_guard.policy.sentences import sentence
from mcp_guard.policy.suggest import scalar
from mcp_guard.record.shown import escaped
from mcp_guard.server_spec import ServerSpec
from mcp_guard.transports.link import see_links_end
from mcp_guard.transports.spawn import contained

BY_HAND = "To see why a server doesn't answer, run its command in a terminal: a sound one waits there for input."
DEADLINE = 60.0
"""Seconds that the servers together may take to start and to list their tools; `npx` may have to fetch one first."""


@dataclass(slots=True)
class ServerReport:
    """What one server said, and what becomes of it."""

    name: str
    command: list[str]  # or its address
    by_url: bool = False
    answered: bool = False
    revision: str = ""
    why: str = ""  # it didn't answer, as far as the guard could tell
    missing: list[str] = field(default_factory=list)  # variables that it may need, and doesn't get
    shown: list[Tool] = field(default_factory=list)
    hidden: list[Tool] = field(default_factory=list)  # nothing grants them
    withheld: dict[str, str] = field(default_factory=dict)  # the server's own names: why
    cell: Cell | None = None  # how it is contained, if it is
    lately: Lately = field(default_factory=Lately)  # as the record has it
    effects: dict[str, Origin] = field(default_factory=dict)  # by the server's own names: what its tools can do
    floating: str = ""  # its command leaves open which version of a package is started
    scanned: list[Scanned] = field(default_factory=list)  # what the scan found in what it says

    @property
    def tools(self) -> list[Tool]:
        return [*self.shown, *self.hidden]


@click.command(
    epilog="Examples: mcp-guard check --config guard.yaml\n\n"
    "mcp-guard check --policy project.yaml --name files -- npx -y @modelcontextprotocol/server-filesystem ."
)
@click.option("--config", type=click.Path(path_type=Path), help="Check this guard.yaml and its servers.")
@click.option("--policy", type=click.Path(path_type=Path), help="Check this policy, alone or with the server after --.")
@click.option("--mandate", type=click.Path(path_type=Path), help="And this mandate.")
@click.option("--lock", "lock_file", type=click.Path(path_type=Path), help="And this lock (guard.yaml names its own).")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A variable of the documents.")
@click.option("--name", help="The server's name in the policy.")
@click.option("--contain", is_flag=True, help="Start the server after -- as `wrap --contain` does.")
@click.option("--clients", is_flag=True, help="Instead: what do your MCP clients reach past any guard.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.argument("command", nargs=-1, metavar="[-- COMMAND...]")
def check(
    config: Path | None,
    policy: Path | None,
    mandate: Path | None,
    lock_file: Path | None,
    settings: tuple[str, ...],
    name: str | None,
    contain: bool,
    clients: bool,
    as_json: bool,
    command: tuple[str, ...],
) -> int:
    """Load the documents, start the servers, and say what would be shown to a client and what looks odd.

    With --clients: the servers that your MCP clients still reach directly, and the tools of their own (shell, edit,
    web) with the settings that close them.

    Exit code 1 when a server doesn't answer or is reached directly, 2 when a document, file or option is wrong.
    """
    if clients:
        if config or policy or mandate or lock_file or settings or name or contain or command:
            raise InputError("`--clients` stands alone, or with `--json`: it looks at your clients' own files")
        from mcp_guard.cli.check_clients import check_clients

        return check_clients(as_json=as_json)
    if config is not None and (policy is not None or command):
        raise InputError("`--config` stands alone: guard.yaml names policy and servers")
    if contain and not command:
        raise InputError("`--contain` goes with a command behind `--`: guard.yaml says it for each server")
    variables = given = parse_settings(settings, Path.cwd())
    policy_file, mandate_file = policy, mandate
    specs: tuple[ServerSpec, ...] = ()
    own: tuple[Path, ...] = ()
    lock = lock_file
    inspect = Inspect()
    if policy is None and not command:
        config = config or Path("guard.yaml")
        loaded = load_config(config)
        say_unset(loaded)
        say_watched(loaded)
        policy, mandate, specs = loaded.policy, mandate or loaded.mandate, loaded.servers
        variables, own = {**loaded.variables, **variables}, (loaded.file, loaded.lock_place, *loaded.watchers.own_files)
        inspect = loaded.inspect
        lock = lock or loaded.lock
    elif command:
        if name is None and policy is not None:
            raise InputError("`--name` is missing: the policy's rules say NAME/tool; name the server as they do")
        specs = (ServerSpec(name or "server", command),)
        specs = (in_default_cell(specs[0]),) if contain else specs
    first, second = load_documents(policy, mandate, variables)
    guard = build_guard(
        specs, policy=first, mandate=second, prefixed=bool(own), own_files=own, lock=lock, inspect=inspect
    )
    named = policy or mandate or config
    taken_away = None if named is None else local.layer(guard.record.directory, local.place_for(named))
    guard.authority = replace(guard.authority, local=taken_away)
    asked = Asked(config, policy_file, mandate_file, lock_file, given)
    waiting = list(waits(Gate(asked, guard.record.directory).stand(), asked))
    past = lately(guard.record.directory, clock())
    try:
        reports = asyncio.run(ask(guard)) if specs else []
    finally:
        end(guard)
    for report in reports:
        report.lately = past.get(report.name, report.lately)
    odd = [
        *strangers(guard.authority, [spec.name for spec in specs], wrapped=not own),
        *_oddities(guard, reports, every_server=bool(own)),
    ]
    if as_json:
        click.echo(json.dumps({**_as_json(guard, reports, odd), "waiting": waiting}, indent=2))
    else:
        for line in waiting:
            say(line)
        _show(Console(highlight=False, soft_wrap=True), guard, reports, odd)
    return 0 if all(report.answered for report in reports) else 1


def _oddities(guard: Guard, reports: list[ServerReport], *, every_server: bool) -> list[Oddity]:
    offered = {report.name: [tool.name for tool in report.tools] if report.answered else None for report in reports}
    arguments = {f"{tool.server}/{tool.name}": names for report in reports for tool in report.tools
                 if (names := list(tool.argument_names))}  # fmt: skip
    schemas = {f"{tool.server}/{tool.name}": tool.schema for report in reports for tool in report.tools}
    now = clock()
    described = {
        (tool.server, tool.name): one for report in reports for tool in report.tools if (one := tool.described)
    }
    facts = OfflineFacts(now, {}, None, described, lock=guard.lock)
    authority = guard.authority
    found = oddities(authority, offered, arguments=arguments, every_server=every_server, now=now, facts=facts)
    more = [*needless(authority, found), *misfits(authority, schemas), *undescribed(authority, offered, facts)]
    return [*found, *more, *without_cases(authority)]


async def ask(guard: Guard) -> list[ServerReport]:
    """Begin a conversation as a client would, and look at what it finds."""
    whys: dict[str, str] = {}
    log.divert(lambda event, values: _first(whys, event, values))
    gateway = Conversations(guard, one_client=True).open(principal=local_principal(), notify=lambda *_: None)
    info = {"name": "mcp-guard check", "version": __version__}
    hello = {"protocolVersion": LEGACY_REVISIONS[-1], "capabilities": {}, "clientInfo": info}
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE):
                await _answer(gateway, "initialize", hello)
                coming = [one for one in gateway.session.servers if one.state in (State.OPENING, State.READY)]
                await asyncio.gather(*(_listed(gateway, server.name) for server in coming))
        return [_report(gateway, spec, whys.get(spec.name, "")) for spec in guard.specs]
    finally:
        gateway.close()
        await see_links_end()


def _first(whys: dict[str, str], event: str, values: dict[str, object]) -> None:
    """The first thing said of a server is the cause of what follows."""
    whys.setdefault(str(values.get("server")), str(values.get("why", event)))


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


def _report(gateway: Gateway, spec: ServerSpec, why: str) -> ServerReport:
    floating = in_words_of(spec)
    report = ServerReport(spec.name, spec.shown, spec.remote is not None, why=why, floating=floating, cell=spec.cell)
    server = gateway.context.server(spec.name)
    if server is None or server.listing is None:
        report.missing = not_passed(spec, os.environ)
        return report
    report.answered = True
    report.revision = str(server.hello.get("protocolVersion", ""))
    index = gateway.session.tools()
    for tool in server.listing.tools:
        if index.get(tool.exposed) is tool:
            (report.shown if listing.shows(gateway.context, tool) else report.hidden).append(tool)
    withheld = (*server.listing.withheld, *(one for one in gateway.session.shared_names() if one.server == spec.name))
    report.withheld = {one.name: one.why for one in withheld}
    facts = gateway.context.facts(spec.name)
    report.scanned = scanned(gateway, server)
    report.effects = {tool.name: origin(gateway.guard, spec, tool, facts) for tool in report.tools}
    return report


def _as_json(guard: Guard, reports: list[ServerReport], odd: list[Oddity]) -> dict[str, Any]:
    return {
        "documents": [
            {"kind": layer.kind, "file": layer.file, "digest": layer.digest, "rules": sentence(layer)}
            for layer in _documents(guard)
        ],
        "servers": [
            {
                "name": report.name,
                "answered": report.answered,
                "revision": report.revision,
                "shown": [tool.exposed for tool in report.shown],
                "hidden": [tool.name for tool in report.hidden],
                "arguments": {tool.name: _arguments(tool) for tool in report.tools},
                "withheld": report.withheld,
                "ended": report.lately.ended,
                "ill": report.lately.ill,
                "floating": report.floating,
                "findings": [one.to_dict() for one in report.scanned],
                "effects": {name: one.to_dict() for name, one in report.effects.items()},
                "contained": None if report.cell is None else cell_as_json(report.cell),
            }
            for report in reports
        ],
        "contained": contained(),
        "odd": [
            {
                "message": one.message,
                "rule": one.rule,
                "file": one.file,
                "line": one.line,
                "column": one.column,
                "code": one.code,
                "hint": one.hint,
                "note": one.is_note,
            }
            for one in odd
        ],
    }


def _show(console: Console, guard: Guard, reports: list[ServerReport], odd: list[Oddity]) -> None:
    for layer in _documents(guard):
        console.print(f"[bold]{layer.kind}[/] {_plain(layer.file)}: {_rules(len(layer.rules))}  [green]loads[/]")
        for line in sentence(layer):
            console.print(f"  {_plain(line)}")
    if not guard.authority.layers:
        console.print("[yellow]no policy[/]: nothing is granted, so nothing would be listed")
    for report in reports:
        _show_server(console, report)
    started = [report for report in reports if not report.by_url]
    if not all(report.answered for report in started):
        console.print(f"\n{BY_HAND}")
    if started:
        console.print(f"\nwhen the guard ends, of each server it ends {contained()}", style="dim")
    for head, found in (("[bold yellow]odd[/]", [one for one in odd if not one.is_note]),
                        ("[bold]to consider[/]", [one for one in odd if one.is_note])):  # fmt: skip
        if found:
            console.print(f"\n{head}")
        for one in found:
            hint = "" if ";" in one.message or one.code == "shell" else f"; {one.hint}"
            where = _plain(f"{one.file}:{one.line}:{one.column} {one.code}")
            console.print(f"  {_plain(one.message)}{_plain(hint)}  [dim]{where}[/]")
    if not guard.authority.layers and reports and reports[0].hidden:
        options = f"--policy FILE --name {reports[0].name}" if not guard.prefixed else "`policy: FILE` in guard.yaml"
        console.print(f"\nTo grant a tool, write a policy and name it: {_plain(options)}. For example:", style="bold")
        for line in _starter(reports[0]):
            console.print(f"  {escape(line)}", style="cyan")


def _documents(guard: Guard) -> tuple[Document, ...]:
    """What speaks: the layers, and what was taken away beside them."""
    taken_away = guard.authority.local
    return (*guard.authority.layers, *([taken_away] if taken_away is not None and taken_away.rules else []))


def _show_server(console: Console, report: ServerReport) -> None:
    state = "[green]answers[/]" if report.answered else "[red]doesn't answer[/]"
    console.print(f"\n[bold]{_plain(report.name)}[/] {_plain(' '.join(report.command))}: {state}")
    if report.floating:
        console.print(f"  [yellow]version[/]  {_plain(report.floating)}")
    for head, text in [] if report.cell is None else cell_rows(report.cell):
        console.print(f"  [bold]{head:<8}[/] {_plain(text)}")
    if report.lately:
        console.print(f"  [yellow]lately[/]   {_plain(report.lately.words)}")
    if not report.answered:
        if report.why:
            console.print(f"  {_plain(report.why)}")
        if report.missing:
            console.print(f"  {_plain(in_words(report.missing))}")
        return
    rows = [
        *_rows("shown", "green", [(tool.exposed, tool) for tool in report.shown]),
        *_rows("hidden", "dim", [(tool.name, tool) for tool in report.hidden]),
        *(("withheld", f"[red]{_plain(name)}[/]: {_plain(why)}") for name, why in report.withheld.items()),
        *(("found", f"[{one.colour}]{_plain(one.words)}[/]") for one in report.scanned),
        *_effects(report),
    ]
    for head, text in rows:
        console.print(f"  [bold]{head:<8}[/] {text}")


def _rows(head: str, style: str, tools: list[tuple[str, Tool]]) -> list[tuple[str, str]]:
    """A line for each tool, with what a grant of it would have to say of its arguments."""
    lines = [f"[{style}]{_plain(name)}[/][dim]({_plain(_signature(tool))})[/]" for name, tool in tools] or ["nothing"]
    return [(head if number == 0 else "", line) for number, line in enumerate(lines)]


def _effects(report: ServerReport) -> list[tuple[str, str]]:
    """What the tools can do, and who says so; those that nobody knows have every class."""
    lines = [
        f"[{'yellow' if one.source == NOBODY else 'dim'}]{_plain(one.words)}[/]: {_plain(', '.join(names))}"
        for one, names in grouped(report.effects)
    ]
    return [("effects" if number == 0 else "", line) for number, line in enumerate(lines)]


def _signature(tool: Tool) -> str:
    """`path, head?, tail?`"""
    arguments = _arguments(tool)
    return ", ".join([*arguments["required"], *(f"{name}?" for name in arguments["optional"])])


def _arguments(tool: Tool) -> dict[str, list[str]]:
    """The names of a tool's arguments, as its inputSchema has them."""
    required = tool.schema.get("required")
    needed = [str(name) for name in required] if isinstance(required, list) else []
    return {"required": needed, "optional": [name for name in tool.argument_names if name not in needed]}


def _starter(report: ServerReport) -> list[str]:
    """A first policy, with a tool that only reads if there is one."""
    tool = next((tool for tool in report.hidden if looks_harmless(tool.name)), report.hidden[0])
    needed = _arguments(tool)["required"]
    limits = ", ".join(f"{scalar(name)}: {'{under: $project}' if name == 'path' else 'any'}" for name in needed)
    grant = f"  - {{id: first, tool: {scalar(f'{report.name}/{tool.name}')}, args: {{{limits}}}}}"
    return ["version: 1", "grants:", escaped(grant.strip()).rjust(len(grant))]


def _rules(number: int) -> str:
    return f"{number} rule{'' if number == 1 else 's'}"


def _plain(text: str) -> str:
    """Text that may come from a server: it steers neither the terminal nor our markup."""
    return escape(escaped(text))
