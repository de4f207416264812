"""Log: every entry, newest first, searched by the filters of `mcp-guard log`; and one entry with all that it says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from mcp_guard.console import rows
from mcp_guard.console.room import Asked, Page, Room
from mcp_guard.errors import InputError
from mcp_guard.model import Reason
from mcp_guard.record import shown
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Filter, Row
from mcp_guard.refusal import reason_text

SIZE = 50  # entries of one page
TEXTS = ("tool", "server", "session", "rule", "principal", "client")
"""Filters that take any text."""
CHOICES = {"effect": ("allow", "ask", "deny"), "kind": tuple(kind.value for kind in EntryKind)}
SPANS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}


def show(room: Room, asked: Asked) -> Page:
    """One page of what is wanted."""
    given = {name: value for name in (*TEXTS, *CHOICES, "since") if (value := asked.query.get(name, "").strip())}
    wanted = _filter(given, asked.query.get("before", ""))
    values: dict[str, Any] = {"given": given, "choices": CHOICES, "spans": SPANS, "older": ""}
    with room.record() as query:
        if query is None:
            return Page("log.html", values | {"rows": []})
        found = list(query.entries(wanted))
    if len(found) > SIZE:  # one more than is shown tells that there are older ones
        found = found[-SIZE:]
        values["older"] = f"/log?{urlencode({**given, 'before': found[0].began})}"
    return Page("log.html", values | {"rows": [rows.told(row) for row in reversed(found)]})


def one(room: Room, asked: Asked) -> Page:
    """One entry: what was asked, what was decided, by which rule in which line, and what became of it."""
    with room.record() as query:
        row = None if query is None else query.find(asked.path["entry"])
    if row is None:
        raise InputError(f"no entry `{asked.path['entry']}` is in the record")
    body = json.dumps(dict(row.body), indent=1, ensure_ascii=False)
    values = {
        "row": rows.told(row),
        "facts": [(name, text) for name, text in _facts(row) if text],
        "rules": _rules(row),
        "body": [line.lstrip(" ") for line in body.split("\n")],
    }
    return Page("entry.html", values)


def _filter(given: Mapping[str, str], before: str) -> Filter:
    """The filter that a query says. Raises InputError for a choice that isn't there."""
    for name, allowed in CHOICES.items():
        if given.get(name, allowed[0]) not in allowed:
            raise InputError(f"`{given[name]}` is no {name}; it is one of {', '.join(allowed)}")
    if before and not re.fullmatch("[0-9]{1,18}", before):
        raise InputError("this page's address isn't one of the log's")
    fields: dict[str, Any] = {name: value for name, value in given.items() if name != "since"}
    if since := given.get("since"):
        if since not in SPANS:
            raise InputError(f"`{since}` is no span; it is one of {', '.join(SPANS)}")
        fields["since"] = datetime.now(UTC) - SPANS[since]
    return Filter(**fields, limit=SIZE + 1, before=int(before or 0))


def _facts(row: Row) -> list[tuple[str, str]]:
    """What the entry says, in words; what it doesn't say is empty."""
    body = row.body
    if row.kind is not EntryKind.DECISION:
        return [("happened", shown.what(row)), ("session", row.session)]
    return [
        ("who", shown.who(row)),
        ("method", row.method),
        ("tool or resource", row.name),
        ("arguments, by type and size", _shape(body.get("shape"))),
        ("decision", row.effect),
        ("reason", f"{row.reason}: {reason_text(Reason(row.reason))}" if row.reason in set(Reason) else row.reason),
        ("detail", row.detail),
        ("permitted instead", "; ".join(_texts(body.get("permitted")))),
        ("advice", " ".join(_texts(body.get("advice")))),
        ("approved by", ", ".join(str(one.get("by", "?")) for one in _objects(body.get("approvals")))),
        ("charged", "; ".join(_charge(one) for one in _objects(body.get("charges")))),
        ("done to the answer", "; ".join(_texts(body.get("obligations")))),
        ("labels that it gave", ", ".join(_texts(body.get("gives")))),
        ("outcome", " ".join(part for part in (row.outcome, row.note) if part)),
        ("took", "" if row.duration_ms is None else f"{row.duration_ms:.0f} ms"),
        ("session", row.session),
        ("like it, not written out", "" if row.count == 1 else f"{row.count} in all"),
    ]


def _rules(row: Row) -> list[tuple[str, str, str]]:
    """Each rule that decided: its key, what it is, its line."""
    return [(str(one.get("key", "?")), str(one.get("effect", "")), _at(one)) for one in _objects(row.body.get("rules"))]


def _at(rule: Mapping[str, Any]) -> str:
    return ":".join(str(rule[name]) for name in ("file", "line", "column") if name in rule)


def _shape(value: Any) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in value.items()) if isinstance(value, Mapping) else ""


def _charge(one: Mapping[str, Any]) -> str:
    sums = one.get("sums")
    told = [f"{amount} of {name}" for name, amount in sums.items()] if isinstance(sums, Mapping) else []
    return f"{one.get('rule', '?')}: {', '.join([str(one.get('calls', 0)), *told])}"


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
