"""What a server's answer comes to: what the client is given of it, and what the record says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp_guard import refusal, task_handles
from mcp_guard.context import Context
from mcp_guard.eras import Era, for_one_principal, strip_own_data, strip_own_result
from mcp_guard.model import Call, Outcome
from mcp_guard.record.entries import Entry


def of(
    context: Context,
    call: Call,
    entry: Entry,
    reply: dict[str, Any],
    withheld: Callable[[Entry, str], dict[str, Any]],
    told: Callable[[dict[str, Any]], object],
) -> tuple[Outcome, dict[str, Any], str]:
    """What became of it, what the client is given, and a note for the record."""
    if "gone" in reply:
        why = f"The tool server gave no answer ({reply['gone']})."
        return Outcome.UNKNOWN, refusal.unknown_outcome(entry.id, why), str(reply["gone"])
    if "error" in reply:
        return Outcome.ERROR, {"error": strip_own_data(reply["error"])}, ""
    result = strip_own_result(reply["result"])
    if result.get("resultType") == "task" and context.session.era is Era.MODERN:
        task = task_handles.begun(context, call, entry, result)
        if task is not None:
            return Outcome.OK, {"result": task}, "it goes on as a task"
    if result.get("resultType", "complete") != "complete":  # in both eras: a client may look at it in either
        why = "the server asked for input, or answered in a way that nothing grants"
        return Outcome.WITHHELD, withheld(entry, why), "resultType"
    result = for_one_principal(result)
    told(result)
    return (Outcome.TOOL_ERROR if result.get("isError") is True else Outcome.OK), {"result": result}, ""
