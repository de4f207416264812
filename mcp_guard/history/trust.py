"""Is the result of a call one that anybody may have written? The same facts as labels go by, see `policy.past`.

Core.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcp_guard.model import UNTRUSTED, Call, Facts
from mcp_guard.policy.building import ToolFacts
from mcp_guard.policy.past import given_labels


def is_untrusted(tools: Mapping[str, ToolFacts], call: Call, facts: Facts) -> bool:
    """Does this call of a tool give `untrusted`? A tool that nobody described does."""
    return UNTRUSTED in given_labels(tools, {}, call, facts)


def never_trusted(tools: Mapping[str, ToolFacts], name: str) -> bool:
    """Do the documents say now that no result of this tool is trusted, whatever was known when it came?"""
    entry = tools.get(name)
    return entry is not None and any(one.label == UNTRUSTED and one.arguments is None for one in entry.gives)
