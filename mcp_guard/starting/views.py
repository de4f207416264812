"""What is known of one server's tools: by the effects catalogue, and by a listing where there is one."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from mcp_guard.catalog import Tool
from mcp_guard.catalogue import Known, find
from mcp_guard.starting.tool_views import ServerView, ToolView, view_of

NOT_JUDGED = "nobody has judged it"


def view(name: str, command: Sequence[str], config: Path, tools: Sequence[Tool] | None = None,
         given: Iterable[str] = ()) -> ServerView:  # fmt: skip
    """One server, which gets the variables `given`. `tools` is what it listed, if a person let it be started."""
    known = find(command, given)
    if tools is not None:
        listed = tuple(_listed(tool, known) for tool in tools)
        return ServerView(name, _about(known) if known else "not in the effects catalogue", listed)
    if known is not None:
        judged = (
            ToolView(tool, one.described.effects, authority=one.described.authority)
            for tool, one in known.tools.items()
        )
        return ServerView(name, _about(known), tuple(judged))
    return ServerView(
        name, f"not in the effects catalogue; what it offers says: mcp-guard check --config {shlex.quote(str(config))}"
    )


def _about(known: Known) -> str:
    return f"{known.package}, judged as {known.source}"


def _listed(tool: Tool, known: Known | None) -> ToolView:
    """What was judged counts only for the very descriptor that was judged; annotations can only add."""
    described = known.describe(tool.descriptor) if known is not None else None
    if described is None:
        why = known.why_not(tool.descriptor) if known is not None else NOT_JUDGED
        return view_of(tool.descriptor, None, (), why)
    return view_of(tool.descriptor, described.effects | tool.added_effects, described.authority, "")
