"""A mandate that leaves everything to the policy, for cases of a policy that permits nothing without one.

Core. It stands inside a proposed case, in one line, and grants what the case calls by name, nothing more: the policy is
what is tested.
"""

from __future__ import annotations

from functools import lru_cache

from mcp_guard.model import Call, Kind
from mcp_guard.policy.cases import Case
from mcp_guard.policy.document import Document, load_text
from mcp_guard.policy.suggest import scalar


def any_task(case: Case) -> str:
    """The mandate as YAML in one line; empty where the case calls what it can't grant so."""
    calls = [case.call, *(step.call for step in case.before)]
    grants = list(dict.fromkeys(_grant(call) for call in calls))
    if not all(grants):
        return ""
    said = ", ".join(f"{{id: any-{number}, {grant}}}" for number, grant in enumerate(grants, 1))
    return f"{{version: 1, task: Anything., expires: 9999d, grants: [{said}]}}"


@lru_cache(maxsize=64)
def mandate_of(text: str) -> Document:
    """The document that `any_task` wrote."""
    return load_text(text.encode(), file="any task", kind="mandate")


def _grant(call: Call) -> str:
    match call.kind:
        case Kind.TOOL:
            return f"tool: {scalar(call.name)}, args: any"
        case Kind.PROMPT:
            return f"prompt: {scalar(call.name)}, args: any"
        case Kind.RESOURCE:
            return f"resource: {{server: {scalar(call.server)}, uri: any}}"
        case _:
            return ""
