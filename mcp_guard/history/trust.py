"""Is the result of a call one that anybody may have written?

Core.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcp_guard.model import Call, Described, Facts
from mcp_guard.policy.building import ToolFacts
from mcp_guard.policy.matching import given_arguments

UNTRUSTED = "untrusted"


def is_untrusted(tools: Mapping[str, ToolFacts], call: Call, facts: Facts) -> bool:
    """Untrusted: a tool that nobody described; one that `gives` that, unless clearly not for these arguments."""
    try:
        entry = tools.get(call.name) or facts.described(call.server, call.target)
        if entry is None:
            return True
        if isinstance(entry, Described):
            return UNTRUSTED in entry.gives
        arguments = given_arguments(call)
        return any(
            one.label == UNTRUSTED
            and (one.arguments is None or arguments is None or one.arguments.concern(arguments, facts))
            for one in entry.gives
        )
    except Exception:
        return True


def never_trusted(tools: Mapping[str, ToolFacts], name: str) -> bool:
    """Do the documents say now that no result of this tool is trusted, whatever was known when it came?"""
    entry = tools.get(name)
    return entry is not None and any(one.label == UNTRUSTED and one.arguments is None for one in entry.gives)
