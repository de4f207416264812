"""Is what a call names still what its server lists? Asked after a wait: a person was reading, a scanner looking.

A server can change a tool or a prompt meanwhile, and what was agreed to, or looked at, was the one before.
"""

from __future__ import annotations

from collections.abc import Callable

from mcp_guard import knowing, listing
from mcp_guard.catalog import Tool
from mcp_guard.context import Context
from mcp_guard.downstream import Downstream
from mcp_guard.model import Call, Kind

Then = Callable[[bool, "Tool | None"], None]
"""Goes on with whether it is the same, and of a tool, with it as it is listed now."""


def look_again(context: Context, server: Downstream, call: Call, tool: Tool | None, then: Then) -> None:
    """Go on once it is known. What can't be told at the moment isn't the same."""
    if tool is not None:
        return listing.known_tools(context, tool.exposed, lambda: _compare(context, tool, then))
    if call.kind is Kind.PROMPT:
        return knowing.known_prompt(context, server, call.target, lambda known: then(known is True, None))
    if call.kind is Kind.RESOURCE and call.method != "resources/unsubscribe":  # to hear less is always possible
        return knowing.known_resource(context, server, call.target, lambda known: then(known is True, None))
    return then(True, None)


def _compare(context: Context, tool: Tool, then: Then) -> None:
    now = context.session.tools().get(tool.exposed)
    then(now is not None and now.descriptor == tool.descriptor, now)
