"""The limits of a rule in words: what a refusal may tell a client, and what sentences and explanations are made of."""

from __future__ import annotations

from collections.abc import Mapping

from mcp_guard.model import Kind
from mcp_guard.policy.constraints import words
from mcp_guard.policy.rules import Arguments, Limit, Rule


def limits_in_words(rule: Rule) -> str:
    """`path: an absolute path under /srv; content: anything; nothing else`: the arguments that a grant wants."""
    if rule.kind is Kind.RESOURCE:
        return f"uri: {words(rule.uri.constraint)}" if rule.uri is not None else "any uri"
    if rule.kind in (Kind.SERVER_REQUEST, Kind.EXTENSION):
        return "any content, not inspected"
    if rule.arguments is None:
        return "any arguments"
    return _closed(rule.arguments) if rule.is_grant else _open(rule.arguments)


def _closed(limits: Arguments) -> str:
    parts = [*_named(limits.listed), *(f"optionally {part}" for part in _named(limits.optional))]
    if limits.others:
        return "; ".join([*parts, "any others"])
    return "; ".join([*parts, "nothing else"]) if parts else "no arguments"


def _open(limits: Arguments) -> str:
    return "; ".join(_named(limits.listed)) if limits.listed else "any arguments"


def _named(limits: Mapping[str, Limit]) -> list[str]:
    return [f"{name}: {words(limit.constraint)}" for name, limit in limits.items()]
