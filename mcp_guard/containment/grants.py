"""The files that a server's grants name, and whether its tools may write there.

Core. A sandbox is coarser than a policy: what a grant names, the server gets; each call is judged all the same. Asks
and denies take nothing away here, nor do budgets, hours and `not_name`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from mcp_guard.model import EVERY_EFFECT, EffectClass, Kind
from mcp_guard.policy.canonical import is_inside
from mcp_guard.policy.constraints import (
    All,
    Anything,
    Constraint,
    DomainIn,
    Each,
    Fields,
    From,
    HostIn,
    Matches,
    MaxItems,
    MaxLength,
    NoneOf,
    NotFrom,
    NotName,
    OneOf,
    OrNull,
    Range,
    Some,
    Under,
    Within,
)
from mcp_guard.policy.document import Authority
from mcp_guard.policy.names import fits
from mcp_guard.policy.rules import Rule

WRITING = frozenset({EffectClass.WRITE, EffectClass.DESTRUCTIVE, EffectClass.EXECUTE})
FILE_URI = "file://"

Classes = Mapping[str, frozenset[EffectClass]]
"""Of tools, by the server's own names, as far as somebody says what they do."""


@dataclass(frozen=True, slots=True)
class Named:
    """A path that grants name: as it is written, whether tools that it is granted to can write, and from where on it is
    somebody's to vouch for (`Under.start`).
    """

    path: str
    writable: bool
    start: str = ""
    whole: bool = True  # with all below it; else the one file


def named_by_grants(authority: Authority, server: str, described: Classes, cwd: str) -> tuple[Named, ...]:
    """Every path that binds in all layers: a mandate's own paths, within those of the policy.

    A layer whose grants leave a path open (`args: any`) names none and takes none away.
    """
    classes = {**described, **_said(authority, server)}
    found: list[Named] = []
    opens = True
    for number, layer in enumerate(authority.layers):
        rules = [rule for rule in layer.rules if rule.is_grant and concerns(rule, server)]
        named = [one for rule in rules for one in _named(rule, server, classes, cwd)]
        leaves_open = any(_open(rule, server, cwd) for rule in rules)
        if number == 0:
            found, opens = named, leaves_open
        else:
            found = [*_common(found, named), *(found if leaves_open else ()), *(named if opens else ())]
            opens = opens and leaves_open
    return tuple(dict.fromkeys(found))


def concerns(rule: Rule, server: str) -> bool:
    """Could the rule be about this server?"""
    return bool(rule.effects) or any(fits(name.server, server) for name in rule.names)


def _said(authority: Authority, server: str) -> dict[str, frozenset[EffectClass]]:
    """What the operator says of the server's tools; it wins over any catalogue."""
    return {
        name.removeprefix(f"{server}/"): facts.effects
        for name, facts in authority.tools.items()
        if name.startswith(f"{server}/")
    }


def rule_classes(rule: Rule, server: str, classes: Classes) -> frozenset[EffectClass]:
    """What the tools can do that a grant names; of a tool that nobody speaks of, and of a pattern, everything."""
    if rule.kind is not Kind.TOOL:
        return frozenset({EffectClass.READ})
    if rule.effects:
        return rule.effects
    names = [name for name in rule.names if fits(name.server, server)]
    return frozenset().union(*(classes.get(n.target, EVERY_EFFECT) if n.exact else EVERY_EFFECT for n in names))


def tools_going_out(authority: Authority, server: str, described: Classes) -> tuple[str, ...]:
    """Granted tools of which somebody says that they send something out of the machine."""
    classes = {**described, **_said(authority, server)}
    names = {
        name.target
        for layer in authority.layers
        for rule in layer.rules
        if rule.is_grant
        for name in rule.names
        if name.exact and name.server == server and EffectClass.EGRESS in classes.get(name.target, ())
    }
    return tuple(sorted(names))


def _named(rule: Rule, server: str, classes: Classes, cwd: str) -> Iterator[Named]:
    writable = bool(rule_classes(rule, server, classes) & WRITING)
    for constraint in _constraints(rule):
        for path, start, whole in _paths(constraint, cwd):
            yield Named(path, writable, start, whole)


def _open(rule: Rule, server: str, cwd: str) -> bool:
    """Does the grant say nothing of paths, and leave something for them?"""
    if any(True for one in _constraints(rule) for _ in _paths(one, cwd)):
        return False
    arguments = rule.arguments
    return arguments is None or arguments.others or bool(arguments.listed or arguments.optional)


def _constraints(rule: Rule) -> Iterator[Constraint]:
    if rule.uri is not None:
        yield rule.uri.constraint
    if rule.arguments is not None:
        for limit in (*rule.arguments.listed.values(), *rule.arguments.optional.values()):
            yield limit.constraint


def _paths(constraint: Constraint, cwd: str) -> Iterator[tuple[str, str, bool]]:
    """Path, start, and whether what is below it is meant."""
    match constraint:
        case Under(root=root, start=start):
            yield root, start, True
        case Within():
            yield cwd, "", True
        case OneOf(texts=texts, starts=starts):
            known = dict(starts)
            for text in texts:
                path = text.removeprefix(FILE_URI)
                if path.startswith("/"):
                    yield path, known.get(text, ""), False
        case Each(element=inner) | Some(element=inner) | OrNull(other=inner):
            yield from _paths(inner, cwd)
        case All(parts=parts):
            for part in parts:
                yield from _paths(part, cwd)
        case Fields(named=named):
            for _, inner in named:
                yield from _paths(inner, cwd)
        case Anything() | NoneOf() | Range() | MaxLength() | Matches() | NotName() | MaxItems():
            return
        case DomainIn() | HostIn() | From() | NotFrom():
            return
        case _:
            assert_never(constraint)


def _common(some: Iterable[Named], others: Iterable[Named]) -> Iterator[Named]:
    """What lies in a path of both, writable only if it is in both."""
    others = tuple(others)
    for one in some:
        for other in others:
            inner, outer = (one, other) if covers(other, one) else (other, one)
            if covers(outer, inner):
                yield Named(inner.path, one.writable and other.writable, inner.start, inner.whole)


def covers(outer: Named, inner: Named) -> bool:
    """Is all of `inner` part of `outer`?"""
    return is_inside(inner.path, outer.path) if outer.whole else outer.path == inner.path and not inner.whole
