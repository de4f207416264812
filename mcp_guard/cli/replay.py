"""`mcp-guard replay`: what another policy would have said of the recorded calls. Sends nothing and writes nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from mcp_guard.cli.documents_named import documents_named
from mcp_guard.cli.log import since_when
from mcp_guard.cli.report import argument_digest, kept_values, leads
from mcp_guard.policy.document import Document
from mcp_guard.record import place
from mcp_guard.record.past_calls import past_calls
from mcp_guard.record.query import Filter, Query, open_for_reading
from mcp_guard.report.replay import Change, Past, Replayed
from mcp_guard.report.replay import replay as replay_calls
from mcp_guard.report.sections import named

MOST = 200  # lines


@click.command(epilog="Example: mcp-guard replay --policy tighter.yaml")
@click.option("--policy", type=click.Path(path_type=Path), required=True, help="The policy to judge by.")
@click.option("--mandate", type=click.Path(path_type=Path), help="And by this mandate.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A variable of the policy.")
@click.option(
    "--since", metavar="WHEN", callback=since_when, help="Only what is newer: 30m, 2h, 7d, or a date and time."
)
@click.option("--session", metavar="KEY", help="Only this session; the beginning of its key is enough.")
@click.option("--state", type=click.Path(path_type=Path), help="The record's directory, with its key.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, of every call.")
@click.argument("record", required=False, type=click.Path(path_type=Path, exists=True))
def replay(
    policy: Path,
    mandate: Path | None,
    settings: tuple[str, ...],
    since: datetime | None,
    session: str | None,
    state: Path | None,
    as_json: bool,
    record: Path | None,
) -> int:
    """Judge the calls of RECORD (a file, or a state directory; default: yours) under another policy.

    Exit code 1 if one is newly allowed, asked about instead of denied, or may be: what hangs on values that the record
    doesn't keep can't be told.
    """
    documents = documents_named(None, policy, mandate, settings)
    file = record if record is not None and record.is_file() else None
    directory = place.state_directory(state if file is not None or record is None else record)
    digest = argument_digest(directory, file, said=state is not None)
    with open_for_reading(directory, file) as query:
        rows = query.entries(Filter(since=since, session=session))
        calls = past_calls(rows, kept_values(directory, file))
        started = partial(_started, query, documents)
        found = list(replay_calls(calls, documents, digest, query.first_seen, leads, started))
    if as_json:
        for one in found:
            click.echo(json.dumps(_data(one)).replace("\x7f", "\\u007f"))
    else:
        _show(found)
    return 1 if any(one.looser for one in found) else 0


def _started(query: Query, documents: tuple[Document, ...], past: Past) -> datetime:
    """When this mandate was first used by that principal; one that never was begins with each call, and so never ends
    within it.
    """
    return query.first_use(f"{documents[-1].digest}:{past.principal}") or past.time


def _data(one: Replayed) -> dict[str, object]:
    past, now = one.past, one.now
    return {
        "entry": past.entry,
        "call": f"{past.server}/{past.target}",
        "count": past.count,
        "before": past.effect.name.lower(),
        "change": one.change.value,
        "looser": one.looser,
        "reason": now.reason,
        "rules": [rule.key for rule in now.rules],
    }


def _show(found: Iterable[Replayed]) -> None:
    """The numbers, then a line for each kind of change of each call, the looser ones first."""
    numbers: Counter[Change] = Counter()
    lines: Counter[tuple[bool, Change, str, str]] = Counter()
    last: dict[tuple[bool, Change, str, str], str] = {}
    for one in found:
        numbers[one.change] += one.past.count
        if one.change is not Change.SAME:
            key: tuple[bool, Change, str, str] = (
                not one.looser,
                one.change,
                f"{one.past.server}/{one.past.target}",
                _why(one),
            )
            lines[key] += one.past.count
            last[key] = one.past.entry
    told = ", ".join(f"{numbers[change]} {change}" for change in Change)
    click.echo(f"{sum(numbers.values())} calls: {told}.")
    for line in sorted(lines)[:MOST]:
        stricter, change, name, why = line
        may = " (may be looser)" if change is Change.UNTOLD and not stricter else ""
        click.echo(f"  {change}{may}  {named(name)}  {_times(lines[line])}  {named(why)}  last {last[line]}")
    if len(lines) > MOST:
        click.echo(f"  and {len(lines) - MOST} lines more: `--json` has all")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _why(one: Replayed) -> str:
    if one.change is Change.UNTOLD:
        return f"it was {one.past.effect.name.lower()}"
    rules = ", ".join(rule.key for rule in one.now.rules)
    return ", ".join(filter(None, (one.now.reason, rules)))
