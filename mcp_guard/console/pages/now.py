"""Now: what waits for the person, what is stopped, and what was decided last. Also: stop, and go on."""

from __future__ import annotations

from collections.abc import Mapping

from mcp_guard.approvals.answering import at, looking_at
from mcp_guard.console import rows
from mcp_guard.console.forms import Form
from mcp_guard.console.room import Asked, Page, Room, now
from mcp_guard.errors import InputError
from mcp_guard.model import EffectClass
from mcp_guard.record.query import Filter
from mcp_guard.record.stops import EVERYTHING

LATEST = 30  # decisions on the page
OLDEST = 10  # questions on it: those that lapse first
EFFECTS = tuple(one.value for one in EffectClass)


def show(room: Room, asked: Asked) -> Page:
    """The page, which renews itself unless it is asked to stand still."""
    values = {"live": "still" not in asked.query, "now": now(), "effects": EFFECTS, "done": asked.query.get("done", "")}
    with room.record() as query:
        if query is None:
            return Page("now.html", values | {"empty": True, "rows": [], "waiting": [], "total": 0, "stopped": {}})
        found = [rows.told(row) for row in query.entries(Filter(limit=LATEST))]
    with looking_at(room.directory) as desk:
        values |= {"waiting": rows.waiting(desk, OLDEST), "total": desk.how_many(), "stopped": desk.stopped()}
    return Page("now.html", values | {"empty": False, "rows": found[::-1]})


def stop(room: Room, path: Mapping[str, str], form: Form) -> str:
    """Stop a scope, at once and for every guard of this record. No PIN: it loosens nothing."""
    scope = _scope(form)
    with at(room.directory) as desk:
        desk.halt(scope, f"by {room.by}, in the console")
    return "/now?done=stopped"


def resume(room: Room, path: Mapping[str, str], form: Form) -> str:
    """Let it go on. Needs the PIN."""
    scope = form.one("scope")
    with looking_at(room.directory) as desk:
        if scope not in desk.stopped():
            raise InputError("that isn't stopped any more; load the page again")
    room.require_person(form)
    with at(room.directory) as desk:
        desk.resume(scope)
    return "/now?done=resumed"


def _scope(form: Form) -> str:
    """Everything, or one server, session or effect."""
    kind, name = form.one("kind"), form.one("name")
    if kind == EVERYTHING:
        return EVERYTHING
    if kind not in ("server", "session", "effect") or not name:
        raise InputError("say what is to be stopped: everything, or the name of a server, a session or an effect")
    if kind == "effect" and name not in EFFECTS:
        raise InputError(f"`{name}` is no effect; it is one of {', '.join(EFFECTS)}")
    return f"{kind}:{name}"
