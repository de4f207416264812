"""The limits of a rule in words: what a refusal may tell a client, and what sentences and explanations are made of."""

from __future__ import annotations

from collections.abc import Mapping

from mcp_guard.model import Kind
from mcp_guard.policy.budgets import Count, Per, Rate
from mcp_guard.policy.constraints import words
from mcp_guard.policy.rules import Arguments, Limit, Rule

OVER = {Per.SESSION: "a session", Per.MANDATE: "under this mandate", Per.HOUR: "in any hour", Per.DAY: "in any day"}
_UNITS = {1: "second", 60: "minute", 3600: "hour", 86_400: "day"}


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
    end = "any others" if limits.others else "nothing else" if parts else "no arguments"
    return "; ".join([*parts, f"{end} (null counts as not given)" if limits.nulls else end])


def _open(limits: Arguments) -> str:
    return "; ".join(_named(limits.listed)) if limits.listed else "any arguments"


def counts_in_words(rule: Rule) -> list[str]:
    """`at most 3 times a session`, `up to 200 of amount in any hour`: how much of a grant may be used."""
    return [said for count in rule.counts for said in count_in_words(count)]


def count_in_words(count: Count) -> list[str]:
    """The same of its budget, or of its rate."""
    if isinstance(count, Rate):
        return [f"{_times(count.calls)} in any {_UNITS.get(count.seconds, f'{count.seconds} seconds')}"]
    over = OVER[count.per]
    said = [] if count.calls is None else [f"{_times(count.calls)} {over}"]
    said += [f"up to {limit} of {name} {over}" for name, limit in count.sums.items()]
    return said + [
        f"with at most {limit} different value{'' if limit == 1 else 's'} of {name} {over}"
        for name, limit in count.distinct.items()
    ]


def _times(calls: int) -> str:
    return f"at most {calls} {'time' if calls == 1 else 'times'}"


def _named(limits: Mapping[str, Limit]) -> list[str]:
    return [f"{name}: {words(limit.constraint)}" for name, limit in limits.items()]
