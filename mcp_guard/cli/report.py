"""`mcp-guard report`: what was granted against what was used, what was refused and why it may have been, who was asked.

Reads the record and writes nothing to it. All text that is shown has gone through `sections.named`.
"""

from __future__ import annotations

import json
from datetime import datetime
from itertools import chain
from pathlib import Path

import click
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from mcp_guard.cli.documents_named import documents_named
from mcp_guard.cli.log import since_when
from mcp_guard.errors import InputError
from mcp_guard.protection import local_resolve
from mcp_guard.record import keys, place
from mcp_guard.record.events import events, known_before
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.record.values import Reader
from mcp_guard.record.was import value_digest
from mcp_guard.report.making import Report, as_data, make
from mcp_guard.report.page import page
from mcp_guard.report.sections import Section, headline, sections
from mcp_guard.report.slack import Digest


@click.command(epilog="Example: mcp-guard report --policy project.yaml --since 7d --html report.html")
@click.option(
    "--since", metavar="WHEN", callback=since_when, help="Only what is newer: 30m, 2h, 7d, or a date and time."
)
@click.option("--session", metavar="KEY", help="Only this session; the beginning of its key is enough.")
@click.option("--config", type=click.Path(path_type=Path), help="Say where the documents of this guard.yaml are wider.")
@click.option("--policy", type=click.Path(path_type=Path), help="Say where this policy is wider than what was used.")
@click.option("--mandate", type=click.Path(path_type=Path), help="And this mandate.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A variable of the documents.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file, with plots.")
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="A closed file.")
@click.option("--state", type=click.Path(path_type=Path), help="The record's directory.")
@click.option("--json", "as_json", is_flag=True, help="For programs; nothing is left out.")
def report(
    since: datetime | None,
    session: str | None,
    config: Path | None,
    policy: Path | None,
    mandate: Path | None,
    settings: tuple[str, ...],
    html: Path | None,
    file: Path | None,
    state: Path | None,
    as_json: bool,
) -> None:
    """Say what of the granted authority was used, what was refused with its likely cause, and what was asked.

    With --policy or --config also where the documents are wider than what was used.
    """
    documents = documents_named(config, policy, mandate, settings)
    directory = place.state_directory(state)
    digest = argument_digest(directory, file, said=state is not None)
    values = kept_values(directory, file)
    with open_for_reading(directory, file) as query:
        before = known_before(query.entries(Filter(until=since, session=session))) if since is not None else ()
        wanted = events(query.entries(Filter(since=since, session=session)), values)
        found = make(chain(before, wanted), documents, digest)
    if values is not None and values.changed:
        told = f"the values kept of {len(values.changed)} calls were changed and don't count"
        click.echo(f"{told}: `mcp-guard log verify` names them", err=True)
    if html is not None:
        _write(html, page(headline(found), sections(found)))
        click.echo(f"wrote {html}", err=True)
    elif as_json:
        click.echo(json.dumps(as_data(found), indent=2).replace("\x7f", "\\u007f"))
    else:
        show(found, Console(highlight=False, soft_wrap=True))


def argument_digest(directory: Path, file: Path | None, *, said: bool) -> Digest | None:
    """How the record makes the digest of an argument; None without its key, which isn't made here.

    Under another key no listed value would be found, and all would count as never used: so the key is taken for a file
    from elsewhere only if a person said which one it is (`--state`).
    """
    elsewhere = file is not None and file.resolve().parent != directory.resolve()
    if (elsewhere and not said) or not (directory / place.KEY).exists():
        return None
    key = keys.digest_key(directory)
    return lambda name, value: value_digest(key, name, value)


def kept_values(directory: Path, file: Path | None = None) -> Reader | None:
    """The values that were kept beside a record; None for a record from elsewhere, or without its key."""
    if file is not None and file.resolve().parent != directory.resolve():
        return None
    if not (directory / place.KEY).exists():
        return None
    return Reader.of(directory, keys.digest_key(directory))


def leads(path: str) -> str | None:
    """Where a path of a recorded call leads today. Which directory a relative one started from isn't recorded."""
    return local_resolve(path) if path.startswith("/") else None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="ascii")
    except OSError as error:
        raise InputError(f"can't write {path}: {(error.strerror or '').lower()}") from None


_WIDEST = 10_000  # columns


def show(found: Report, console: Console) -> None:
    """On a terminal."""
    console.print(Text(headline(found), "bold"))
    for section in sections(found):
        console.print()
        console.print(Text(section.title, "bold cyan"))
        table = _table(section)
        # A row is one line, however narrow the terminal: eight columns of 80 characters can't be read, nor searched.
        wide = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
        console.print(table, width=max(wide, 1), crop=False, no_wrap=True, overflow="ignore")
        if section.note:
            console.print(Text(section.note, "dim"))


def _table(section: Section) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    for name in section.columns:
        table.add_column(name, overflow="fold")
    for row in section.rows:
        table.add_row(*map(Text, row))
    return table
