"""Rows in words, for a person's terminal.

Names come from clients and servers, so any of them may be written by an attacker: nothing reaches a terminal from here
that moves the cursor, changes colours, reverses the direction of writing, or fakes a line or a column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Row

_MOST = 5  # withheld tools that one line names


def escaped(text: str) -> str:
    """The text with everything that isn't a visible character or a single space written as its code."""
    return re.sub(r"(?<= ) ", r"\\x20", "".join(char if char.isprintable() else _code(char) for char in text))


def _code(char: str) -> str:
    number = ord(char)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


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
        case _:
            return escaped(_told(row.kind, row.body.get("data")))


def _told(kind: EntryKind, data: Any) -> str:
    """What happened, from the data of the entry; whatever else stands there is left to `--json`."""
    known = data if isinstance(data, Mapping) else {}
    server, why = known.get("server", "?"), known.get("why", "")
    match kind:
        case EntryKind.LOADED:
            return "; ".join(map(_document, _objects(known.get("documents")))) or "no document is loaded"
        case EntryKind.FIRST_SIGHT:
            name = str(server).rpartition(":")[0] or server
            return f"server {name} seen for the first time, with {known.get('count', '?')} tools"
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
        case EntryKind.WITHHELD:
            tools = [f"{one.get('tool', '?')} ({one.get('why', '?')})" for one in _objects(known.get("tools"))]
            more = f" and {len(tools) - _MOST} more" if len(tools) > _MOST else ""
            return f"tools of server {server} withheld: {', '.join(tools[:_MOST])}{more}"
        case EntryKind.FOUND:
            rules = [f"{one.get('name', '?')} ({_listed(one.get('rules'))})" for one in _objects(known.get("found"))]
            more = f" and {len(rules) - _MOST} more" if len(rules) > _MOST else ""
            return f"found in what server {server} says: {', '.join(rules[:_MOST])}{more}"
        case _:
            return kind.value


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
    """The reason and the deciding rule, who agreed, and for how many like it the entry stands."""
    rule = row.rules[0] if row.rules else ""
    times = f"{row.count} times" if row.count > 1 else ""
    # A refusal of what no rule is about: the detail says whether it was hidden, or isn't there at all.
    detail = row.detail if not rule and row.reason else ""
    agreed = ", ".join(f"approved by {one.get('by', '?')}" for one in _objects(row.body.get("approvals")))
    return escaped(", ".join(part for part in (row.reason, rule, agreed, detail, times) if part))
