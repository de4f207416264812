"""What a person is shown beside the call itself; and what keeps a client from giving up while they read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from mcp_guard import remembering
from mcp_guard.approvals.taking import taking
from mcp_guard.catalog import Tool
from mcp_guard.context import Context
from mcp_guard.model import Call, Decision
from mcp_guard.policy.constraints import Anything, words
from mcp_guard.policy.document import Document
from mcp_guard.policy.matching import effect_classes
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.sentences import rule_sentence
from mcp_guard.record.usage import UsageView
from mcp_guard.session import InFlight

EVERY = 5.0
"""Seconds between two signs of life. A client that counts from the last one waits as long as the guard does."""
_STEP = 1e-6  # less than any step of a server's own progress, which has to go on rising after this


def what_is_shown(
    context: Context, call: Call, tool: Tool | None, decision: Decision, known: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything about the question that isn't the call: task, rules, effects, what of which budget, limits, sources.

    `known` is what was read in the transaction that asks (`read_with`).
    """
    authority = context.guard.authority
    rules = [rule for layer in authority.layers for rule in layer.rules]
    asking = {ref.key for ref in decision.rules}
    carrying = {charge.rule for charge in decision.charges}
    return {
        "client": context.session.client,
        "tasks": [_task(layer) for layer in authority.layers if layer.task],
        "rules": [{"key": rule.key, "says": rule_sentence(rule)} for rule in rules if rule.key in asking],
        "at": [f"{ref.file}:{ref.line}:{ref.column}" for ref in decision.rules],
        "effects": sorted(effect_classes(authority.tools, call, context.facts(call.server))),
        "limits": _limits([rule for rule in rules if rule.key in carrying], call),
        "decides": list(_deciding(authority.tools.get(call.name), tool)),
        **known,
    }


def read_with(context: Context, call: Call, decision: Decision, view: UsageView) -> dict[str, Any]:
    """By argument, where its value comes from; and what the call takes of which budget."""
    rules = (rule for layer in context.guard.authority.layers for rule in layer.rules)
    takes = taking(rules, decision.charges, context.facts(call.server, view))
    return {"sources": remembering.sources(context, call, view), "takes": takes}


def _task(layer: Document) -> str:
    return layer.task.strip()


def _limits(carrying: list[Rule], call: Call) -> dict[str, str]:
    """By argument: the limits that every grant which carries the call puts on it; none that leaves it open."""
    found: dict[str, str] = {}
    for name in call.arguments:
        said = [_limit(rule, name) for rule in carrying]
        if said and all(said):
            found[name] = "; ".join(dict.fromkeys(said))
    return found


def _limit(rule: Rule, name: str) -> str:
    limits = rule.arguments
    limit = None if limits is None else limits.listed.get(name) or limits.optional.get(name)
    return "" if limit is None or isinstance(limit.constraint, Anything) else words(limit.constraint)


def _deciding(entry: Any, tool: Tool | None) -> tuple[str, ...]:
    """The arguments that say on what or whom the tool acts."""
    if entry is not None:
        return tuple(entry.authority)
    return tuple(tool.described.authority) if tool is not None and tool.described is not None else ()


class Patience:
    """Signs of life for a client that asked for progress."""

    def __init__(self, request: InFlight, call: Call) -> None:
        meta = call.params.get("_meta")
        self._token = meta.get("progressToken") if isinstance(meta, Mapping) else None
        self._request = request
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """From now on, every few seconds."""
        if self._token is not None:
            self._timer = asyncio.get_running_loop().call_later(EVERY, self._tell)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _tell(self) -> None:
        self._count += 1
        told = {"progressToken": self._token, "progress": self._count * _STEP, "message": "a person is being asked"}
        self._request.progress(told)
        self._timer = asyncio.get_running_loop().call_later(EVERY, self._tell) if self._request.waiting else None
