"""Where a document is wider than what was used: grants and tools never used, arguments that could be said closer.

Core. Goes by what the record keeps: which arguments were given, and keyed digests of their values. A digest can be held
against a value that the document lists, so members of `in` that nobody used are told. How far a range, a directory or a
list of hosts was used needs the values (`--record values`); where they weren't kept, that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mcp_guard.policy.budgets import Per
from mcp_guard.policy.constraints import (
    Anything,
    Constraint,
    DomainIn,
    Each,
    HostIn,
    Matches,
    MaxLength,
    OneOf,
    Range,
    Under,
    Within,
)
from mcp_guard.policy.document import Document
from mcp_guard.policy.rules import Arguments, Rule
from mcp_guard.report.how_far import how_far
from mcp_guard.report.use import MOST_VALUES, ArgumentUse, GrantUse

Digest = Callable[[str, object], str]
"""The keyed digest of a value under an argument's name, as the record keeps it."""
ENOUGH = 5  # calls, before what they have in common says anything
FEW = 3  # different values that could be listed instead of `any`
_NEED_VALUES = (Range, Under, Within, HostIn, DomainIn, Matches, MaxLength, Each)


@dataclass(frozen=True, slots=True)
class Slack:
    """One thing that a document allows and that was not used, or can't be told (`untold`)."""

    rule: str
    at: str  # file:line:column
    argument: str  # empty: of the whole rule
    says: str
    untold: bool = False


def slack(document: Document, used: Mapping[str, GrantUse], digest: Digest | None) -> list[Slack]:
    """In the order of the document. Without `digest` (no key), members of a list aren't told either."""
    return [one for rule in document.rules if rule.is_grant for one in _of_rule(rule, used.get(rule.key), digest)]


def _of_rule(rule: Rule, use: GrantUse | None, digest: Digest | None) -> Iterator[Slack]:
    at = f"{rule.ref.file}:{rule.ref.line}:{rule.ref.column}"
    if use is None or not use.allowed:
        yield Slack(rule.key, at, "", "never used")
        return
    for name in rule.names:
        if name.exact and name.target and f"{name.server}/{name.target}" not in use.tools:
            yield Slack(rule.key, at, "", f"{name.server}/{name.target} never called")
    if rule.budget is not None and rule.budget.calls is not None and rule.budget.per is Per.SESSION:
        most = max(use.sessions.values())
        if most < rule.budget.calls:
            yield Slack(rule.key, at, "", f"at most {most} of {rule.budget.calls} calls used in a session")
    if rule.arguments is None:
        yield from _open(rule.key, at, use)
    else:
        for argument, says, untold in _of_arguments(rule.arguments, use, digest):
            yield Slack(rule.key, at, argument, says, untold)


def _open(rule: str, at: str, use: GrantUse) -> Iterator[Slack]:
    """`args: any`."""
    given = ", ".join(sorted(use.arguments)) or "none"
    yield Slack(rule, at, "", f"takes any arguments; given were: {given}")


def _of_arguments(limits: Arguments, use: GrantUse, digest: Digest | None) -> Iterator[tuple[str, str, bool]]:
    for name, limit in limits.listed.items():
        yield from _of_argument(name, limit.constraint, use.arguments.get(name), digest)
    for name, limit in limits.optional.items():
        if name not in use.arguments:
            yield name, "optional, never given", False
        else:
            yield from _of_argument(name, limit.constraint, use.arguments[name], digest)
    named = limits.listed.keys() | limits.optional.keys()
    if limits.others:
        beside = sorted(use.arguments.keys() - named)
        yield "others", f"any others; given were: {', '.join(beside) or 'none'}", False


def _of_argument(
    name: str, limit: Constraint, use: ArgumentUse | None, digest: Digest | None
) -> Iterator[tuple[str, str, bool]]:
    if use is None:
        return
    if isinstance(limit, Anything):
        yield from _anything(name, use)
    elif isinstance(limit, OneOf) and len(limit.values) > 1:
        yield from _one_of(name, limit, use, digest)
    elif not any(isinstance(part, _NEED_VALUES) for part in getattr(limit, "parts", (limit,))):
        return
    elif not use.unknown and use.known:
        for part in getattr(limit, "parts", (limit,)):
            if says := how_far(part, list(use.known.values())):
                yield name, says, False
    else:
        yield name, "how far it is used needs values, which were not kept (`--record values`)", True


def _anything(name: str, use: ArgumentUse) -> Iterator[tuple[str, str, bool]]:
    different = len(use.values)
    if different >= MOST_VALUES or use.untold:
        yield name, f"any; {different} or more different values", False
    elif use.given >= ENOUGH and different <= FEW:
        values = "value" if different == 1 else "values"
        yield name, f"any; {different} different {values} in {use.given} calls: could be listed", False
    else:
        yield name, f"any; {different} different values in {use.given} calls", False


def _one_of(name: str, limit: OneOf, use: ArgumentUse, digest: Digest | None) -> Iterator[tuple[str, str, bool]]:
    if digest is None or use.untold:
        yield name, "which of its values are used can't be told without the record's key and digests", True
        return
    unused = [value for value in limit.values if digest(name, value) not in use.values]
    if unused:
        yield name, f"{len(unused)} of {len(limit.values)} values never used: {', '.join(map(str, unused))}", False
