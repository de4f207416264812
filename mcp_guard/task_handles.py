"""What a client holds of a server's task: a handle of the guard's, for one principal, one server and one authority."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from mcp_guard.context import Context
from mcp_guard.downstream import Downstream
from mcp_guard.handles import Opened
from mcp_guard.model import Call
from mcp_guard.offers import TASKS, may_extend
from mcp_guard.record.entries import Entry
from mcp_guard.wire import MAX_ID

LIFETIME = timedelta(days=7)
"""How long a handle is good for: servers keep tasks for hours."""
_KIND = "task"


def _bound(context: Context, server: str) -> dict[str, Any]:
    session = context.session
    return {
        "principal": session.principal,
        "session": session.key,
        "server": server,
        "authority": context.guard.authority_digest,
    }


def begun(context: Context, call: Call, entry: Entry, result: dict[str, Any]) -> dict[str, Any] | None:
    """A server's answer that its work goes on as a task, as the client sees it; None if it may not."""
    task = result.get("taskId")
    if call.method != "tools/call" or not isinstance(task, str) or len(task) > MAX_ID:
        return None
    if not may_extend(context, call.server, TASKS):
        return None
    inner = {"task": task, "tool": call.target, "origin": entry.id}
    guard = context.guard
    handle = guard.handles.mint(_KIND, _bound(context, call.server), inner, guard.now(), LIFETIME)
    return None if handle is None else {**result, "taskId": handle}


def opened(context: Context, handle: object) -> tuple[Downstream, Opened] | None:
    guard = context.guard
    for server in context.session.servers:
        found = guard.handles.open(_KIND, _bound(context, server.name), handle, guard.now())
        if found is not None:
            return server, found
    return None
