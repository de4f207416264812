"""A mandate as one sentence that a person can read aloud before agreeing to it.

Core. It leaves out the limits, which are said rule by rule (`policy.sentences`); it never leaves out a tool.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from mcp_guard.model import Effect, Kind
from mcp_guard.policy.document import Document
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.sentences import in_words


def spoken(document: Document) -> str:
    """`For the next 30 minutes, to "Pay the bill", it may use bank/balance, and nothing else.`"""
    free = _targets(rule for rule in document.rules if rule.is_grant and not rule.asks)
    asked = [one for one in _targets(rule for rule in document.rules if rule.is_grant and rule.asks) if one not in free]
    parts = [f"it may use {_list(free)}"] if free else []
    parts += [f"{'' if free else 'it may use '}{_list(asked)} only if a person agrees each time"] if asked else []
    parts += ["it may use nothing"] if not parts else ["nothing else"]
    tightened = [rule for rule in document.rules if not rule.is_grant]
    if tightened:
        denies = sum(rule.ref.effect is Effect.DENY for rule in tightened)
        parts.append(
            f"and {_count(denies, 'deny', 'denies')} and {_count(len(tightened) - denies, 'ask', 'asks')} hold"
        )
    return f'{_until(document)}, to "{document.task.strip().rstrip(".")}", {", ".join(parts)}.'


def _until(document: Document) -> str:
    if isinstance(document.expires, timedelta):
        return f"For the next {in_words(document.expires)}"
    return f"Until {document.expires:%Y-%m-%dT%H:%M:%SZ}"


def _targets(rules: Iterable[Rule]) -> list[str]:
    """What the rules are about, each once and by name."""
    found: dict[str, None] = {}
    for rule in rules:
        if rule.effects:
            found[f"every tool that can only {' and '.join(sorted(rule.effects))}"] = None
        for name in rule.names:
            what = {Kind.TOOL: "", Kind.PROMPT: "the prompt ", Kind.RESOURCE: "resources of "}.get(rule.kind, "")
            found[f"{what}{name.server if rule.kind is Kind.RESOURCE else name}"] = None
    return list(found)


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"
