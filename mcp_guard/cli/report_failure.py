"""`mcp-guard report-failure`: a call that should not have been allowed isn't allowed again, from this moment on."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mcp_guard.accepting.beside import place_told
from mcp_guard.cli.denying_locally import deny
from mcp_guard.cli.report import kept_values
from mcp_guard.cli.setting_up import local_principal
from mcp_guard.errors import GuardError, InputError, Malformed
from mcp_guard.record import place
from mcp_guard.record.acting import acting
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.keys import digest_key
from mcp_guard.record.query import Filter, Query, Row, open_for_reading
from mcp_guard.record.reported import Report, report
from mcp_guard.record.shown import escaped
from mcp_guard.record.was import Match, matches
from mcp_guard.suggesting.denying import wider_denies
from mcp_guard.wire import parse_arguments

SESSION = "person"


@click.command("report-failure", epilog='Example: mcp-guard report-failure 3f9a1c2e-17 --reason "not my payee"')
@click.option("--reason", default="", help="Why, in your words: for the record and for whoever reads it.")
@click.option("--arguments", metavar="JSON", help="What the call's arguments were, if their values weren't kept.")
@click.option("--whole-tool", is_flag=True, help="Deny every call of this tool, whatever its arguments are.")
@click.option("--state", type=click.Path(path_type=Path), help="The record's directory.")
@click.argument("entry")
def report_failure(reason: str, arguments: str | None, whole_tool: bool, state: Path | None, entry: str) -> int:
    """Deny calls like the one of ENTRY (see `mcp-guard log`), exactly and at once, also in guards that run.

    Its arguments come from `--record values`, or from you: then they are held against the entry's digests. A deny that
    reaches further is printed as a suggestion. `mcp-guard suggest` leaves such calls out of what it goes by.
    """
    directory = place.state_directory(state)
    with open_for_reading(directory) as query:
        row = _allowed_call(query, entry)
        policy, beside = _document_of(query, row)
    known = {} if whole_tool else _arguments(directory, row, arguments)
    clauses = {name: value for name, value in known.items() if isinstance(value, str | int | float)}
    if known and not clauses:
        raise GuardError("none of its arguments is a text, a number, true or false: `--whole-tool` denies the tool")
    rule = deny(directory, beside, row, clauses, reason, local_principal())
    _tell(directory, row, rule, reason)
    click.echo(f"denied from now on: {escaped(row.name)} {_exactly(clauses)} ({rule})")
    click.echo(f"to undo it: mcp-guard revoke --policy {escaped(shlex.quote(str(policy)))} --undo {rule}", err=True)
    if left := known.keys() - clauses.keys():
        click.echo(f"whatever {escaped(', '.join(sorted(left)))} is: a list or an object can't be named exactly")
    for line in wider_denies(row.name, known, row.id):
        click.echo(f"wider, if that is right, under `deny:` of {escaped(policy.name)}: {escaped(line)}")
    return 0


def _allowed_call(query: Query, entry: str) -> Row:
    row = query.find(entry)
    if row is None or row.kind is not EntryKind.DECISION:
        raise InputError(f"`{entry}` is no decision of this record; `mcp-guard log` lists them")
    if row.effect != "allow":
        raise GuardError(f"`{row.id}` was refused; there is nothing to deny")
    if row.body.get("target_kind") != "tool":
        raise GuardError(f"`{row.id}` is no call of a tool; say it in the policy")
    return row


def _document_of(query: Query, row: Row) -> tuple[Path, str]:
    """The policy under which the call was allowed, else the mandate; and the place of the local denies beside it."""
    found: dict[str, str] = {}
    beside: str | None = None
    for one in query.entries(Filter(kind=EntryKind.LOADED.value, until=row.time)):
        if one.body.get("chain") == row.body.get("chain"):
            documents = one.body.get("data", {}).get("documents", [])
            beside = place_told(one.body.get("data", {})) or beside
            found |= {str(each.get("kind")): str(each.get("file")) for each in documents}
    for kind in ("policy", "mandate"):
        if kind in found and beside is not None:
            return Path(found[kind]), beside
    raise GuardError(f"the record doesn't say which document allowed `{row.id}`; say the deny in the policy")


def _arguments(directory: Path, row: Row, given: str | None) -> Mapping[str, Any]:
    """What the call carried, as it is certain. Raises GuardError where that isn't known."""
    if given is not None:
        return _held_against(directory, row, given)
    names = set(row.body.get("shape", {}))
    reader = kept_values(directory)
    kept = None if reader is None else reader.of_entry(row.id, row.body)
    values = {} if kept is None else kept.values
    if names and not values:
        hint = "give them with `--arguments JSON`, or deny all calls of the tool with `--whole-tool`"
        raise GuardError(f"the values of `{row.id}` aren't kept, so no deny can name them; {hint}")
    return values


def _held_against(directory: Path, row: Row, given: str) -> Mapping[str, Any]:
    try:
        arguments = parse_arguments(given)
    except Malformed as error:
        raise InputError(f"`--arguments` is not right: {error}") from None
    found = matches(digest_key(directory), row.body, arguments)
    if wrong := [name for name, match in found.items() if match is not Match.YES]:
        raise GuardError(f"`{row.id}` didn't have these arguments: {', '.join(wrong)}")
    return arguments


def _exactly(clauses: Mapping[str, Any]) -> str:
    return f"with exactly this {', '.join(sorted(clauses))}" if clauses else "whatever its arguments are"


def _tell(directory: Path, row: Row, rule: str, reason: str) -> None:
    said = Report(
        row.id, row.session, row.server, row.target, row.body.get("values", {}), rule, reason, local_principal()
    )
    with acting(directory, SESSION) as record:
        record.change(lambda moment: report(moment, said))
