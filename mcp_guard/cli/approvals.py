"""`mcp-guard approvals`: what waits for a person, all of one question, and the answers.

Text in a question comes from clients, servers and models: it goes through `shown`, so nothing of it can steer a
terminal, fake a line, or hide a character. A yes needs the PIN at a terminal; a no doesn't.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from mcp_guard import presence
from mcp_guard.approvals.answering import ALL, Desk, Waiting, at, looking_at
from mcp_guard.approvals.nearest import nearest
from mcp_guard.approvals.slips import Slip
from mcp_guard.cli import approvals_shown
from mcp_guard.cli.desktop import notice
from mcp_guard.cli.setting_up import local_principal
from mcp_guard.errors import GuardError
from mcp_guard.model import By
from mcp_guard.record import place
from mcp_guard.record.keys import digest_key
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.record.shown import escaped

POLL = 0.5  # seconds between two looks of `watch`
HOUR = timedelta(hours=1)
_STATE = click.option("--state", type=click.Path(path_type=Path), help="The record's directory.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@click.group(epilog="Example: mcp-guard approvals list")
def approvals() -> None:
    """What waits for a person's answer, and the answers. A yes carries one execution of one exact call.

    `list` and `show` take --json; `approve` takes --session, with --free ARGUMENT, to answer for the rest of a
    session; `deny` takes --session. Approving and `unfreeze` ask for your PIN.
    """


@approvals.command("list")
@_JSON
@_STATE
def list_(as_json: bool, state: Path | None) -> None:
    """What waits, oldest first; how much was asked in the last hour; what is stopped."""
    directory = place.state_directory(state)
    if not place.is_there(directory):
        click.echo("nothing waits: nothing is recorded yet", err=True)
        return
    with looking_at(directory) as desk:
        for one in desk.waiting(ALL):
            if as_json:
                _print_json(_fields(desk, one, whole=False))
            else:
                click.echo(approvals_shown.line(one, _slip(desk, one)))
        if not as_json:
            _say_state(desk)


@approvals.command()
@click.argument("question")
@_JSON
@_STATE
def show(question: str, as_json: bool, state: Path | None) -> None:
    """All of one question: task, tool, every argument, effects, what it takes, what happened before."""
    directory = place.state_directory(state)
    with looking_at(directory) as desk:
        one = desk.one(question)
        if as_json:
            _print_json(_fields(desk, one, whole=True))
            return
        lines = _lines(directory, one, desk.slip(one))
    click.echo("\n".join(lines))


@approvals.command()
@click.argument("question")
@click.option("--session", "for_session", is_flag=True, help="And what is exactly like it, until the session ends.")
@click.option("--free", multiple=True, metavar="ARGUMENT", help="With --session: any value within the shown limits.")
@_STATE
def approve(question: str, for_session: bool, free: tuple[str, ...], state: Path | None) -> None:
    """Say yes to one execution of one call. Shows all of it first, and asks for your PIN."""
    if free and not for_session:
        raise click.UsageError("`--free` goes with `--session`")
    directory = place.state_directory(state)
    with looking_at(directory) as desk:
        one = desk.one(question)
        if one.tier > By.PERSON:
            raise GuardError(f"`{question}` can be approved in the console only (`by: console`): `mcp-guard console`")
        lines = _lines(directory, one, desk.slip(one))
    click.echo("\n".join(lines), err=True)
    extent = "for the rest of its session" if for_session else "once"
    presence.require(directory, f"approve {question} {extent}")
    with at(directory) as desk:
        if for_session:
            desk.for_the_session(one, "yes", local_principal(), By.PERSON, free)
        else:
            desk.approve(one, local_principal(), By.PERSON)
    click.echo(f"mcp-guard: approved {extent}: {question}", err=True)


@approvals.command()
@click.argument("question")
@click.option("--session", "for_session", is_flag=True, help="And what is exactly like it, until the session ends.")
@_STATE
def deny(question: str, for_session: bool, state: Path | None) -> None:
    """Say no. No PIN is needed."""
    with at(place.state_directory(state)) as desk:
        one = desk.one(question)
        if for_session:
            desk.for_the_session(one, "no", local_principal(), By.PERSON)
        else:
            desk.refuse(one, local_principal())
    click.echo(f"mcp-guard: denied: {question}", err=True)


@approvals.command()
@_STATE
@click.option("--no-notice", is_flag=True, help="No desktop notice.")
def watch(state: Path | None, no_notice: bool) -> None:
    """Tell each new question as it comes, until Ctrl-C, with a desktop notice where there is one."""
    directory, seen = place.state_directory(state), set[str]()
    while True:
        if place.is_there(directory):
            with open_for_reading(directory) as query:
                entries = query.open_questions()
            fresh = [entry for entry in entries if entry not in seen]
            seen = set(entries)
            if fresh:
                _tell(directory, fresh, not no_notice)
        time.sleep(POLL)


@approvals.command()
@click.argument("session")
@_STATE
def unfreeze(session: str, state: Path | None) -> int:
    """Let a session go on that asked too much and was frozen. Asks for your PIN."""
    directory, scope = place.state_directory(state), f"session:{session}"
    with looking_at(directory) as desk:
        if scope not in desk.stopped():
            click.echo(f"mcp-guard: session {escaped(session)} isn't frozen", err=True)
            return 1
    presence.require(directory, f"let session {session} go on")
    with at(directory) as desk:
        desk.resume(scope)
    click.echo(f"mcp-guard: session {escaped(session)} goes on", err=True)
    return 0


def _tell(directory: Path, fresh: Sequence[str], with_notice: bool) -> None:
    with looking_at(directory) as desk:
        for entry in fresh:
            with suppress(GuardError):  # it was answered meanwhile
                one = desk.one(entry)
                click.echo(approvals_shown.line(one, _slip(desk, one)))
    if with_notice:  # one: a screen full of them would hide what they are about
        many = f"{len(fresh)} tool calls wait for your answers"
        notice(f"A tool call waits for your answer: {fresh[0]}" if len(fresh) == 1 else many)


def _slip(desk: Desk, one: Waiting) -> Slip | None:
    try:
        return desk.slip(one)
    except GuardError:
        return None


def _lines(directory: Path, one: Waiting, slip: Slip) -> list[str]:
    with open_for_reading(directory) as query:
        before = list(query.entries(Filter(session=one.session, limit=12)))
        near = nearest(slip.call, digest_key(directory), query)
    return approvals_shown.whole(one, slip, before, near)


def _fields(desk: Desk, one: Waiting, *, whole: bool) -> dict[str, Any]:
    slip = desk.slip(one) if whole else _slip(desk, one)
    fields: dict[str, Any] = {
        "question": one.entry,
        "session": one.session,
        "rules": list(one.asks),
        "by": one.tier.name.lower(),
        "asked": one.asked.isoformat(),
        "until": one.until.isoformat(),
        "call": None if slip is None else slip.call.name,
        "principal": None if slip is None else slip.call.principal,
    }
    if whole and slip is not None:
        fields |= {"method": slip.call.method, "params": slip.call.params, "shown": dict(slip.shown)}
    return fields


def _say_state(desk: Desk) -> None:
    asked = desk.asked_since(HOUR)
    parts = ", ".join(f"{count} {state}" for state, count in asked.items())
    click.echo(f"{desk.how_many()} waiting; in the last hour {sum(asked.values())} asked ({parts or 'none'})", err=True)
    for scope, why in desk.stopped().items():
        click.echo(f"stopped: {escaped(scope)} ({escaped(why)})", err=True)


def _print_json(fields: dict[str, Any]) -> None:
    click.echo(json.dumps(fields, default=str).replace("\x7f", "\\u007f"))
