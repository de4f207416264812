"""Taking away from here: local denies beside a policy, which guards that run obey from their next call on.

To add one needs no PIN, since it only narrows; to take one away again does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from mcp_guard.accepting import local
from mcp_guard.accepting.local_text import Rule, Scalar
from mcp_guard.console.forms import Form
from mcp_guard.console.loaded import Stack, stacks
from mcp_guard.console.room import Room
from mcp_guard.errors import GuardError, InputError

TEXT = "text"
TYPES = (TEXT, "number", "true or false")
"""What a value may be; another type in a call can't be told from it and is denied, too."""


def taken_away(room: Room, stack: Stack) -> tuple[tuple[Rule, ...], str]:
    """What is denied so, and why that can't be told."""
    try:
        return local.rules(room.directory, stack.beside), ""
    except GuardError as error:
        return (), str(error)


def revoke(room: Room, path: Mapping[str, str], form: Form) -> str:
    """Deny a tool of a grant, or its calls with one value of one argument."""
    tool, argument, value = form.one("tool"), form.one("argument").strip(), form.one("value")
    server, slash, name = tool.partition("/")
    if not (server and slash and name):
        raise InputError("choose the tool that is to be taken away")
    if bool(argument) != bool(value):
        raise InputError("name an argument and its value, or neither: then every call of the tool is denied")
    clauses = {argument: _meant(value, form.one("type") or TEXT)} if argument else {}
    place = _known_place(room, form.one("file"))
    reason = form.one("reason")
    local.add(room.directory, place, server=server, tool=name, clauses=clauses, reason=reason, by=room.by)
    return "/authority?done=revoked"


def undo(room: Room, path: Mapping[str, str], form: Form) -> str:
    """Permit again what one deny took away. Needs the PIN."""
    place, rule = _known_place(room, form.one("file")), form.one("rule")
    if rule not in {one.key for one in local.rules(room.directory, place)}:
        raise InputError("that isn't denied any more; load the page again")
    room.require_person(form)
    local.remove(room.directory, place, rule, by=room.by)
    return "/authority?done=undone"


def _known_place(room: Room, file: str) -> str:
    """The place of a document that some guard loaded: a form names no other."""
    with room.record() as query:
        found = [] if query is None else stacks(query, room.directory, room.by)
    for one in found:
        if one.layers[0].file == file:
            return one.beside
    raise InputError("no guard has loaded that document; load the page again")


def _meant(value: str, kind: str) -> Scalar:
    """The value in the type that it has in calls: a list of several types would say no to none of the others."""
    if kind == TEXT:
        return value
    try:
        meant = json.loads(value)
    except ValueError:
        meant = None
    if kind == "number" and isinstance(meant, int | float) and not isinstance(meant, bool):
        return meant
    if kind == "true or false" and isinstance(meant, bool):
        return meant
    raise InputError(f"`{value}` isn't written as {kind} is")
