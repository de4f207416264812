"""`mcp-guard log`: what was asked for, what was let through, by which rule, and what became of it.

Reads the record and writes nothing to it. All text goes through `shown`, as JSON through ASCII escapes: whoever
named a tool must not get to write to the reader's terminal.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from mcp_guard.cli.log_export import print_json, show_counts_by, show_csv, show_jsonl
from mcp_guard.errors import GuardError
from mcp_guard.record import place, shown
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import COUNTED, Exercise, Filter, Query, Row, open_for_reading

POLL = 0.25  # seconds between two looks at the record under --follow
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
COLOURS = {"allow": "green", "ask": "yellow", "deny": "red"}
COLUMNS = ("time", "who", "what", "effect", "why", "entry")

COMMANDS = {
    "verify": "Was anything of the record changed, removed, moved or cut off.",
    "head": "One line to keep elsewhere: it shows later whether the record was cut or rewritten before it.",
    "key": "The public key that checkpoints are signed with.",
    "was": "Was it this value? Holds arguments against what an entry keeps of them.",
    "schema": "What each kind of entry says: JSON Schema, with an example each.",
    "set-clock": "The clock is right and the record's times are not: go on from the clock.",
}

FILTERS = (
    *("denied", "tool", "server", "session", "since", "until", "entry", "kind", "effect", "reason", "rule"),
    *("outcome", "principal", "client", "method", "flagged"),
)

Show = Callable[[Iterable[Row]], None]


class InputIsWrong(click.ClickException):
    """What a person has to mend, as one line and exit code 2."""

    exit_code = 2


def since_when(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    """So long ago (`30m`, `2h`, `7d`), or a date and time; local time unless it says otherwise."""
    if value is None:
        return None
    try:
        if ago := re.fullmatch(r"([0-9]{1,9})([smhdw])", value):
            return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(value).astimezone(UTC)
    except (OverflowError, ValueError):
        raise click.BadParameter(
            f"`{value}` is no time; write 30m, 2h, 7d, or a date such as 2026-12-31T18:00"
        ) from None


class _Log(click.Group):
    """`log` by itself shows; each of its commands is in a module that is imported when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found = getattr(importlib.import_module("mcp_guard.cli.log_evidence"), cmd_name.replace("-", "_"))
        assert isinstance(found, click.Command)  # noqa: S101 - that module holds a command of each name
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group("log", cls=_Log, invoke_without_command=True)
@click.option("--denied", is_flag=True, help="Only calls that were refused or asked about.")
@click.option("--flagged", is_flag=True, help="Only calls that the monitor or a scanner flagged.")
@click.option("--tool", metavar="PATTERN", help="Only this tool: `server/tool` or `tool`; * stands for anything.")
@click.option("--server", metavar="NAME", help="Only this tool server.")
@click.option("--session", metavar="KEY", help="Only this session; the beginning of its key is enough.")
@click.option(
    "--since", metavar="WHEN", callback=since_when, help="Only what is newer: 30m, 2h, 7d, or a date and time."
)
@click.option("--until", metavar="WHEN", callback=since_when, help="Only what is older.")
@click.option("--entry", metavar="ID", help="Only this entry.")
@click.option("--kind", type=click.Choice([kind.value for kind in EntryKind]), metavar="KIND", help="Only this kind.")
@click.option("--effect", type=click.Choice(["allow", "ask", "deny"]), help="Only calls with this decision.")
@click.option("--reason", metavar="REASON", help="Only calls refused for this reason, such as no_grant.")
@click.option("--rule", metavar="PATTERN", help="Only calls that this rule spoke about, such as policy/ID.")
@click.option("--outcome", metavar="OUTCOME", help="Only calls that ended so, such as ok or unknown.")
@click.option("--principal", metavar="PATTERN", help="Only this principal.")
@click.option("--client", metavar="PATTERN", help="Only clients that call themselves so.")
@click.option("--method", metavar="METHOD", help="Only this method, such as tools/call.")
@click.option("--count-by", type=click.Choice(list(COUNTED)), help="How many there are of each.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated, with a header.")
@click.option("--jsonl", is_flag=True, help="Every entry of the record, with its hash, one JSON object a line.")
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="A closed file.")
@click.option("--follow", is_flag=True, help="Go on with what comes in, until Ctrl-C.")
@click.option("--counts", is_flag=True, help="Per rule: how often it let a call through or refused one.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="The newest so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--state", type=click.Path(path_type=Path), help="The record's directory.")
@click.pass_context
def log(context: click.Context, /, **options: Any) -> None:
    """Show what was asked for and what was decided, oldest first.

    \b
    Example: what was refused in the last two hours
      mcp-guard log --denied --since 2h
    """
    if context.invoked_subcommand is not None:
        return
    shown_as = [name for name in ("counts", "count_by", "as_csv", "jsonl") if options[name]]
    if options["follow"] and options["file"]:
        raise click.UsageError("nothing comes in any more in a closed file; leave `--follow` out")
    if len(shown_as) + options["follow"] > 1:
        raise click.UsageError("--follow, --counts, --count-by, --csv and --jsonl are different views; choose one")
    filtering = {name: options[name] for name in FILTERS}
    if options["jsonl"] and any(filtering.values()):
        raise click.UsageError("--jsonl gives every entry, so that the chain can be followed; leave the filters out")
    wanted = Filter(**filtering, limit=options["limit"])
    try:
        _log(place.state_directory(options["state"]), wanted, options)
    except KeyboardInterrupt:
        return  # the way to end --follow
    except GuardError as error:
        raise InputIsWrong(shown.escaped(str(error))) from error


def _log(directory: Path, wanted: Filter, options: dict[str, Any]) -> None:
    follow, as_json = options["follow"], options["as_json"]
    if options["file"] is None and not place.is_there(directory):
        _say(
            f"nothing is recorded yet in {shown.escaped(str(directory))}: put a server behind the guard with "
            "`mcp-guard wrap -- COMMAND`, or see one at work with `mcp-guard demo`"
        )
        if not follow:
            return None
    show = (
        show_csv if options["as_csv"] else show_json if as_json else show_lines if follow or _is_plain() else show_table
    )
    if follow:
        follow_record(directory, wanted, show, lambda: time.sleep(POLL))
        return None
    with open_for_reading(directory, options["file"]) as query:
        query.progress = _progress
        if options["jsonl"]:
            return show_jsonl(query)
        if field := options["count_by"]:
            return show_counts_by(field, query.counts(field, wanted), as_json)
        if options["counts"]:
            all_of_it = not (wanted.denied or wanted.flagged or wanted.tool or wanted.server)
            _show_counts(query.exercised(wanted), query.granted(wanted.session) if all_of_it else frozenset(), as_json)
            return None
        rows = list(query.entries(wanted))
        known = query.servers() if not rows and wanted.server is not None else []
    if rows:
        show(rows)
    elif known and wanted.server not in known:
        _say(shown.escaped(f"nothing is recorded of server `{wanted.server}`; recorded are {', '.join(known)}"))
    else:
        _say("no entry is like that: leave out an option, or look further back with --since")


def follow_record(directory: Path, wanted: Filter, show: Show, pause: Callable[[], None]) -> None:
    """Show the newest entries, then what comes in, until `pause` raises. A call shows again when it is finished."""
    while not place.is_there(directory):
        pause()
    with open_for_reading(directory) as query:
        _follow(query, wanted, show, pause)


def _follow(query: Query, wanted: Filter, show: Show, pause: Callable[[], None]) -> None:
    seen, position = -1, 0
    while True:
        if (version := query.version()) != seen:  # read before the rows: what comes between is looked at again
            rows, position = query.news(wanted, position)
            show(rows)
            seen = version
        pause()


def show_json(rows: Iterable[Row]) -> None:
    """Each entry as it is stored, a decision together with its outcome; ASCII only."""
    for row in rows:
        fields = {"entry": row.id, **row.body}
        if row.kind is EntryKind.DECISION:
            fields |= {"outcome": row.outcome or None, "duration_ms": row.duration_ms, "note": row.note}
        print_json(fields)


def show_lines(rows: Iterable[Row]) -> None:
    """One line a row, in columns that don't depend on what comes later."""
    for row in rows:
        when, who, what, effect, why, entry = _cells(row)
        click.echo(f"{when}  {entry:<14}  {effect:<20}  {who:<16}  {what:<32}  {why}".rstrip())


def show_table(rows: Iterable[Row], console: Console | None = None) -> None:
    """A table with colours, for a terminal; on a narrow one without who, then without columns."""
    console, rows = console or Console(), list(rows)
    for columns in (COLUMNS, tuple(name for name in COLUMNS if name != "who")):
        table = _table(rows, columns)
        if Measurement.get(console, console.options.update(max_width=10_000), table).maximum <= console.width:
            console.print(table)
            return
    _show_folded(rows, console)


def _table(rows: Iterable[Row], columns: tuple[str, ...]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    for name in columns:
        table.add_column(name, no_wrap=True)
    for row in rows:
        cells = dict(zip(COLUMNS, _cells(row, short=True), strict=True))
        colour = COLOURS.get(row.effect, "dim")
        table.add_row(*(Text(cells[name], style=colour if name == "effect" else "") for name in columns))
    return table


def _show_folded(rows: Iterable[Row], console: Console) -> None:
    """What doesn't fit goes on in another line; a name is never broken, since it is there to be copied."""
    for row in rows:
        when, _, *parts = _cells(row, short=True)
        what, effect, why, entry = parts
        colour = COLOURS.get(row.effect, "dim")
        line = Text.assemble(when, "  ", (effect, colour), "  " if effect else "", what)
        for part in filter(None, (why, entry)):
            if len(line) + 2 + len(part) > console.width:
                console.print(line, soft_wrap=True)
                line = Text(" " * 8)
            line.append(f"  {part}")
        console.print(line, soft_wrap=True)


def _cells(row: Row, *, short: bool = False) -> tuple[str, str, str, str, str, str]:
    """In the order of COLUMNS. `short` leaves out today's date."""
    moment = row.time.astimezone()
    today = short and moment.date() == datetime.now().astimezone().date()
    when = moment.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")
    return when, shown.who(row), shown.what(row), shown.effect(row), shown.why(row), shown.escaped(row.id)


def _show_counts(counts: dict[str, Exercise], granted: Iterable[str], as_json: bool) -> None:
    """What came into play, and the grants that never did: those are wider than what is needed."""
    if not counts:
        _say("no rule came into play yet")
    lines = {rule: (each.allowed, each.refused, each.last) for rule, each in counts.items()}
    unused = {rule: (0, 0, None) for rule in granted if rule not in counts}
    for rule, (allowed, refused, last) in sorted({**lines, **unused}.items()):
        if as_json:
            fields = {"rule": rule, "allowed": allowed, "refused": refused}
            print_json(fields | {"last": None if last is None else last.isoformat()})
        else:
            when = "never used" if last is None else f"last {last.astimezone():%Y-%m-%d %H:%M:%S}"
            click.echo(f"{shown.escaped(rule):<32}  {allowed:>5} allowed  {refused:>5} refused  {when}")


def _is_plain() -> bool:
    return not Console().is_terminal or bool(os.environ.get("NO_COLOR"))


def _say(sentence: str) -> None:
    """Words that are no entries: on stderr, so that they are never taken for data."""
    click.echo(sentence, err=True)


def _progress(done: int) -> None:
    """A long record is read once before it answers; then only what came in since."""
    if sys.stderr.isatty():
        click.echo(f"\rreading the record: {done} entries", err=True, nl=False)
