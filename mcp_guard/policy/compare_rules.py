"""A rule as atoms: what has to be so for it to carry a call or to fire, and all the ways in which it doesn't.

Core. Mirrors `matching.py` and `rules.py`: a grant needs a clear yes to everything, an ask or a deny fires unless
something is a clear no.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from mcp_guard.model import GRAVE, Kind
from mcp_guard.policy.budgets import Count, Rate
from mcp_guard.policy.canonical import loose
from mcp_guard.policy.compare_atoms import (
    NOT_NULL,
    Atom,
    Before,
    Given,
    Missing,
    Named,
    Other,
    Rest,
    Room,
    Uri,
    Who,
    Within,
)
from mcp_guard.policy.compare_literals import Literal, Want
from mcp_guard.policy.compare_normal import normal
from mcp_guard.policy.compare_past import conditions as past_conditions
from mcp_guard.policy.constraint_kinds import OneOf, OrNull
from mcp_guard.policy.matching import Classes
from mcp_guard.policy.rules import Limit, Rule

NULL = OrNull(OneOf())
"""Null, and nothing else."""

Clause: TypeAlias = tuple[tuple[Atom, ...], ...]
"""Alternatives, each of several atoms: one of them is so."""

KNOWN = {
    "Rule": {
        *("ref", "kind", "names", "effects", "arguments", "uri", "when", "asks", "budget", "until", "key"),
        *("after", "once", "rate", "counts", "deny_secrets"),
        *("exercised", "always", "remembers"),  # they follow from the others
        "result",  # compare_results
        *("advice", "disclose"),  # these change what is said, not what is allowed
    },
    # another mandate's budget starts anew, as all of it does
    "Budget": {"calls", "sums", "distinct", "per", "under", "seconds"},
    "Rate": {"calls", "seconds"},
    "When": {"principals", "window", "labels", "no_labels"},
    "Arguments": {"listed", "optional", "others", "nulls"},
}
"""The fields that a comparison understands. What another says is only known to be equal, or not."""


_CLEAN = "clearly no secret is in the call"


@dataclass(frozen=True, slots=True)
class Scene:
    """A target, or all of those that no rule names; whether it was there at first sight; the arguments in play."""

    kind: Kind
    server: str = ""
    target: str = ""
    named: bool = True  # False: any other target
    first_seen: bool = True
    locked: bool = True
    names: tuple[str, ...] = ()

    def reaches(self, rule: Rule, classes: Classes) -> bool:
        """Could the rule be about the target? Of other targets, its patterns decide."""
        if rule.kind is not self.kind:
            return False
        by_pattern = self.first_seen and (self.locked or self.kind is not Kind.TOOL or classes.isdisjoint(GRAVE))
        if rule.effects:
            met = classes <= rule.effects and by_pattern if rule.is_grant else bool(classes & rule.effects)
        elif self.named:
            exactly = rule.names_exactly(self.server, self.target)
            met = exactly or (rule.may_name(self.server, self.target) and (by_pattern or not rule.is_grant))
        elif rule.is_grant:
            met = by_pattern and any(not name.exact for name in rule.names)
        else:
            met = True
        return met


@dataclass(slots=True)
class Formula:
    """All of these atoms, and one alternative of every clause."""

    atoms: list[Atom] = field(default_factory=list)
    clauses: list[Clause] = field(default_factory=list)

    def add(self, clause: Clause) -> None:
        if len(clause) == 1:
            self.atoms.extend(clause[0])
        else:
            self.clauses.append(clause)


def speaks(rule: Rule, scene: Scene) -> Formula:
    """What has to be so for a grant to carry a call, or for an ask or a deny to fire."""
    formula = Formula()
    for clause in (*_conditions(rule, scene, holds=True), *_arguments_speak(rule, scene)):
        formula.add(clause)
    return formula


def silent(rule: Rule, scene: Scene) -> Clause:
    """The ways in which a grant doesn't carry a call, or an ask or a deny doesn't fire."""
    conditions = [way for clause in _conditions(rule, scene, holds=False) for way in clause]
    return (*conditions, *_arguments_silent(rule, scene))


def _conditions(rule: Rule, scene: Scene, *, holds: bool) -> Iterator[Clause]:
    loosely = not rule.is_grant
    names = [name for name in rule.names if loosely or not name.exact]
    if not scene.named and names and not rule.effects:
        fit = tuple(Named(name, loosely, holds) for name in names)
        yield tuple((one,) for one in fit) if holds else (fit,)
    if rule.uri is not None:
        yield ((Uri(_wish(rule, rule.uri, holds=holds)),),)
    if rule.when is not None and rule.when.principals:
        yield ((Who(rule.when.principals, loosely, holds),),)
    if rule.when is not None and rule.when.window is not None:
        yield ((Within(rule.when.window, holds),),)
    yield from past_conditions(rule, holds=holds)
    if rule.until is not None:
        yield ((Before(rule.until, holds),),)
    for count in rule.counts:
        yield ((_room(rule, count, holds=holds),),)
    if rule.deny_secrets:  # one question about the call, clearly yes or not, that a grant needs and a deny wants not
        yield ((Other(_CLEAN, holds is rule.is_grant),),)
    if content := "".join(more(part) for part in (rule, rule.when, rule.arguments) if part is not None):
        yield ((Other(content, holds),),)


def _room(rule: Rule, count: Count, *, holds: bool) -> Room:
    if isinstance(count, Rate):
        return Room(f"{rule.key} rate", count.calls, (), holds, more(count), seconds=count.seconds)
    over = "window" if count.seconds else str(count.per)
    sums, distinct = tuple(sorted(count.sums.items())), tuple(sorted(count.distinct.items()))
    return Room(rule.key, count.calls, sums, holds, more(count), distinct, over, count.seconds)


def more(part: Any) -> str:
    """What a part of a rule says beyond the fields that are known here; empty if nothing."""
    known = KNOWN[type(part).__name__]
    return "".join(
        f"{one.name}={value!r};"
        for one in dataclasses.fields(part)
        if one.name not in known and (value := getattr(part, one.name)) != _default(one)
    )


def _default(one: dataclasses.Field[Any]) -> object:
    return one.default_factory() if one.default_factory is not dataclasses.MISSING else one.default


def _wish(rule: Rule, limit: Limit, *, holds: bool) -> Literal:
    wants = (Want.YES, Want.NOT_YES) if rule.is_grant else (Want.NOT_NO, Want.NO)
    return Literal(normal(limit.constraint), wants[0] if holds else wants[1])


def _arguments_speak(rule: Rule, scene: Scene) -> Iterator[Clause]:
    limits = rule.arguments
    if limits is None:
        return
    for name, limit in limits.listed.items():
        given: tuple[Atom, ...] = (Given(name, _wish(rule, limit, holds=True)),)
        yield (given,) if rule.is_grant else (given, *((like,) for like in _like(name, scene)))
    if rule.is_grant:
        for name, limit in limits.optional.items():
            yield (Missing(name),), (Given(name, _optional(rule, limit, holds=True)),)
        if limits.others:
            return
        if limits.nulls:
            yield from (((Missing(name),), (Given(name, Literal(NULL, Want.YES)),)) for name in _unnamed(rule, scene))
            yield ((Rest(False, NOT_NULL),),)
            return
        yield ((*(Missing(name) for name in _unnamed(rule, scene)), Rest(False)),)


def _arguments_silent(rule: Rule, scene: Scene) -> Iterator[tuple[Atom, ...]]:
    limits = rule.arguments
    if limits is None:
        return
    for name, limit in limits.listed.items():
        unlike = () if rule.is_grant else tuple(map(_unlike, _like(name, scene)))
        yield (Given(name, _wish(rule, limit, holds=False)), *unlike)
        yield (Missing(name), *unlike)
    if rule.is_grant:
        yield from ((Given(name, _optional(rule, limit, holds=False)),) for name, limit in limits.optional.items())
        if limits.others:
            return
        beyond = Literal(NULL, Want.NOT_YES) if limits.nulls else None
        yield (Rest(True, NOT_NULL if limits.nulls else ""),)
        yield from ((Given(name, beyond),) for name in _unnamed(rule, scene))


def _optional(rule: Rule, limit: Limit, *, holds: bool) -> Literal:
    """With `nulls: absent`, null is fine where nothing has to be given."""
    wish = _wish(rule, limit, holds=holds)
    nulls = rule.arguments is not None and rule.arguments.nulls
    return Literal(OrNull(wish.constraint), wish.want) if nulls else wish


def _like(name: str, scene: Scene) -> list[Given | Rest]:
    """Another argument that reads like this one is given: a known one, or one that no rule names."""
    known = [Given(other) for other in scene.names if other != name and loose(other) == loose(name)]
    return [*known, Rest(True, f"~{loose(name)}")]


def _unlike(like: Given | Rest) -> Atom:
    return Missing(like.name) if isinstance(like, Given) else Rest(False, like.like)


def _unnamed(rule: Rule, scene: Scene) -> list[str]:
    limits = rule.arguments
    assert limits is not None  # noqa: S101 - asked for rules that limit arguments
    return [name for name in scene.names if name not in limits.listed and name not in limits.optional]


def names_of(rules: Iterable[Rule]) -> tuple[str, ...]:
    """Every argument that some rule names."""
    limits = [rule.arguments for rule in rules if rule.arguments is not None]
    return tuple(sorted({name for one in limits for name in (*one.listed, *one.optional)}))
