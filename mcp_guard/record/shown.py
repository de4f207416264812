"""Rows in words, for a person's terminal.

Names come from clients and servers, so any of them may be written by an attacker: nothing reaches a terminal from here
that moves the cursor, changes colours, reverses the direction of writing, or fakes a line or a column.
"""

from __future__ import annotations

import re
from typing import assert_never

from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Row


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
            return _with_data("the guard stopped", row)
        case EntryKind.LOADED:
            return _with_data("documents in force", row)
        case EntryKind.FIRST_SIGHT:
            return _with_data("a server seen for the first time", row)
        case EntryKind.FIRST_USE:
            return _with_data("a mandate used for the first time", row)
        case EntryKind.SERVER_STARTED:
            return _with_data("server started", row)
        case EntryKind.SERVER_EXITED:
            return _with_data("server gone", row)
        case EntryKind.WITHHELD:
            return _with_data("tools withheld", row)
        case EntryKind.OUTCOME:
            return escaped(row.outcome)
    assert_never(row.kind)


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
    """The reason and the deciding rule, and for how many like it the entry stands."""
    rule = row.rules[0] if row.rules else ""
    times = f"{row.count} times" if row.count > 1 else ""
    # A refusal of what no rule is about: the detail says whether it was hidden, or isn't there at all.
    detail = row.detail if not rule and row.reason else ""
    return escaped(", ".join(part for part in (row.reason, rule, detail, times) if part))


def _with_data(sentence: str, row: Row) -> str:
    data = row.body.get("data")
    items = data.items() if isinstance(data, dict) else ()
    parts = [f"{key} {_short(value)}" for key, value in items if key != "sha256"]
    return escaped(": ".join([sentence, ", ".join(parts)]) if parts else sentence)


def _short(value: object) -> str:
    if isinstance(value, list):
        first = ", ".join(_short(item) for item in value[:5])
        return f"{first} and {len(value) - 5} more" if len(value) > 5 else first
    if isinstance(value, dict):
        return " ".join(f"{key} {_short(item)}" for key, item in value.items())
    return str(value)
