"""What `log` gives to other programs: CSV for a spreadsheet, every entry as JSON Lines, counts by a field."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator

import click

from mcp_guard.record.query import Query, Row
from mcp_guard.record.shown import escaped

CSV_COLUMNS = (
    *("entry", "time", "kind", "session", "principal", "client", "method", "server", "target"),
    *("effect", "reason", "rules", "outcome", "duration_ms", "count", "detail"),
)
_FORMULA = ("=", "+", "-", "@")


def show_csv(rows: Iterable[Row]) -> None:
    """A header and one line a row. What a spreadsheet would take for a formula gets an apostrophe before it."""
    click.echo(",".join(CSV_COLUMNS))
    for row in rows:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(map(_cell, _values(row)))
        click.echo(line.getvalue(), nl=False)


def _values(row: Row) -> Iterator[object]:
    yield from (row.id, row.time.isoformat(), row.kind.value, row.session, row.principal, row.client, row.method)
    yield from (row.server, row.target, row.effect, row.reason, " ".join(row.rules), row.outcome)
    yield from ("" if row.duration_ms is None else f"{row.duration_ms:.3f}", row.count, row.detail)


def _cell(value: object) -> str:
    text = escaped(str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


def show_jsonl(query: Query) -> None:
    """Every entry, in the order of the record, with its place and hash: `body` is what the hash is taken of."""
    for position, hashed, body in query.raw():
        print_json({"position": position, "hash": hashed, "body": body})


def show_counts_by(field: str, counts: Counter[str], as_json: bool) -> None:
    """The most frequent first."""
    for text, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        if as_json:
            print_json({field: text, "count": count})
        else:
            click.echo(f"{count:>9}  {escaped(text) or '-'}")


def print_json(fields: dict[str, object]) -> None:
    """One line, ASCII only; DEL is the one control character that JSON leaves as it is."""
    click.echo(json.dumps(fields).replace("\x7f", "\\u007f"))
