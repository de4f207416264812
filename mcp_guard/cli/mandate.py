"""`mcp-guard mandate`: draft what one task needs from its words and the servers' tools, or show one in words.

A draft is text. It grants nothing until somebody starts a guard with it, and a file is written only after a person at a
terminal has read it: a program, or an agent with a shell, can see a draft here and not have it written.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click

from mcp_guard import presence
from mcp_guard.accepting import local, tokens
from mcp_guard.accepting.gate import Gate
from mcp_guard.accepting.stacks import Asked
from mcp_guard.cli.setting_up import build_guard, clock, load_documents, local_principal, parse_settings, say_unset
from mcp_guard.config import Config, load_config
from mcp_guard.drafting.draft import Draft, draft
from mcp_guard.drafting.spoken import spoken
from mcp_guard.drafting.text import as_mandate, mandate_text
from mcp_guard.drafting.tools import Offered, offered
from mcp_guard.errors import GuardError, InputError
from mcp_guard.missing import check_there
from mcp_guard.model import UNTRUSTED
from mcp_guard.policy.constraint_words import wants_absolute
from mcp_guard.policy.constraints import Each
from mcp_guard.policy.document import Document, load_mandate, read_mandate
from mcp_guard.policy.sentences import sentence
from mcp_guard.policy.times import parse_moment, parse_span
from mcp_guard.policy.yaml_source import MAX_BYTES
from mcp_guard.record.place import state_directory
from mcp_guard.record.shown import escaped
from mcp_guard.schemas import in_editors
from mcp_guard.server_spec import ServerSpec

MAX_TASK = 4000
"""Characters of a task's text."""
NOBODY = (
    "a mandate is written only where a person can read it first, and there is no terminal here; without `-o` the draft "
    "goes to standard output"
)


@click.group(epilog='Example: mcp-guard mandate new "Pay the December bill"')
def mandate() -> None:
    """Grant less for one task: draft a mandate by fixed rules, and read one in words."""


