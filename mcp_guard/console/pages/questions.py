"""Approvals: what waits, all of one question, and the person's answers. A yes needs the PIN; a no doesn't."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from mcp_guard.approvals.answering import at, looking_at, refuse_wildcard
from mcp_guard.approvals.nearest import nearest
from mcp_guard.approvals.slips import Slip
from mcp_guard.approvals.taking import words
from mcp_guard.console import rows
from mcp_guard.console.forms import Form
from mcp_guard.console.room import Asked, Page, Room, now
from mcp_guard.errors import InputError
from mcp_guard.model import By
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.keys import digest_key
from mcp_guard.record.query import Filter

SIZE = 50  # questions of one page
BEFORE = 5  # calls of the session that are told


def show(room: Room, asked: Asked) -> Page:
    """One page of the list, oldest first."""
    live, done, skip = "still" not in asked.query, asked.query.get("done", ""), asked.query.get("skip", "0")
    if not re.fullmatch("[0-9]{1,6}", skip):
        raise InputError("this page's address isn't one of the approvals'")
    first = int(skip)
    values = {"live": live, "done": done, "now": now(), "first": first, "size": SIZE, "total": 0}
    with room.record() as query:
        if query is None:
            return Page("approvals.html", values | {"waiting": [], "standing": []})
    with looking_at(room.directory) as desk:
        values |= {"total": desk.how_many(), "standing": desk.standing()}
        return Page("approvals.html", values | {"waiting": rows.waiting(desk, SIZE, first)})


def one(room: Room, asked: Asked) -> Page:
    """All of one question, and the forms that answer it."""
    entry = asked.path["entry"]
    with looking_at(room.directory) as desk:
        found = desk.one(entry)
        slip = desk.slip(found)
    with room.record() as query:
        if query is None:
            raise InputError("nothing is recorded, so nothing waits")
        before = [row for row in query.entries(Filter(session=found.session, limit=BEFORE * 3)) if row.id != entry]
        near = nearest(slip.call, digest_key(room.directory), query)
    calls = [rows.told(row) for row in before if row.kind is EntryKind.DECISION][-BEFORE:]
    said = slip.shown
    values = {
        "entry": entry,
        "asked": found,
        "left": found.until - now(),
        "by": found.tier.name.lower(),
        "call": slip.call,
        "tasks": _texts(said.get("tasks")),
        "client": said.get("client") or "",
        "effects": _texts(said.get("effects")),
        "arguments": _arguments(slip),
        "beside": [
            (name, _json(value)) for name, value in slip.call.params.items() if name not in ("name", "arguments")
        ],
        "rules": _rules(said),
        "takes": [words(one) for one in _objects(said.get("takes"))],
        "free": _free(slip),
        "before": calls,
        "near": near,
        "has_pin": room.has_pin,
    }
    return Page("question.html", values)


def approve(room: Room, path: Mapping[str, str], form: Form) -> str:
    """Say yes: once, or for the session within exact clauses. Needs the PIN."""
    entry, extent, free = path["entry"], form.one("extent"), form.all("free")
    if extent not in ("once", "session"):
        raise InputError("say whether it is approved once, or for the session")
    if free and extent == "once":
        raise InputError("arguments are left open only for the session; choose one of the two")
    with looking_at(room.directory) as desk:
        found = desk.one(entry)
        refuse_wildcard(desk.slip(found), free, "yes")
    room.require_person(form)
    with at(room.directory) as desk:
        if extent == "session":
            desk.for_the_session(found, "yes", room.by, By.CONSOLE, free)
        else:
            desk.approve(found, room.by, By.CONSOLE)
    return "/approvals?done=approved"


def deny(room: Room, path: Mapping[str, str], form: Form) -> str:
    """Say no: to this one, or to all like it in the session."""
    with at(room.directory) as desk:
        found = desk.one(path["entry"])
        if form.one("extent") == "session":
            desk.for_the_session(found, "no", room.by, By.CONSOLE)
        else:
            desk.refuse(found, room.by)
    return "/approvals?done=denied"


def _arguments(slip: Slip) -> list[dict[str, Any]]:
    said = slip.shown
    limits, decides = _object(said.get("limits")), _texts(said.get("decides"))
    return [
        {
            "name": name,
            "value": _json(value),
            "decides": name in decides,
            "sources": slip.sources(name),
            "limit": limits.get(name, ""),
        }
        for name, value in slip.call.arguments.items()
    ]


def _rules(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each rule that asks, in words, and its line."""
    lines = [*_texts(said.get("at"))]
    rules = [str(rule.get("says", "")) for rule in _objects(said.get("rules"))]
    return [(says, lines[number] if number < len(lines) else "") for number, says in enumerate(rules)]


def _free(slip: Slip) -> list[str]:
    """The arguments that an answer for the session may leave open."""
    found = []
    for name in slip.call.arguments:
        try:
            refuse_wildcard(slip, [name], "yes")
            found.append(name)
        except InputError:
            continue
    return found


def _json(value: Any) -> str:
    """As JSON, so that a text can't look like a structure."""
    return json.dumps(value, ensure_ascii=False)


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
