"""One side of a comparison: the documents that bind a session together.

Core.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain, combinations

from mcp_guard.model import EVERY_EFFECT, Call, Decision, EffectClass, Kind
from mcp_guard.policy.building import ToolFacts
from mcp_guard.policy.canonical import loose
from mcp_guard.policy.compare_rules import Scene
from mcp_guard.policy.compare_supposed import ANY_DAY, Supposed
from mcp_guard.policy.decide import decide, decide_layer
from mcp_guard.policy.document import Authority, Document
from mcp_guard.policy.matching import Classes
from mcp_guard.policy.rules import Rule

KNOWN = {"file", "digest", "kind", "rules", "tools", "expires", "task", "variables", "index", "places", "says"}
"""The fields of a document that a comparison understands."""


class ByName:
    """The rules of a document by what they name, so that each target meets only those that could be about it."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        self._named: dict[tuple[Kind, str, str], list[int]] = {}
        self._others: list[int] = []
        for number, rule in enumerate(rules):
            if rule.effects or not all(name.exact for name in rule.names):
                self._others.append(number)
                continue
            for name in rule.names:
                self._named.setdefault((rule.kind, name.loose_server, name.loose_target), []).append(number)

    def near(self, scene: Scene) -> list[Rule]:
        """The rules that could be about the target, in their order; of any other target, all."""
        if not scene.named:
            return list(self._rules)
        named = self._named.get((scene.kind, loose(scene.server), loose(scene.target)), [])
        return [self._rules[number] for number in sorted({*named, *self._others})]


@dataclass(frozen=True, slots=True)
class Side:
    """A policy, a mandate, or both. `beside`: compared as a mandate beside any policy, whose tools aren't known."""

    layers: tuple[Document, ...]
    beside: bool = False
    tools: Mapping[str, ToolFacts] = field(init=False)
    by_name: tuple[ByName, ...] = field(init=False)

    def __post_init__(self) -> None:
        policy = next((layer for layer in self.layers if layer.kind == "policy"), None)
        object.__setattr__(self, "tools", policy.tools if policy is not None else {})
        object.__setattr__(self, "by_name", tuple(ByName(layer.rules) for layer in self.layers))

    @property
    def rules(self) -> list[Rule]:
        return [rule for layer in self.layers for rule in layer.rules]

    def classes(self, name: str, added: Classes, catalogued: Classes) -> Classes:
        """What a tool can do: what the document says and what the server has added to that, else what the catalogue
        says, if it knows the tool. Beside any policy, exactly what is added.
        """
        if self.beside:
            return added
        entry = self.tools.get(name)
        return catalogued | added if entry is None else entry.effects | added

    def judge(self, call: Call, facts: Supposed) -> Decision:
        """What the judge says; beside any policy: under one whose facts about tools are the supposed classes."""
        if not self.beside or facts.classes == EVERY_EFFECT:
            return decide(Authority(self.layers, ANY_DAY), call, facts)
        policy = Document("", "", "policy", (), _EveryTool(facts.classes))
        (mandate,) = self.layers
        return decide_layer(Authority((policy, mandate), ANY_DAY), 1, call, facts)

    @property
    def says(self) -> Mapping[str, frozenset[str]]:
        """The labels of what servers say beside their tools' answers."""
        return next((layer.says for layer in self.layers if layer.kind == "policy"), {})

    def beyond(self) -> str:
        """What the documents say that a comparison doesn't know, to be equal or not."""
        known = [
            {one.name: getattr(layer, one.name) for one in dataclasses.fields(layer) if one.name not in KNOWN}
            for layer in self.layers
        ]
        return repr([said for said in known if said])


class _EveryTool(dict[str, ToolFacts]):
    """Facts about tools that are the same for all."""

    def __init__(self, classes: Classes) -> None:
        super().__init__()
        self._facts = ToolFacts(classes)

    def get(self, key: object, default: object = None) -> ToolFacts:
        return self._facts


def class_sets() -> tuple[frozenset[EffectClass], ...]:
    """Every set of classes, small ones first."""
    members = list(EffectClass)
    found = chain.from_iterable(combinations(members, size) for size in range(len(members) + 1))
    return tuple(frozenset(one) for one in found)
