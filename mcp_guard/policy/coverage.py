"""Which clauses of a document its cases exercise, from both sides.

A clause is covered when the rule spoke in some case with that clause deciding nothing (passed), and when in some case
it alone kept the rule from speaking (failed). A name and `ask: true` have one side only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mcp_guard.model import Effect, RuleRef
from mcp_guard.policy.cases import Suite
from mcp_guard.policy.cases_run import Played
from mcp_guard.policy.clauses import Clause, Moment, clauses_of
from mcp_guard.policy.document import Document
from mcp_guard.policy.index import Reach
from mcp_guard.policy.matching import classes_for, given_arguments, is_past
from mcp_guard.policy.yaml_source import Place


@dataclass(slots=True)
class Covered:
    """One clause with how often cases passed it, and how often it alone kept its rule silent."""

    words: str
    two_sided: bool
    passed: int = 0
    failed: int = 0

    @property
    def covered(self) -> bool:
        return self.passed > 0 and (self.failed > 0 or not self.two_sided)

    @property
    def missing(self) -> str:
        """What no case shows yet, in words."""
        if not self.passed:
            return "no case passes it" if self.failed or not self.two_sided else "no case comes to it"
        return "" if self.covered else "no case fails because of it alone"


@dataclass(frozen=True, slots=True)
class CoveredRule:
    """One rule, or the end of a mandate, with its clauses."""

    id: str
    file: str
    place: Place
    clauses: tuple[Covered, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """All rules of one document, in the order in which they are written."""

    rules: tuple[CoveredRule, ...]

    @property
    def total(self) -> int:
        return sum(len(rule.clauses) for rule in self.rules)

    @property
    def covered(self) -> int:
        return sum(clause.covered for rule in self.rules for clause in rule.clauses)

    @property
    def percent(self) -> float:
        """Of clauses; a document without any is covered."""
        return 100.0 * self.covered / self.total if self.total else 100.0


@dataclass(slots=True)
class _Counts:
    document: Document
    clauses: dict[str, tuple[Clause, ...]] = field(default_factory=dict)
    counts: dict[str, tuple[Covered, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for rule in self.document.rules:
            found = clauses_of(rule)
            self.clauses[rule.key] = found
            self.counts[rule.key] = tuple(Covered(clause.words, clause.two_sided) for clause in found)

    def count(self, reach: Reach, moment: Moment) -> None:
        key = reach.rule.key
        said = [clause.test(moment) for clause in self.clauses[key]]
        failed = [number for number, one in enumerate(said) if one is False]
        if len(failed) == 1:
            self.counts[key][failed[0]].failed += 1
        elif not failed:
            for number, one in enumerate(said):
                self.counts[key][number].passed += one is True


def coverage_of(suite: Suite, played: Iterable[Played]) -> Coverage:
    """What the played cases cover of the suite's document. Earlier calls don't count: nothing is expected of them."""
    document = suite.document
    counts = _Counts(document)
    end = Covered("expires", two_sided=True)
    wanted = Covered("mandate: required", two_sided=True)
    for one in played:
        call, facts = one.case.call, one.facts
        over = is_past(one.authority.deadlines[0], facts)
        wanted.passed += one.decision.effect is not Effect.DENY
        wanted.failed += one.authority.lacks_mandate
        if one.authority.lacks_mandate:
            continue
        end.passed += one.decision.allowed
        end.failed += over
        if over:
            continue
        speakers = document.index.speakers(call.kind, call.server, call.target)
        classes = classes_for(speakers, one.authority.tools, call, facts)
        moment = Moment(call, given_arguments(call) or {}, classes, facts)
        for reach in (*speakers.grants, *speakers.asks, *speakers.denies):
            counts.count(reach, moment)
    rules = [_covered(rule.ref, counts.counts[rule.key]) for rule in document.rules]
    if document.expires is not None:
        place = document.places.get(("expires",), (1, 1))
        rules.insert(0, CoveredRule("expires", document.file, place, (end,)))
    if document.needs_mandate:
        place = document.places.get(("mandate",), (1, 1))
        rules.insert(0, CoveredRule("mandate", document.file, place, (wanted,)))
    return Coverage(tuple(rules))


def _covered(ref: RuleRef, clauses: tuple[Covered, ...]) -> CoveredRule:
    return CoveredRule(ref.id, ref.file, (ref.line, ref.column), clauses)
