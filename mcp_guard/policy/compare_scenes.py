"""Which targets a comparison looks at, under which circumstances, and which rules meet there.

Core. Every name that a document speaks of is looked at by itself; all others together, as "any other tool".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from mcp_guard.inspection.obligations import Obligations
from mcp_guard.model import EVERY_EFFECT, By, Effect, EffectClass, Kind
from mcp_guard.policy.compare_atoms import Atom
from mcp_guard.policy.compare_rules import Clause, Formula, Scene, names_of, silent, speaks
from mcp_guard.policy.compare_sides import Side, class_sets
from mcp_guard.policy.compare_supposed import PLAIN, Supposed
from mcp_guard.policy.document import Document
from mcp_guard.policy.matching import Classes
from mcp_guard.policy.rules import Rule

Content = tuple[bool, frozenset[Atom], frozenset[Clause]]

_NOTHING: frozenset[EffectClass] = frozenset()


@dataclass(frozen=True, slots=True)
class Layer:
    """The rules of one document that could be about the target."""

    grants: tuple[Rule, ...]
    asks: tuple[Rule, ...]
    denies: tuple[Rule, ...]
    end: datetime | timedelta | None

    @classmethod
    def of(cls, document: Document, candidates: Iterable[Rule], scene: Scene, classes: Classes) -> Layer:
        rules = [rule for rule in candidates if scene.reaches(rule, classes)]
        by = {effect: tuple(rule for rule in rules if rule.ref.effect is effect) for effect in Effect}
        return cls(by[Effect.ALLOW], by[Effect.ASK], by[Effect.DENY], document.expires)

    @property
    def rules(self) -> tuple[Rule, ...]:
        return (*self.grants, *self.asks, *self.denies)


@dataclass(frozen=True, slots=True)
class Reaching:
    """The rules of one side, by document."""

    layers: tuple[Layer, ...]

    @property
    def grants(self) -> list[tuple[Rule, ...]]:
        return [layer.grants for layer in self.layers]

    @property
    def asks(self) -> list[Rule]:
        return [rule for layer in self.layers for rule in layer.asks]

    @property
    def denies(self) -> list[Rule]:
        return [rule for layer in self.layers for rule in layer.denies]

    @property
    def ends(self) -> list[datetime | timedelta]:
        return [layer.end for layer in self.layers if layer.end is not None]

    @property
    def rules(self) -> list[Rule]:
        return [rule for layer in self.layers for rule in layer.rules]


@dataclass(slots=True)
class Meeting:
    """The rules of both sides on one target, with what had to be supposed for these to be the ones."""

    scene: Scene
    target: str
    old: Reaching
    new: Reaching
    supposed: Supposed
    _formulas: dict[int, Formula] = field(default_factory=dict)
    _silences: dict[int, Clause] = field(default_factory=dict)
    _contents: dict[int, Content] = field(default_factory=dict)

    def formula(self, rule: Rule) -> Formula:
        """When the rule speaks; made once. Not to be changed."""
        if id(rule) not in self._formulas:
            self._formulas[id(rule)] = speaks(rule, self.scene)
        return self._formulas[id(rule)]

    def silent(self, rule: Rule) -> Clause:
        """When it doesn't; made once."""
        if id(rule) not in self._silences:
            self._silences[id(rule)] = silent(rule, self.scene)
        return self._silences[id(rule)]

    def content(self, rule: Rule) -> Content:
        """What it says here, without its id, place and advice, and without its effect."""
        if id(rule) not in self._contents:
            formula = self.formula(rule)
            self._contents[id(rule)] = rule.is_grant, frozenset(formula.atoms), frozenset(formula.clauses)
        return self._contents[id(rule)]

    @property
    def same(self) -> bool:
        """Do both sides say the same here, rule by rule?"""
        return len(self.old.layers) == len(self.new.layers) and all(
            one.end == other.end and self._contents_of(one) == self._contents_of(other)
            for one, other in zip(self.old.layers, self.new.layers, strict=True)
        )

    def _contents_of(self, layer: Layer) -> set[tuple[Effect, bool, By, Content, Obligations]]:
        return {(rule.ref.effect, rule.asks, rule.ref.by, self.content(rule), rule.result) for rule in layer.rules}


