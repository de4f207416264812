"""Servers: which tool servers the record knows, how they are, what they offered when first seen, how they are used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from mcp_guard.approvals.answering import looking_at
from mcp_guard.console.room import Asked, Page, Room, now
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Filter, Query

SPAN = timedelta(hours=24)
TELLING = (EntryKind.SERVER_STARTED, EntryKind.SERVER_EXITED, EntryKind.SERVER_ILL, EntryKind.SERVER_WELL)
MOST_TOLD = 500  # of each kind in the span: more says no more
MOST_TOOLS = 300


@dataclass(slots=True)
class Health:
    """One server over the last 24 hours."""

    started: int = 0
    ended: int = 0
    ill: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """One server as the page shows it."""

    name: str
    health: Health
    counts: Counter[str] = field(default_factory=Counter)  # calls by effect
    tools: tuple[str, ...] = ()  # at first sight
    more: int = 0  # tools beyond those
    stopped: str = ""  # why


def show(room: Room, asked: Asked) -> Page:
    """All of them."""
    with room.record() as query:
        if query is None:
            return Page("servers.html", {"servers": []})
        names = sorted(name for name in query.counts("server", Filter(everything=True)) if name)
        health = _health(query)
        found = [(name, _counts(query, name), query.first_seen(name)) for name in names if not _is_key(name, names)]
    with looking_at(room.directory) as desk:
        stopped = desk.stopped()
    servers = [
        Server(
            name,
            health.get(name, Health()),
            counts,
            tuple(sorted(tools or ())[:MOST_TOOLS]),
            max(0, len(tools or ()) - MOST_TOOLS),
            stopped.get(f"server:{name}", stopped.get("everything", "")),
        )
        for name, counts, tools in found
    ]
    return Page("servers.html", {"servers": servers})


def _is_key(name: str, names: list[str]) -> bool:
    """Entries about pins say `name:identity`, which is no other server."""
    return ":" in name and name.rpartition(":")[0] in names


def _counts(query: Query, name: str) -> Counter[str]:
    return query.counts("effect", Filter(server=name, kind=EntryKind.DECISION.value))


def _health(query: Query) -> dict[str, Health]:
    found: dict[str, Health] = {}
    since = now() - SPAN
    told = [row for kind in TELLING for row in query.entries(Filter(since=since, kind=kind.value, limit=MOST_TOLD))]
    for row in sorted(told, key=lambda row: row.began):
        data: Any = row.body.get("data")
        if isinstance(data, dict):
            _note(found.setdefault(str(data.get("server")), Health()), row.kind, str(data.get("why", "")))
    return found


def _note(one: Health, kind: EntryKind, why: str) -> None:
    match kind:
        case EntryKind.SERVER_STARTED:
            one.started += 1
        case EntryKind.SERVER_WELL:
            one.ill = False
        case EntryKind.SERVER_ILL:
            one.ill, one.why = True, why
        case _:
            one.ended, one.why = one.ended + 1, why
