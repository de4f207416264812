"""A question in words for a terminal: everything that an answer is about, and nothing that could paint over it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from mcp_guard.approvals.answering import Waiting
from mcp_guard.approvals.nearest import Nearest
from mcp_guard.approvals.slips import Slip
from mcp_guard.approvals.taking import words
from mcp_guard.model import Call
from mcp_guard.record import shown
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Row
from mcp_guard.record.shown import escaped

_MOST = 5  # calls of the session that are told
_LONG = 4000  # characters of a value on one screen; the rest is in `--json`


def line(one: Waiting, slip: Slip | None) -> str:
    """One question in one line."""
    when = one.asked.astimezone().strftime("%H:%M:%S")
    what = "can't be shown" if slip is None else escaped(f"{slip.call.name} {_short(slip.call)}")
    return f"{when}  {one.entry}  {left(one)}  {what}"


def whole(one: Waiting, slip: Slip, before: Iterable[Row], near: Nearest | None = None) -> list[str]:
    """All of one question, one fact a line. `near` is the approved call that is most like it."""
    call, said = slip.call, slip.shown
    lines = [f"question {one.entry}, {left(one)}; who may answer: {one.tier.name.lower()}"]
    lines += [f"  task: {escaped(str(task))}" for task in _list(said.get("tasks"))]
    lines += [f"  call: {escaped(call.name)} ({escaped(call.method)})"]
    client = said.get("client")
    lines += [f"  for: {escaped(call.principal)}{f', by {escaped(str(client))}' if client else ''}"]
    lines += [f"  can: {', '.join(escaped(str(one)) for one in _list(said.get('effects')))}"]
    lines += list(_arguments(slip))
    lines += [f"  beside it: {escaped(name)} = {_value(value)}" for name, value in _beside(call)]
    lines += [
        f"  asks: {escaped(str(rule.get('says')))}" for rule in _list(said.get("rules")) if isinstance(rule, dict)
    ]
    lines += [f"  takes: {escaped(words(one))}" for one in _list(said.get("takes")) if isinstance(one, dict)]
    return [*lines, *_against(near), *_before(before, one)]


def left(one: Waiting) -> str:
    """How long it may still be answered."""
    seconds = max(0, int((one.until - datetime.now(UTC)).total_seconds()))
    return f"{seconds // 60} min {seconds % 60:02} s left"


def _arguments(slip: Slip) -> Iterable[str]:
    call, limits, deciding = slip.call, _dict(slip.shown.get("limits")), _list(slip.shown.get("decides"))
    for name, value in call.arguments.items():
        yield f"  {escaped(name)} = {_value(value)}{'   (what or whom it acts on)' if name in deciding else ''}"
        yield from (f"      from: {escaped(source)}" for source in slip.sources(name))
        if name in limits:
            yield f"      within: {escaped(str(limits[name]))}"
    if not call.arguments:
        yield "  no arguments"


def _beside(call: Call) -> Iterable[tuple[str, Any]]:
    return [(name, value) for name, value in call.params.items() if name not in ("name", "arguments", "uri")] + [
        ("uri", value) for name, value in call.params.items() if name == "uri"
    ]


def _value(value: Any) -> str:
    """As JSON, so that a text can't look like a structure; whatever isn't plainly visible as its code."""
    text = escaped(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _LONG else f"{text[:_LONG]} … and {len(text) - _LONG} characters more: see --json"


def _short(call: Call) -> str:
    text = json.dumps(dict(call.arguments), ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:100]}…"


def _against(near: Nearest | None) -> Iterable[str]:
    """What is different from what was agreed to before: who sees a known call again reads less of it."""
    if near is None:
        yield "  approved before: no call of this tool"
        return
    yield f"  approved before: {near.entry}, {near.time.astimezone():%Y-%m-%d %H:%M}, by {escaped(near.by)}"
    yield from (f"      {escaped(one)}" for one in near.different or ("the arguments are the same",))


def _before(rows: Iterable[Row], one: Waiting) -> Iterable[str]:
    """What the session did last, and which call like this one was approved."""
    calls = [row for row in rows if row.kind is EntryKind.DECISION and row.id != one.entry]
    for row in calls[-_MOST:]:
        yield f"  before: {row.time.astimezone():%H:%M:%S} {shown.what(row)}: {shown.effect(row)} {shown.why(row)}"
    if not calls:
        yield "  before: nothing in this session"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