@mandate.command(epilog='Example: mcp-guard mandate new "Read /srv/notes.txt" --server files -o notes.mandate.yaml')
@click.option("--server", "servers", multiple=True, help="Only the tools of this server of guard.yaml; repeatable.")
@click.option("--config", type=click.Path(path_type=Path), help="The servers and policy (default: guard.yaml).")
@click.option("--expires", default="30m", show_default=True, help="From its first use, or until a point in time.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it here once you have confirmed it.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.argument("task")
def new(
    servers: tuple[str, ...], config: Path | None, expires: str, output: Path | None, as_json: bool, task: str
) -> int:
    """Draft a mandate for TASK from its words and what the servers list; nothing is guessed, and no model is asked.

    It starts the servers to list their tools, and calls none. What the policy doesn't show is left out.
    """
    _check(task, expires, output)
    loaded = load_config(config or Path("guard.yaml"))
    say_unset(loaded)
    policy, _ = load_documents(loaded.policy, None, loaded.variables)
    drafted = draft(task, _listed(loaded, policy, servers), expires)
    text = f"# {in_editors('mandate')}\n{mandate_text(drafted)}"
    home = os.path.expanduser("~")  # noqa: PTH111 - as documents do
    variables = policy.variables if policy is not None else loaded.variables
    document = as_mandate(text, str(output or "draft"), home, variables)
    if as_json:
        click.echo(json.dumps(_as_json(drafted, text, document), indent=2))
    else:
        click.echo(text, nl=False)
    if not as_json or output is not None:
        _say(document)
    if output is None:
        return 0
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise GuardError(NOBODY)
    if not click.confirm(f"Write {escaped(str(output))}?", default=False, err=True):
        return 1
    _write(output, text)
    click.echo(f"wrote {escaped(str(output))}; give it to a guard with --mandate", err=True)
    return 0


@mandate.command(epilog="Example: mcp-guard mandate show bill.mandate.yaml")
@click.option("--policy", type=click.Path(path_type=Path), help="The policy whose variables it uses.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A variable of the documents.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.argument("file", type=click.Path(path_type=Path))
def show(policy: Path | None, settings: tuple[str, ...], as_json: bool, file: Path) -> int:
    """Read a mandate as one sentence, and then rule by rule."""
    check_there(file)
    variables = parse_settings(settings, Path.cwd())
    first, _ = load_documents(policy, None, variables)
    document = load_mandate(file, variables=first.variables if first is not None else variables)
    if as_json:
        data = {"file": document.file, "digest": document.digest, "task": document.task, "says": spoken(document)}
        click.echo(json.dumps(data | {"rules": sentence(document)[1:]}, indent=2))
        return 0
    click.echo(escaped(spoken(document)))
    for line in sentence(document)[1:]:
        click.echo(f"  {escaped(line)}")
    return 0


@mandate.command(epilog="Example: mcp-guard mandate token bill.mandate.yaml --principal alice")
@click.option("--principal", required=True, metavar="NAME", help="Who holds it, in documents and in the record.")
@click.option("--config", type=click.Path(path_type=Path), help="The guard.yaml of the guard (default: guard.yaml).")
@click.option("--state", type=click.Path(path_type=Path), help="The record's directory.")
@click.argument("file", type=click.Path(path_type=Path))
def token(principal: str, config: Path | None, state: Path | None, file: Path) -> int:
    """Mint a token with which NAME may use a guard over HTTP under this mandate, as it is now; asks for your PIN.

    `mcp-guard run --http` of that guard.yaml takes it as bearer token. It is shown once, and ends with the mandate.
    """
    directory = state_directory(state)
    beside, text, document = _beside(config, directory, file)
    end = document.expires
    if isinstance(end, datetime) and end <= clock():
        raise InputError(f"{file} has expired; give it another end")
    presence.require(directory, f"let {principal} use this guard under {file}: {spoken(document)}", clock=clock)
    minted, given = tokens.mint(
        directory, beside, principal=principal, file=str(file.absolute()), text=text, by=local_principal()
    )
    click.echo(minted)
    click.echo(f"mcp-guard: token {given.name} for {escaped(principal)}; it isn't shown again", err=True)
    return 0


@mandate.command(epilog="Example: mcp-guard mandate revoke 3f9a1c2e5b7d")
@click.option("--list", "listing", is_flag=True, help="Say which tokens are good, and for whom.")
@click.option("--json", "as_json", is_flag=True, help="The same for programs.")
@click.option("--state", type=click.Path(path_type=Path), help="The record's directory.")
@click.argument("name", required=False, metavar="TOKEN-NAME")
def revoke(listing: bool, as_json: bool, state: Path | None, name: str | None) -> int:
    """End a mandate token, by the name that `mandate token` said: at once, in guards that run too."""
    directory = state_directory(state)
    if listing == (name is not None):
        raise InputError("name one token, or `--list`")
    if name is not None:
        gone = tokens.revoke(directory, name, by=local_principal())
        click.echo(
            json.dumps({"revoked": gone.name}) if as_json else f"revoked {gone.name} of {escaped(gone.principal)}"
        )
        return 0
    found = tokens.given_out(directory)
    if as_json:
        click.echo(json.dumps([{"name": one.name, "principal": one.principal, "mandate": one.file} for one in found]))
        return 0
    for one in found:
        click.echo(escaped(f"{one.name} {one.principal} {one.file}"))
    return 0


def _beside(config: Path | None, directory: Path, file: Path) -> tuple[str, bytes, Document]:
    """Which policy a token stands beside, and the mandate, read once: what is shown is what is kept."""
    check_there(file)
    force = Gate(Asked(config or Path("guard.yaml")), directory).stand().force
    place = local.place_in(force)
    if place is None or force.config is None:
        raise InputError("a token stands beside a guard.yaml; name it with `--config`")
    try:
        with file.open("rb") as source:
            text = source.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"can't read {file}: {error.strerror}") from None
    variables = force.policy.variables if force.policy is not None else force.config.variables
    return place, text, read_mandate(text, file, variables=variables)


def _check(task: str, expires: str, output: Path | None) -> None:
    if not task.strip() or len(task) > MAX_TASK:
        raise InputError(f"a task is a text of up to {MAX_TASK} characters; say what is to be done")
    if parse_span(expires) is None and parse_moment(expires) is None:
        raise InputError(
            f"`--expires {expires}` is no span and no point in time; write 30m, 2h or 2026-12-31T00:00:00Z"
        )
    if output is not None and output.exists():
        raise InputError(f"{output} is there already; a mandate in use may be it, so it isn't overwritten")


def _listed(loaded: Config, policy: Document | None, names: tuple[str, ...]) -> list[Offered]:
    """The tools that the policy shows, as their servers list them and as the lock has them."""
    from mcp_guard.cli.check import ask  # it brings what draws tables
    from mcp_guard.cli.serving import end

    specs = _wanted(loaded.servers, names)
    if policy is not None:  # what the policy permits beside a mandate
        policy = replace(policy, needs_mandate=False)
    guard = build_guard(
        specs, policy=policy, mandate=None, prefixed=True, own_files=(loaded.file, loaded.lock_place), lock=loaded.lock
    )
    try:
        reports = asyncio.run(ask(guard))
    finally:
        end(guard)
    found: list[Offered] = []
    for report in reports:
        if not report.answered:
            raise GuardError(f"{report.name} doesn't answer, so nothing is drafted; see `mcp-guard check`")
        shown = report.shown if policy is not None else report.tools
        for tool in shown:
            origin = report.effects[tool.name]
            said = guard.authority.tools.get(f"{tool.server}/{tool.name}")
            known = said or tool.described
            gives = [one.label for one in said.gives] if said else list(tool.described.gives) if tool.described else []
            found.append(
                offered(
                    tool.server,
                    tool.descriptor,
                    effects=origin.classes if known is not None else None,
                    authority=known.authority if known is not None else (),
                    trusted=known is not None and UNTRUSTED not in gives,
                    absolute=_absolute(policy, tool.server, tool.name),
                )
            )
    return found


def _absolute(policy: Document | None, server: str, tool: str) -> frozenset[str]:
    """The arguments of a tool that hold an absolute path in every grant that limits them."""
    found: dict[str, bool] = {}
    for rule in policy.rules if policy is not None else ():
        limits = rule.arguments if rule.is_grant and rule.may_name(server, tool) else None
        for name, limit in ({**limits.listed, **limits.optional} if limits else {}).items():
            one = limit.constraint
            absolute = wants_absolute(one.element if isinstance(one, Each) else one)
            found[name] = found.get(name, True) and absolute
    return frozenset(name for name, absolute in found.items() if absolute)


def _wanted(specs: tuple[ServerSpec, ...], names: tuple[str, ...]) -> tuple[ServerSpec, ...]:
    there = [spec.name for spec in specs]
    for name in names:
        if name not in there:
            raise InputError(f"there is no server `{name}`; there is {', '.join(there)}")
    return tuple(spec for spec in specs if not names or spec.name in names)


def _say(document: Document) -> None:
    click.echo(f"\n{escaped(spoken(document))}", err=True)
    for line in sentence(document)[1:]:
        click.echo(f"  {escaped(line)}", err=True)


def _as_json(drafted: Draft, text: str, document: Document) -> dict[str, object]:
    return {
        "task": drafted.task,
        "mandate": text,
        "says": spoken(document),
        "lines": [
            {"grant": one.yaml, "why": one.why, "asks": one.asks, "tools": list(one.tools)} for one in drafted.lines
        ],
        "left_out": list(drafted.left_out),
    }


def _write(path: Path, text: str) -> None:
    """Only a new file, never through a link, for its owner alone."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror}") from None
