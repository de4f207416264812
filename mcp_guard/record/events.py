"""Rows of the record as reports read them (`mcp_guard.report.seen`); what no report goes by is left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Row
from mcp_guard.record.values import Reader
from mcp_guard.report.seen import Event, Exposed, Loaded, Reported, Said, Seen

_BECAME = {
    EntryKind.APPROVED: "approved",
    EntryKind.REFUSED: "refused",
    EntryKind.LAPSED: "lapsed",
    EntryKind.WITHDRAWN: "withdrawn",
}


def events(rows: Iterable[Row], values: Reader | None = None) -> Iterator[Event]:
    """In the order of the rows, with the `values` that were kept. Members that an entry doesn't have as they should be
    count as absent.
    """
    for row in rows:
        data = _object(row.body.get("data"))
        if row.kind is EntryKind.DECISION:
            yield seen(row, values)
        elif row.kind in (EntryKind.EXPOSED, EntryKind.LABELS_CLEARED):
            yield Exposed(row.session, _texts(data.get("labels")), cleared=row.kind is EntryKind.LABELS_CLEARED)
        elif row.kind is EntryKind.LOADED:
            yield from loaded(row)
        elif row.kind is EntryKind.REPORTED:
            yield reported(data)
        elif row.kind is EntryKind.ASKED:
            yield Said(str(data.get("question")), "asked", row.time, _texts(data.get("asks")))
        elif row.kind is EntryKind.STANDING:
            yield Said(str(data.get("like")), "standing", row.time)
        elif row.kind in _BECAME:
            yield Said(str(data.get("question")), _BECAME[row.kind], row.time)


def known_before(rows: Iterable[Row]) -> Iterator[Event]:
    """What a report that begins later has to know of the time before: which documents bind, who has which labels."""
    for event in events(rows):
        if isinstance(event, Exposed | Loaded):
            yield event
        elif isinstance(event, Seen) and event.gives:
            yield Exposed(event.session, event.gives)


def seen(row: Row, values: Reader | None = None) -> Seen:
    """A decision."""
    kept = None if values is None else values.of_entry(row.id, row.body)
    other = _object(row.body.get("candidate"))
    return Seen(
        entry=row.id,
        time=row.time,
        session=row.session,
        name=row.name or row.method,
        effect=row.effect,
        reason=row.reason,
        rules=row.rules,
        given={str(name): str(kind) for name, kind in _object(row.body.get("shape")).items()},
        values={str(name): str(digest) for name, digest in _object(row.body.get("values")).items()},
        gives=_texts(row.body.get("gives")),
        digest=str(row.body.get("digest", "")),
        count=row.count,
        flags=row.flags,
        known={} if kept is None else kept.values,
        approved=bool(row.body.get("approvals")),
        authority=str(row.body.get("authority", "")),
        candidate=str(other.get("effect", "")),
        candidate_why=" ".join([str(other.get("reason", "")), *_texts(other.get("rules"))]).strip(),
        sent=row.outcome != "not_sent",
    )


def reported(data: Mapping[str, Any]) -> Reported:
    """A report of a failure."""
    name = f"{data.get('server')}/{data.get('target')}"
    values = {str(argument): str(digest) for argument, digest in _object(data.get("values")).items()}
    return Reported(str(data.get("entry")), name, values, str(data.get("reason", "")))


def loaded(row: Row) -> Iterator[Loaded]:
    """The documents that an entry says were loaded."""
    documents = _object(row.body.get("data")).get("documents")
    for one in documents if isinstance(documents, list) else ():
        document = _object(one)
        ids = (name for name in _texts(document.get("grants")) if not name.startswith("…"))  # `… 7 more`
        kind = str(document.get("kind"))
        if kind == "candidate":  # it grants nothing
            continue
        yield Loaded(str(document.get("file")), tuple(f"{kind}/{name}" for name in ids), kind, row.id)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
