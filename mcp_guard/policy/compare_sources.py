"""What `from` limits say of each other: which sources are among which others, and what an item means on one side.

Core. Whether a value comes from a source is a matter of history, which nobody knows here: only the items are compared.
Two items are one only if all that decides what they mean is the same on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from mcp_guard.history.literals import literals_of
from mcp_guard.model import Origin
from mcp_guard.policy.compare_literals import Literal, Want
from mcp_guard.policy.constraint_kinds import All, Constraint, Each, Fields, From, NotFrom, OrNull, Some, Source
from mcp_guard.policy.constraint_sources import sources_in
from mcp_guard.policy.constraints import compile_check
from mcp_guard.policy.document import Document
from mcp_guard.policy.rules import Arguments, Limit, Rule


def without_sources(literals: Sequence[Literal]) -> tuple[Literal, ...]:
    """The other wishes: fewer of them prove less, never more."""
    return tuple(one for one in literals if not isinstance(one.constraint, From))


def no_source(literals: Sequence[Literal]) -> bool:
    """Proved: no history gives a value that satisfies these wishes about sources together."""
    kept = [(one.constraint, one.want) for one in literals if isinstance(one.constraint, From)]
    return any(
        _never_both(a, want, b, other) or _never_both(b, other, a, want)
        for (a, want), (b, other) in combinations(kept, 2)
    )


def _never_both(a: From, want: Want, b: From, other: Want) -> bool:
    match want, other:
        case (Want.YES, Want.NOT_YES) | (Want.YES, Want.NO):
            return _among(a, b)
        case Want.NO, Want.NOT_NO:
            return _among(b, a)
        case _:
            return False


def _among(a: From, b: From) -> bool:
    """What comes from `a` comes from `b`: its sources are all there, and the same values are looked at."""
    return a.free == b.free and set(a.sources) <= set(b.sources)


def asks_sources(constraint: Constraint) -> bool:
    """Is there a `from` or `not_from` in it?"""
    return any(True for _ in sources_in(constraint))


def bound(constraint: Constraint, worlds: dict[str, str]) -> Constraint:
    """The same, its items marked with what decides their meaning: `worlds` by kind of source, empty for the others."""
    match constraint:
        case From(sources, free):
            return From(tuple(_marked(source, worlds) for source in sources), free)
        case NotFrom(of):
            return NotFrom(From(tuple(_marked(source, worlds) for source in of.sources), of.free))
        case Each(element):
            return Each(bound(element, worlds))
        case Some(element):
            return Some(bound(element, worlds))
        case OrNull(other):
            return OrNull(bound(other, worlds))
        case All(parts):
            return All(tuple(bound(part, worlds) for part in parts))
        case Fields(named):
            return Fields(tuple((name, bound(part, worlds)) for name, part in named))
        case _:
            return constraint


def _marked(source: Source, worlds: dict[str, str]) -> Source:
    return replace(source, world=worlds.get(source.kind, ""))


def worlds_of(layers: Sequence[Document]) -> dict[str, str]:
    """By kind of source, all that decides what it means under these documents."""
    tools = [
        (name, sorted(entry.effects), repr(entry.gives))
        for layer in layers
        for name, entry in sorted(layer.tools.items())
    ]
    listed = sorted(repr(unit) for layer in layers if layer.kind == "policy" for unit in literals_of(layer))
    given = repr(tools)
    return {
        "task": repr([layer.task for layer in layers if layer.task]),
        "policy": repr(listed),
        "trusted": given,
        "untrusted": given,
        "tool": given,
    }


def supposable(source: Source, trusted: bool | None) -> Iterator[Origin]:
    """Where a value would come from if it came from this item; `trusted`: what is known of the named tool's results."""
    if source.kind != "tool":
        yield Origin(source.kind, "some/tool" if source.kind in ("trusted", "untrusted") else "")
        return
    if trusted is not True:
        yield Origin("untrusted", source.tool, source.field)
    if trusted is not False:
        yield Origin("trusted", source.tool, source.field)


def bound_rule(rule: Rule, worlds: dict[str, str]) -> Rule:
    """A rule whose limits are marked so; the same object where it asks for no source."""
    if rule.arguments is None:
        return rule
    limits = {**rule.arguments.listed, **rule.arguments.optional}
    if not any(asks_sources(limit.constraint) for limit in limits.values()):
        return rule
    listed = {name: _limit(limit, worlds) for name, limit in rule.arguments.listed.items()}
    optional = {name: _limit(limit, worlds) for name, limit in rule.arguments.optional.items()}
    return replace(rule, arguments=Arguments(listed, optional, rule.arguments.others))


def _limit(limit: Limit, worlds: dict[str, str]) -> Limit:
    marked = bound(limit.constraint, worlds)
    return Limit(marked, compile_check(marked))