def meetings(old: Side, new: Side) -> Iterator[Meeting]:
    """Every target, under all circumstances that make a difference to which rules are about it."""
    for scene in _scenes(old, new):
        seen: set[tuple[tuple[int, ...], ...]] = set()
        for first_seen, locked in ((True, True), (True, False), (False, False)):
            here = replace(scene, first_seen=first_seen, locked=locked)
            for added, catalogued in _facts(here, old, new):
                meeting = _meeting(here, old, new, added, catalogued)
                key = tuple(tuple(id(rule) for rule in side.rules) for side in (meeting.old, meeting.new))
                if key not in seen:
                    seen.add(key)
                    yield meeting


def _facts(scene: Scene, old: Side, new: Side) -> list[tuple[Classes, Classes]]:
    """The classes that a server may add and those of the catalogue, as far as they change which rules go by effect."""
    going = [(side, rule) for side in (old, new) for rule in side.rules if _goes_by_classes(scene, rule)]
    if not going:
        return [(EVERY_EFFECT if old.beside else _NOTHING, EVERY_EFFECT)]
    name = f"{scene.server}/{scene.target}"
    found: dict[tuple[bool, ...], tuple[Classes, Classes]] = {}
    for added, catalogued in possible(scene.named, name, old, new):
        met = tuple(scene.reaches(rule, side.classes(name, added, catalogued)) for side, rule in going)
        found.setdefault(met, (added, catalogued))
    return list(found.values())


def _goes_by_classes(scene: Scene, rule: Rule) -> bool:
    """Does it depend on what the tool can do whether the rule is about it? Of a pattern, where there is no lock."""
    by_pattern = rule.is_grant and not scene.locked and any(not name.exact for name in rule.names)
    return rule.kind is scene.kind and bool(rule.effects or by_pattern)


def possible(named: bool, name: str, old: Side, new: Side) -> Iterator[tuple[Classes, Classes]]:
    """What makes a difference: to a tool with an entry, what is added; to one without, the catalogue's and that."""
    some = [classes for classes in class_sets() if classes]  # every tool does something
    if old.beside:
        yield from ((added, EVERY_EFFECT) for added in some)
        return
    described = [named and name in side.tools for side in (old, new)]
    yield _NOTHING, EVERY_EFFECT  # the plainest first: it is what a witness supposes, if it shows
    if any(described):
        yield from ((added, EVERY_EFFECT) for added in some)
    if not all(described):
        yield from ((_NOTHING, catalogued) for catalogued in some)
    if any(described) and not all(described):  # what is added is added on both sides, so the larger set holds it
        yield from ((added, catalogued) for catalogued in some for added in some if added <= catalogued)


def _meeting(scene: Scene, old: Side, new: Side, added: Classes, catalogued: Classes) -> Meeting:
    name = f"{scene.server}/{scene.target}"
    sides = [
        Reaching(
            tuple(
                Layer.of(layer, by_name.near(scene), scene, side.classes(name, added, catalogued))
                for layer, by_name in zip(side.layers, side.by_name, strict=True)
            )
        )
        for side in (old, new)
    ]
    scene = replace(scene, names=names_of([*sides[0].rules, *sides[1].rules]))
    supposed = replace(PLAIN, classes=added, catalogued=catalogued, first_seen=scene.first_seen, lock=scene.locked)
    return Meeting(scene, _said(scene), sides[0], sides[1], supposed)


def _said(scene: Scene) -> str:
    if not scene.named:
        return f"any other {scene.kind}"
    return scene.server if scene.kind is Kind.RESOURCE else f"{scene.server}/{scene.target}"


def _scenes(old: Side, new: Side) -> Iterator[Scene]:
    rules = [*old.rules, *new.rules]
    for kind in Kind:
        names = [name for rule in rules if rule.kind is kind for name in rule.names if name.exact]
        found = {(name.server, name.target): None for name in names}
        if kind is Kind.TOOL:
            described = [name.partition("/") for side in (old, new) for name in side.tools]
            found |= {(server, target): None for server, _, target in described}
        yield from (Scene(kind, server, target) for server, target in found)
        if any(rule.kind is kind for rule in rules):
            yield Scene(kind, named=False)
