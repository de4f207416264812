"""Rows of the record as reports read them (`mcp_guard.report.seen`); what no report goes by is left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Row
from mcp_guard.report.seen import Event, Exposed, Loaded, Said, Seen

_BECAME = {
    EntryKind.APPROVED: "approved",
    EntryKind.REFUSED: "refused",
    EntryKind.LAPSED: "lapsed",
    EntryKind.WITHDRAWN: "withdrawn",
}


def events(rows: Iterable[Row]) -> Iterator[Event]:
    """In the order of the rows. Members that an entry doesn't have as they should be count as absent."""
    for row in rows:
        data = _object(row.body.get("data"))
        if row.kind is EntryKind.DECISION:
            yield seen(row)
        elif row.kind in (EntryKind.EXPOSED, EntryKind.LABELS_CLEARED):
            yield Exposed(row.session, _texts(data.get("labels")), cleared=row.kind is EntryKind.LABELS_CLEARED)
        elif row.kind is EntryKind.LOADED:
            yield from loaded(row)
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


def seen(row: Row) -> Seen:
    """A decision."""
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
    )


def loaded(row: Row) -> Iterator[Loaded]:
    """The documents that an entry says were loaded."""
    documents = _object(row.body.get("data")).get("documents")
    for one in documents if isinstance(documents, list) else ():
        document = _object(one)
        ids = (name for name in _texts(document.get("grants")) if not name.startswith("…"))  # `… 7 more`
        kind = str(document.get("kind"))
        yield Loaded(str(document.get("file")), tuple(f"{kind}/{name}" for name in ids), kind)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
