"""The reader's view of sessions: whose they are, what they did, which labels they have and since which entry."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from mcp_guard.errors import InputError
from mcp_guard.record.entries import EntryKind, entry_id
from mcp_guard.record.query import Filter, Query, Row


@dataclass(slots=True)
class SessionRow:
    """One history. `labels`: by label the entry that set it, and what that was about."""

    key: str
    first: datetime
    last: datetime
    principal: str = ""
    client: str = ""
    allowed: int = 0
    refused: int = 0
    labels: dict[str, tuple[str, str]] = field(default_factory=dict)
    tools: dict[str, int] = field(default_factory=dict)  # how often each was admitted
    grants: dict[str, int] = field(default_factory=dict)
    next: str = ""  # the history that its next start has, where a person began a new one


def sessions(query: Query) -> list[SessionRow]:
    """All of them, the one that was last seen at the end. What a person or a starting guard did counts for none."""
    found: dict[str, SessionRow] = {}
    at: dict[int, Row] = {}
    for row in query.entries(Filter()):
        at[row.body["position"]] = row
        if row.kind not in (EntryKind.DECISION, EntryKind.LOADED, EntryKind.EXPOSED):
            continue
        one = found.setdefault(row.session, SessionRow(row.session, row.time, row.time))
        one.last = max(one.last, row.time)
        if row.kind is EntryKind.DECISION:
            one.principal, one.client = row.principal, row.client or one.client
            one.allowed += row.count if row.effect == "allow" else 0
            one.refused += 0 if row.effect == "allow" else row.count
    for key, (label, position) in query.labels():
        if key in found:
            found[key].labels[label] = _entry(at.get(position))
    for key, one in found.items():
        done = query.admitted(key)
        one.tools, one.grants = dict(done.tools), dict(done.grants)
        newest = query.newest(key)
        one.next = newest if newest != key else ""
    return sorted(found.values(), key=lambda one: one.last)


def the_one(found: list[SessionRow], key: str) -> SessionRow:
    """The session of this key, or of the only one that begins so. Raises InputError, with the way out."""
    fitting = [one for one in found if one.key == key] or [one for one in found if key and one.key.startswith(key)]
    if len(fitting) != 1:
        many = f"{len(fitting)} sessions begin with" if fitting else "there is no session"
        raise InputError(f"{many} `{key}`; `mcp-guard session list` shows the keys")
    return fitting[0]


def _entry(row: Row | None) -> tuple[str, str]:
    """Its id and what it was about. A call's outcome stands in the row of its decision."""
    if row is None:
        return "", "an answer that came after a clearing"
    data = row.body.get("data")
    server = str(data.get("server", "")) if isinstance(data, dict) else ""
    return entry_id(row.body["chain"], row.body["seq"]), row.name if row.kind is EntryKind.DECISION else server
