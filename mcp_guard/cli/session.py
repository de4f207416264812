"""`mcp-guard session`: which sessions there are, what they were exposed to, and a person's two acts on them.

Taking labels away and beginning a new history loosen: both ask for the person's PIN, on a terminal, and both are
entries of the record.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mcp_guard import presence
from mcp_guard.cli.setting_up import clock, local_principal
from mcp_guard.errors import InputError
from mcp_guard.record import place
from mcp_guard.record.acting import acting
from mcp_guard.record.query import open_for_reading
from mcp_guard.record.sessions import SessionRow, sessions, the_one
from mcp_guard.record.shown import escaped

ACTS = ("list", "show", "clear", "new")


@click.command(
    epilog="Examples: mcp-guard session list\n\nmcp-guard session show 3f9a1c2e\n\nmcp-guard session clear 3f9a1c2e"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line; for list and show.")
@click.option("--state", type=click.Path(path_type=Path), help="The record's directory.")
@click.argument("act", type=click.Choice(ACTS), default="list")
@click.argument("key", required=False, metavar="[KEY]")
def session(as_json: bool, state: Path | None, act: str, key: str | None) -> None:
    """Which sessions there are and what they have met. The beginning of a key is enough.

    \b
    list       every session: its labels, calls, client, when it was last seen
    show KEY   one of them: which entry gave it each label, what it called
    clear KEY  take its labels away, once you have seen what they come from
    new KEY    begin a new history at its next start: no labels, nothing used, nothing called
    """
    directory = place.state_directory(state)
    found: list[SessionRow] = []
    if place.is_there(directory):
        with open_for_reading(directory) as query:
            found = sessions(query)
    if act == "list":
        return _list(found, as_json)
    if key is None:
        raise InputError(f"`mcp-guard session {act}` wants a KEY; `mcp-guard session list` shows them")
    one = the_one(found, key)
    if act == "show":
        return _show(one, as_json)
    return _act(directory, act, one)


def _act(directory: Path, act: str, one: SessionRow) -> None:
    purpose = {"clear": "clear the labels of session", "new": "begin a new history for session"}[act]
    if act == "clear" and not one.labels:
        return click.echo(f"session {one.key} has no labels", err=True)
    presence.require(directory, f"{purpose} {one.key}", clock=clock)
    with acting(directory, one.key, clock) as record:
        by = local_principal()
        if act == "clear":
            had = record.clear_labels(one.key, by)
            said = f"session {one.key} had {', '.join(sorted(had)) or 'no labels'}, and has none now"
        else:
            new = record.renew(one.key, by)
            said = f"the next start of session {one.key} begins a new history, {new}; what runs now goes on in its own"
    return click.echo(f"mcp-guard: {said}", err=True)


def _list(found: list[SessionRow], as_json: bool) -> None:
    if not found and not as_json:
        return click.echo("no session is recorded yet", err=True)
    silent = [] if as_json else [one for one in found if not (one.principal or one.labels or one.next)]
    for one in found:
        if as_json:
            _print_json(one)
        elif one not in silent:
            who = f"{one.principal} ({one.client})" if one.client else one.principal
            labels = ", ".join(sorted(one.labels)) or "no labels"
            counts = f"{one.allowed:>5} allowed  {one.refused:>5} refused"
            seen = f"{one.last.astimezone():%Y-%m-%d %H:%M:%S}"
            click.echo(f"{one.key}  {seen}  {counts}  {escaped(who):<24}  {escaped(labels)}")
    if silent:
        click.echo(
            f"and {len(silent)} in which nobody called anything: what commands recorded, and idle guards", err=True
        )
    return None


def _show(one: SessionRow, as_json: bool) -> None:
    if as_json:
        return _print_json(one)
    who = f"{one.principal} ({one.client})" if one.client else one.principal
    click.echo(f"session {one.key} of {escaped(who or 'nobody yet')}")
    click.echo(f"first seen {one.first.astimezone():%Y-%m-%d %H:%M:%S}, last {one.last.astimezone():%Y-%m-%d %H:%M:%S}")
    for label, (entry, about) in sorted(one.labels.items()):
        click.echo(f"label {escaped(label)}: {escaped(about)} {escaped(entry)}".rstrip())
    if not one.labels:
        click.echo("no labels")
    for name, calls in (*sorted(one.tools.items()), *sorted(one.grants.items())):
        click.echo(f"{calls:>5} admitted  {escaped(name)}")
    if one.next:
        click.echo(f"its next start has a new history: {one.next}")
    return None


def _print_json(one: SessionRow) -> None:
    fields: dict[str, Any] = {
        "session": one.key,
        "principal": one.principal,
        "client": one.client,
        "first": one.first.isoformat(),
        "last": one.last.isoformat(),
        "allowed": one.allowed,
        "refused": one.refused,
        "labels": {label: {"entry": entry, "by": about} for label, (entry, about) in one.labels.items()},
        "tools": one.tools,
        "grants": one.grants,
        "next": one.next or None,
    }
    click.echo(json.dumps(fields).replace("\x7f", "\\u007f"))
