"""`mcp-guard quarantine`: answers that wait for a person; to see what is in one, and to let it through.

What `result: [quarantine]` held back is in a file beside the record. To look and to release take the PIN: an agent with
a shell that reads what was held from it would need no release.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from mcp_guard.errors import InputError
from mcp_guard.presence import require
from mcp_guard.quarantining import content_digest
from mcp_guard.record import place
from mcp_guard.record.acting import acting
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.quarantine import Held, Quarantine
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.record.shown import escaped

SESSION = "person"
"""The session under which the record keeps a release: it belongs to no client."""
_SHOWN = 200_000  # characters of a held answer on a terminal


@click.command("quarantine")
@click.argument("action", type=click.Choice(["list", "show", "release", "drop"]), default="list")
@click.argument("entry", required=False)
@click.option("--json", "as_json", is_flag=True, help="The list as one JSON object a line.")
@click.option("--state", type=click.Path(path_type=Path), help="The record's directory.")
def quarantine(action: str, entry: str | None, as_json: bool, state: Path | None) -> None:
    """List answers that are held, show one, release one, or drop one.

    ENTRY is that of the call, as the list and `mcp-guard log` have it. Once an answer is released, the same call made
    again gets it, and isn't carried out anew.

    \b
    Example:
      mcp-guard quarantine release 3f9a1c2e-17
    """
    directory = place.state_directory(state)
    kept = Quarantine(directory)
    if action == "list":
        return _list(kept.all(_now()), as_json)
    held = None if entry is None else kept.find(entry, _now())
    if held is None:
        which = "no entry is named" if entry is None else f"no answer is held to {escaped(entry)}"
        raise InputError(f"{which}; `mcp-guard quarantine` lists what is held")
    require(directory, f"{action} the answer to {held.entry} ({held.name})")
    if action == "show":
        return _show(held)
    if action == "drop":
        kept.drop(held.entry)
        return click.echo(f"dropped the answer to {held.entry}; it stays withheld", err=True)
    return _release(directory, kept, held)


def _list(held: list[Held], as_json: bool) -> None:
    for one in held:
        status = "held" if one.released is None else "released"
        if as_json:
            said = {"entry": one.entry, "time": one.time.isoformat(), "name": one.name, "status": status}
            click.echo(json.dumps({**said, "bytes": len(one.content)}))
        else:
            when = one.time.astimezone().strftime("%Y-%m-%d %H:%M")
            click.echo(f"{one.entry}  {when}  {escaped(one.name)}  {len(one.content)} bytes  {status}")
    if not held and not as_json:
        click.echo("nothing is held", err=True)


def _show(held: Held) -> None:
    """The content, with everything that isn't plain written as its code: it may be an attacker's."""
    text = json.dumps(json.loads(held.content), indent=2)  # ASCII: what can't be seen is an escape
    click.echo(text[:_SHOWN])
    if len(text) > _SHOWN:
        click.echo(f"and {len(text) - _SHOWN} more characters", err=True)


def _release(directory: Path, kept: Quarantine, held: Held) -> None:
    with acting(directory, SESSION) as record:
        digest = content_digest(record.key, held.content)
        if not _was_held(directory, held.entry, digest):
            raise InputError("what is kept isn't what the record says was held; drop it, and make the call anew")
        position = record.note(EntryKind.RELEASED, {"entry": held.entry, "digest": digest})
        kept.release(held.entry, position)
    click.echo(f"released: the same call to {escaped(held.name)}, made again, gets the answer", err=True)


def _was_held(directory: Path, entry: str, digest: str) -> bool:
    """Does the outcome of this call say that just this was held?"""
    with open_for_reading(directory) as query:
        found = query.entries(Filter(entry=entry))
        return any(row.id == entry and f"held, digest {digest}" in row.note for row in found)


def _now() -> datetime:
    return datetime.now(UTC)
