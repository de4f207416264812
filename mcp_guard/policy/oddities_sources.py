"""What is odd about the sources that a rule names: tools that no server has, so that no value ever comes from them.

Core.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from mcp_guard.policy.constraint_sources import sources_in
from mcp_guard.policy.oddities_fit import Known
from mcp_guard.policy.rules import Rule


def unknown_sources(rule: Rule, known: Known, *, every_server: bool) -> Iterator[str]:
    """The tools under `from` and `not_from` that their server doesn't list."""
    limits = {**rule.arguments.listed, **rule.arguments.optional} if rule.arguments is not None else {}
    named = {source.tool: name for name, limit in limits.items() for source, _ in sources_in(limit.constraint)}
    for tool, name in named.items():
        server, _, target = tool.partition("/")
        if not tool or not known:
            continue
        if server not in known:
            if every_server:
                yield f"`{name}` may come from {tool}, and no server is called `{server}`: nothing comes from there"
            continue
        tools = known[server]
        if tools is not None and target not in tools:
            close = difflib.get_close_matches(target, sorted(tools), n=1)
            hint = f"; did you mean {server}/{close[0]}?" if close else ""
            yield f"`{name}` may come from {tool}, which the server doesn't have: nothing comes from there{hint}"
