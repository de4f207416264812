"""Entries and questions as pages show them: names for templates, no markup."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from mcp_guard.approvals.answering import Desk, Waiting
from mcp_guard.console.room import now
from mcp_guard.errors import GuardError
from mcp_guard.record import shown
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Row

SHORT = 160  # characters of a call in a list


@dataclass(frozen=True, slots=True)
class Told:
    """One entry in a line."""

    id: str
    time: datetime
    who: str
    what: str
    effect: str  # allow, ask, deny; empty for what is no call
    became: str
    why: str
    is_call: bool


@dataclass(frozen=True, slots=True)
class Open:
    """One open question in a line."""

    entry: str
    call: str  # empty: it can't be shown
    principal: str
    asked: datetime
    left: timedelta
    console_only: bool


def told(row: Row) -> Told:
    """What a list says of an entry."""
    return Told(
        id=row.id,
        time=row.time,
        who=shown.who(row),
        what=shown.what(row),
        effect=row.effect,
        became=shown.effect(row),
        why=shown.why(row),
        is_call=row.kind is EntryKind.DECISION,
    )


def waiting(desk: Desk, most: int, skip: int = 0) -> list[Open]:
    """What waits for an answer, oldest first: as many as one page has. Each costs a look at its file."""
    return [_open(desk, one) for one in desk.waiting(most, skip)]


def _open(desk: Desk, one: Waiting) -> Open:
    try:
        call = desk.slip(one).call
        text, principal = f"{call.name} {json.dumps(dict(call.arguments), ensure_ascii=False)}", call.principal
    except GuardError:
        text, principal = "", ""
    short = text if len(text) <= SHORT else f"{text[:SHORT]}…"
    return Open(one.entry, short, principal, one.asked, one.until - now(), one.tier.name == "CONSOLE")
