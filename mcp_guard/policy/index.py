"""Which rules of a document could speak about a target, looked up instead of searched for."""

from __future__ import annotations

from dataclasses import dataclass, field

from mcp_guard.model import Effect, Kind
from mcp_guard.policy.canonical import loose
from mcp_guard.policy.rules import Rule

MAX_TARGETS = 4096  # a client can ask for any name; what is remembered about names stays bounded


@dataclass(frozen=True, slots=True)
class Reach:
    """A rule that could be about the target, and whether it names it to the letter."""

    rule: Rule
    exactly: bool
    always: bool = field(init=False)  # about the target at any time, whoever asks

    def __post_init__(self) -> None:
        object.__setattr__(self, "always", self.exactly and self.rule.always)


@dataclass(frozen=True, slots=True)
class Speakers:
    """The rules that could speak about one target, by what they do, each in the order of the document."""

    grants: tuple[Reach, ...]
    asks: tuple[Reach, ...]
    denies: tuple[Reach, ...]
    by_effect: bool  # does any of them go by effect, so that the tool's classes matter?
    by_pattern: bool = False  # does a grant reach it by a pattern? Then they matter as long as there is no lock


class Index:
    """The rules of one document by target. What it remembers never changes what it answers."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        self._known: dict[tuple[Kind, str, str], Speakers] = {}
        # Where rules stand in the document: those that name targets to the letter, by these, and all others. One rule
        # may name ten thousand, each of which a listing asks about: the names aren't read again for each.
        self._named: dict[tuple[Kind, bool, str, str], list[int]] = {}
        self._letters: set[tuple[int, str, str]] = set()
        self._broad: list[int] = []
        for at, rule in enumerate(rules):
            names = _to_the_letter(rule)
            for server, target in names or ():
                self._named.setdefault((rule.kind, rule.is_grant, server, target), []).append(at)
            if names is None:
                self._broad.append(at)
            else:
                self._letters.update((at, name.server, name.target) for name in rule.names)

    def speakers(self, kind: Kind, server: str, target: str) -> Speakers:
        """The rules that could speak about this target."""
        key = (kind, server, "" if kind is Kind.RESOURCE else target)
        found = self._known.get(key)
        if found is None:
            found = self._find(*key)
            if len(self._known) >= MAX_TARGETS:
                self._known.clear()
            self._known[key] = found
        return found

    def _find(self, kind: Kind, server: str, target: str) -> Speakers:
        reaching = self._reaching(kind, server, target)
        by: dict[Effect, tuple[Reach, ...]] = {
            effect: tuple(reach for reach in reaching if reach.rule.ref.effect is effect) for effect in Effect
        }
        return Speakers(
            by[Effect.ALLOW],
            by[Effect.ASK],
            by[Effect.DENY],
            any(reach.rule.effects for reach in reaching),
            any(not reach.exactly for reach in by[Effect.ALLOW]),
        )

    def _reaching(self, kind: Kind, server: str, target: str) -> list[Reach]:
        exactly = self._named.get((kind, True, server, target), [])
        alike = self._named.get((kind, False, loose(server), loose(target)), [])
        found = {at: Reach(self._rules[at], (at, server, target) in self._letters) for at in (*exactly, *alike)}
        for at in self._broad:
            rule = self._rules[at]
            if rule.kind is kind and rule.may_name(server, target):
                found[at] = Reach(rule, rule.names_exactly(server, target))
        return [found[at] for at in sorted(found)]


def _to_the_letter(rule: Rule) -> set[tuple[str, str]] | None:
    """The targets it names, as it compares them; None for a rule that could be about others, too."""
    if rule.is_grant:
        named = {(name.server, name.target) for name in rule.names}
    else:
        named = {(name.loose_server, name.loose_target) for name in rule.names}
    return None if rule.effects or any("*" in part for name in named for part in name) else named
