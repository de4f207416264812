"""`mcp-guard log verify | head | key | was | schema | set-clock`: the record as evidence."""

from __future__ import annotations

import json
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from mcp_guard.errors import InputError, Malformed, RecordFailed
from mcp_guard.record import place
from mcp_guard.record import schema as tables
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.heads import KeptHead, heads_in, newest_head, parse_head
from mcp_guard.record.shown import escaped
from mcp_guard.record.values_check import check_values
from mcp_guard.record.verify import Report, examine, open_all, told

_STATE = click.option("--state", type=click.Path(path_type=Path), help="The record's directory.")
_HEADS_LIMIT = 64 * 2**20  # bytes of a file of heads


@click.command("verify", epilog="Example: mcp-guard log verify --key guard.pub --head 17:9f86d081884c7d65...")
@click.option("--key", "key_files", multiple=True, type=click.Path(path_type=Path), help="The public key to trust.")
@click.option("--head", "heads", multiple=True, metavar="HEAD|FILE", help="A head kept elsewhere, or a file of them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@_STATE
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
def verify(
    key_files: tuple[Path, ...], heads: tuple[str, ...], as_json: bool, state: Path | None, files: tuple[Path, ...]
) -> int:
    """Was anything of the record changed, removed, moved or cut off? Needs the file and, to know who wrote it, the key.

    FILEs are copies of `guard.db`, closed ones first; without them, the record in use. Exit code 1: something is wrong.
    """
    from rich.console import Console
    from rich.progress import Progress

    keys = [_public_key(path) for path in key_files]
    kept = [head for text in heads for head in _heads(text)]
    opened = _open(state, files)
    count = sum(int(one.execute("SELECT count(*) FROM entries").fetchone()[0]) for one in opened)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("verifying", total=count)
        report = examine(*opened, keys=keys, heads=kept, progress=lambda done: progress.update(task, completed=done))
    if not files:
        check_values(_directory(state), report)
    if as_json:
        click.echo(json.dumps(_as_json(report, kept)).replace("\x7f", "\\u007f"))
    else:
        _say(report, kept)
    return 1 if report.count else 0


def _open(state: Path | None, files: tuple[Path, ...]) -> list[sqlite3.Connection]:
    for file in files:
        if not file.is_file():
            raise InputError(f"there is no file `{file}`")
    return [tables.open_file_for_reading(file) for file in files] or open_all(_directory(state))


def _directory(state: Path | None) -> Path:
    directory = place.state_directory(state)
    if not place.is_there(directory):
        raise RecordFailed(f"nothing is recorded in `{directory}`")
    place.check(directory)
    return directory


def _public_key(path: Path) -> str:
    from mcp_guard.record.signing import read_public

    try:
        return read_public(path.read_bytes())
    except OSError as error:
        raise InputError(f"can't read `{path}`: {(error.strerror or '').lower()}") from error
    except ValueError as error:
        raise InputError(f"`{path}` is no Ed25519 public key; `mcp-guard log key` prints one") from error


def _heads(text: str) -> list[KeptHead]:
    """A head as it stands, or those of a file that a sink wrote."""
    path = Path(text)
    if ":" in text and not path.is_file():
        return [parse_head(text)]
    try:
        with path.open("rb") as file:
            found = heads_in(file.read(_HEADS_LIMIT).decode("utf-8", "replace"))
    except OSError as error:
        raise InputError(f"`{text}` is no head, nor a file of heads: {(error.strerror or '').lower()}") from error
    if not found:
        raise InputError(f"there is no head in `{text}`; a head is POSITION:HASH, as `mcp-guard log head` prints it")
    return found


def _say(report: Report, kept: list[KeptHead]) -> None:
    for finding in report.findings:
        where = f" (position {finding.position})" if finding.position else ""
        click.echo(escaped(f"wrong: {finding.text}{where}"))
    if report.count > len(report.findings):
        click.echo(f"… and {report.count - len(report.findings)} more")
    if report.count:
        first = next((one for one in report.findings if one.position), None)
        where = f"; the first bad entry is {first.entry or 'at position'} {first.position}" if first is not None else ""
        click.echo(escaped(f"{report.count} wrong among {report.entries} entries{where}; keep the file as evidence"))
        return
    click.echo(f"{report.entries} entries in {report.chains} chains are as they were written")
    for line in told(report):
        click.echo(line)
    if kept:
        click.echo(f"{len(kept)} {'head' if len(kept) == 1 else 'heads'} kept elsewhere: each stands where it was")
    else:
        click.echo("no head was given: an end that was cut off after the last checkpoint seen here wouldn't show")


def _as_json(report: Report, kept: list[KeptHead]) -> dict[str, object]:
    return {
        "ok": not report.count,
        "wrong": report.count,
        "findings": [
            {"entry": one.entry or None, "position": one.position or None, "text": one.text} for one in report.findings
        ],
        "entries": report.entries,
        "chains": report.chains,
        "first": report.first,
        "last": report.last,
        "checkpoints": report.checkpoints,
        "signed": report.signed,
        "keys": report.keys,
        "heads": len(kept),
        "limits": list(told(report)),
    }


@click.command("head", epilog="Example: mcp-guard log head >> /mnt/elsewhere/heads")
@_STATE
def head(state: Path | None) -> int:
    """Print the newest head, POSITION:HASH. Keep it where who can write the record can't: `log verify --head` takes it.

    It stands for every entry before it; those after it are covered by the next one.
    """
    connection = tables.open_for_reading(_directory(state))
    try:
        found = newest_head(connection)
    finally:
        connection.close()
    if found is None:
        raise RecordFailed("the record has no opening and no checkpoint; see `mcp-guard log verify`")
    click.echo(str(found))
    return 0


@click.command("key", epilog="Example: mcp-guard log key > guard.pub")
@_STATE
def key(state: Path | None) -> int:
    """Print the public key that checkpoints are signed with (Ed25519, PEM). Keep it apart from the record."""
    from mcp_guard.record.keys import signing_seed
    from mcp_guard.record.signing import Signer, fingerprint, public_pem

    public = Signer(signing_seed(_directory(state))).public
    click.echo(public_pem(public), nl=False)
    click.echo(f"fingerprint {fingerprint(public)}", err=True)
    return 0


@click.command("was", epilog="""Example: mcp-guard log was 3f9a1c2e-17 '{"path": "/home/me/notes.txt"}'""")
@click.argument("entry")
@click.argument("text", metavar="JSON")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@_STATE
def was(entry: str, text: str, as_json: bool, state: Path | None) -> int:
    """Was it this value? Holds arguments (a JSON object, some of them or all) against what ENTRY keeps of its call.

    The record keeps no value, only keyed digests; so it can't show one, but can say yes or no to it. Exit code 1: no.
    """
    from mcp_guard.record.keys import digest_key
    from mcp_guard.record.query import open_for_reading
    from mcp_guard.record.was import Match, is_whole_call, matches
    from mcp_guard.wire import parse_arguments

    try:
        arguments = parse_arguments(text)
    except Malformed as error:
        raise InputError(f"the arguments aren't one JSON object: {error}") from error
    directory = _directory(state)
    with open_for_reading(directory) as query:
        row = query.find(entry)
    if row is None or row.kind is not EntryKind.DECISION:
        raise InputError(f"no entry `{entry}` of a call is in the record; `mcp-guard log` shows the ids")
    key = digest_key(directory)
    found, whole = matches(key, row.body, arguments), is_whole_call(key, row.body, arguments)
    if as_json:
        click.echo(json.dumps({"entry": entry, "whole": whole, "arguments": {n: m.name for n, m in found.items()}}))
    else:
        for name, match in found.items():
            click.echo(escaped(f"{name}: {match.value}"))
        if whole:
            click.echo("this is all that the call carried")
    return 0 if whole or (found and set(found.values()) == {Match.YES}) else 1


@click.command("set-clock", epilog="Example: mcp-guard log set-clock")
@click.option("--yes", is_flag=True, help="Don't ask.")
@_STATE
def set_clock(yes: bool, state: Path | None) -> int:
    """The machine's clock is right, and the record has times ahead of it: go on from the clock. This is recorded.

    Until then the guard's time stands at the latest that was recorded, so that nothing expired comes back.
    """
    from mcp_guard.record.acting import acting

    with acting(_directory(state), "command-line", _now) as record:
        ahead = record.ahead()
        if ahead.total_seconds() <= 0:
            click.echo("the record's times aren't ahead of the clock; nothing to set", err=True)
            return 0
        now = _now().astimezone()
        question = f"the latest entry is {ahead} ahead of the clock; is it really {now:%Y-%m-%d %H:%M} now?"
        if not yes and not click.confirm(question, err=True):
            return 1
        record.set_clock()
    return 0


def _now() -> datetime:
    return datetime.now(UTC)


@click.command("schema", epilog="Example: mcp-guard log schema > entry.schema.json")
def schema() -> int:
    """Print the JSON Schema of every kind of entry, with an example each: what `log --jsonl` gives as `body`."""
    from mcp_guard.record.codes import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
    return 0
