"""Rows in words, for a person's terminal.

Names come from clients and servers, so any of them may be written by an attacker: nothing reaches a terminal from here
that moves the cursor, changes colours, reverses the direction of writing, or fakes a line or a column.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from mcp_guard.escaping import escaped as escaped
from mcp_guard.record.entries import EntryKind

if TYPE_CHECKING:
    from mcp_guard.record.query import Row

_MOST = 5  # withheld tools that one line names


def who(row: Row) -> str:
    """The principal, and what the client calls itself."""
    return escaped(f"{row.principal} ({row.client})" if row.client else row.principal)


def what(row: Row) -> str:
    """The target of a call; for any other entry, what it tells."""
    match row.kind:
        case EntryKind.DECISION:
            return escaped(row.name or row.method)
        case EntryKind.OPENED:
            return escaped(f"the guard {row.body.get('version', '')} began to record")
        case EntryKind.STOPPED:
            return "the guard stopped"
        case EntryKind.OUTCOME:
            return escaped(row.outcome)
        case EntryKind.CHECKPOINT:
            return f"the record was signed up to here, with {len(_heads(row))} chains"
        case EntryKind.SIGHTED:
            how = "carried by a call" if row.body.get("carried") else "seen in a result"
            return escaped(f"{row.body.get('rows', '?')} values {how}")
        case _:
            return escaped(_told(row.kind, row.body.get("data")))


def _heads(row: Row) -> Mapping[str, Any]:
    heads = row.body.get("heads")
    return heads if isinstance(heads, Mapping) else {}


def _told(kind: EntryKind, data: Any) -> str:
    """What happened, from the data of the entry; whatever else stands there is left to `--json`."""
    known = data if isinstance(data, Mapping) else {}
    server, why = known.get("server", "?"), known.get("why", "")
    match kind:
        case EntryKind.LOADED:
            return "; ".join(map(_document, _objects(known.get("documents")))) or "no document is loaded"
        case EntryKind.FIRST_SIGHT:
            name = str(server).rpartition(":")[0] or server
            return f"server {name} seen for the first time, with {_many(known.get('count', '?'), 'tool')}"
        case EntryKind.PINNED:
            name = str(server).rpartition(":")[0] or server
            how = "accepted by a person" if known.get("accepted") else "as first seen"
            return f"what server {name} offers was pinned {how}: {_many(known.get('count', '?'), 'thing')}"
        case EntryKind.RETIRED:
            files = known.get("files")
            return f"old files removed: {', '.join(map(str, files)) if isinstance(files, list) else '?'}"
        case EntryKind.CLOCK_SET:
            return f"a person set the clock: time had stood at {known.get('from', '?')}"
        case EntryKind.FIRST_USE:
            return f"mandate used for the first time by {str(known.get('key', '?')).partition(':')[2]}: its time runs"
        case EntryKind.SERVER_STARTED:
            return f"server {server} started{f' ({why})' if why else ''}"
        case EntryKind.SERVER_EXITED:
            return f"server {server} ended{f': {why}' if why else ''}"
        case EntryKind.SERVER_ILL:
            return f"server {server} is ill{f': {why}' if why else ''}"
        case EntryKind.SERVER_WELL:
            return f"server {server} is well again"
        case EntryKind.RELEASED:
            return f"a person released the answer to {known.get('entry', '?')}"
        case EntryKind.WITHHELD:
            tools = [f"{one.get('tool', '?')} ({one.get('why', '?')})" for one in _objects(known.get("tools"))]
            more = f" and {len(tools) - _MOST} more" if len(tools) > _MOST else ""
            return f"tools of server {server} withheld: {', '.join(tools[:_MOST])}{more}"
        case EntryKind.ASKED:
            return f"a person is asked about {known.get('question', '?')}"
        case EntryKind.APPROVED:
            return f"{known.get('question', '?')} approved by {known.get('by', '?')}, for one call"
        case EntryKind.REFUSED:
            return f"{known.get('question', '?')} refused by {known.get('by', '?')}"
        case EntryKind.LAPSED:
            return f"{known.get('question', '?')} lapsed: no answer, or no use of it, in time"
        case EntryKind.WITHDRAWN:
            return f"{known.get('question', '?')} withdrawn: nobody waits for it any more"
        case EntryKind.STANDING:
            return (
                f"{known.get('says', '?')} for the session, by {known.get('by', '?')}, as in {known.get('like', '?')}"
            )
        case EntryKind.HALTED:
            return f"stopped: {known.get('scope', '?')} ({known.get('why', '?')})"
        case EntryKind.RESUMED:
            return f"no longer stopped: {known.get('scope', '?')}"
        case EntryKind.NOT_IN_FORCE:
            files = known.get("files")
            names = ", ".join(map(str, files)) if isinstance(files, list) else ""
            return f"not in force as it is now: {names or 'a file'} ({why})"
        case EntryKind.REVOKED:
            said = f"{known.get('tool', '?')} ({known.get('rule', '?')}) by {known.get('by', '?')}"
            return f"no longer revoked: {said}" if known.get("undone") else f"revoked: {said}: {why}"
        case EntryKind.ACCEPTED:
            return _accepted(known)
        case EntryKind.PIN_SET:
            return "the PIN was changed" if known.get("again") else "the PIN was set"
        case EntryKind.EXPOSED:
            return f"{why or 'words'} of server {server}: labels {', '.join(map(str, known.get('labels', [])))}"
        case EntryKind.LABELS_CLEARED:
            return f"labels taken away by {known.get('by', '?')}: {', '.join(map(str, known.get('labels', [])))}"
        case EntryKind.SESSION_RENEWED:
            return f"a new history begun by {known.get('by', '?')}, for the next start"
        case EntryKind.REPORTED:
            call = f"{server or '?'}/{known.get('target', '?')}"
            because = f": {known['reason']}" if known.get("reason") else ""
            return f"{known.get('entry', '?')} reported, and such calls of {call} denied{because}"
        case EntryKind.FOUND:
            rules = [f"{one.get('name', '?')} ({_listed(one.get('rules'))})" for one in _objects(known.get("found"))]
            more = f" and {len(rules) - _MOST} more" if len(rules) > _MOST else ""
            return f"found in what server {server} says: {', '.join(rules[:_MOST])}{more}"
        case _:
            return kind.value


_HOW = {
    "first_sight": "as first seen",
    "narrower": "proved narrower",
    "person": "a person accepted it",
    "init": "a person agreed to what `init` wrote",
    "local": "it only narrows, or a person agreed",
}
_PARTS = {"config": "settings", "local": "local denies beside", "token": "mandate tokens beside"}


def _accepted(known: Mapping[str, Any]) -> str:
    """Which file counts from here on, and why it may."""
    part, how = str(known.get("part", "?")), str(known.get("how", "?"))
    return f"{_PARTS.get(part, part)} {known.get('file', '?')} in force: {_HOW.get(how, how)}"


def _many(count: Any, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else "?"


def _document(document: Mapping[str, Any]) -> str:
    return f"{document.get('kind', 'document')} {PurePath(str(document.get('file', '?'))).name} loaded"


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def effect(row: Row) -> str:
    """The decision, and what became of the call."""
    if row.kind is not EntryKind.DECISION:
        return ""
    if row.effect != "allow":
        return escaped(row.effect)
    if not row.outcome:
        return "allow, no outcome"
    took = "" if row.duration_ms is None else f" {row.duration_ms:.0f} ms"
    return escaped(f"allow, {row.outcome}{took}")


def why(row: Row) -> str:
    """The reason and the deciding rule, who agreed, what was noted, and for how many like it the entry stands."""
    rule = row.rules[0] if row.rules else ""
    times = f"{row.count} times" if row.count > 1 else ""
    # A refusal of what no rule is about: the detail says whether it was hidden, or isn't there at all.
    detail = row.detail if not rule and row.reason else ""
    agreed = ", ".join(f"approved by {one.get('by', '?')}" for one in _objects(row.body.get("approvals")))
    flags = ", ".join(f"flagged {flag}" for flag in row.flags)
    other = row.body.get("candidate")
    candidate = f"candidate: {other.get('effect', '?')}" if isinstance(other, Mapping) else ""
    parts = (row.reason, rule, agreed, detail, candidate, flags, row.note, times)
    return escaped(", ".join(part for part in parts if part))
