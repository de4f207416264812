"""What do new documents allow that the old ones did not? Proved nothing, a call that shows it, or unknown.

Core. Start here; the parts are small files.

    compare_sides      the documents of one side, and the judge under them
    compare_scenes     the targets to look at, one by one, and "any other tool"
    compare_rules      a rule -> atoms: when it carries a call, and all the ways in which it doesn't
    compare_search     atoms and clauses -> proved impossible, or open ends
    compare_atoms      which atoms exclude each other (values, texts, numbers, nested, names, times)
    compare_witness    an open end -> a call that the judge confirms     (samples, supposed)

Sound: PROVED holds for every call, every principal and every moment, whatever is used up, first seen, or linked to
where, as long as both sides look at the same facts. Not complete: what can't be decided is UNKNOWN, which counts as
wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from mcp_guard.model import Effect, RuleRef
from mcp_guard.policy.compare_atoms import Before
from mcp_guard.policy.compare_rules import Clause, Formula, silent
from mcp_guard.policy.compare_scenes import Meeting, meetings
from mcp_guard.policy.compare_search import Search, TooManyCases
from mcp_guard.policy.compare_sides import Side
from mcp_guard.policy.compare_verdicts import Comparison, Direction, Finding
from mcp_guard.policy.compare_witness import Witness, find_witness
from mcp_guard.policy.document import Document
from mcp_guard.policy.rules import Rule

MAX_COMBINATIONS = 600  # of the grants of several layers, on one target
MAX_TRIES = 24  # open ends of one question that a witness is looked for in
MAX_FINDINGS = 5  # of one target


def compare(old: tuple[Document, ...], new: tuple[Document, ...]) -> Comparison:
    """Both directions. Each side is a policy, a mandate, or both, policy first.

    Two mandates without policies are compared beside any policy, whatever it says of tools.
    """
    beside = all(layer.kind == "mandate" for layer in (*old, *new))
    first, second = Side(old, beside), Side(new, beside)
    return Comparison(gained=_direction(first, second), lost=_direction(second, first))


def _direction(old: Side, new: Side) -> Direction:
    found: dict[tuple[str, tuple[str, ...]], Finding] = {}
    if old.beyond() != new.beyond():
        found["", ()] = Finding("", Effect.ALLOW, (), why="the documents differ in something that is not compared yet")
    for meeting in meetings(old, new):
        for finding in _Question(meeting, old, new).findings():
            key = finding.target, tuple(rule.key for rule in finding.rules)
            if key not in found or (finding.witness is not None and found[key].witness is None):
                found[key] = finding
    return Direction(tuple(found.values()))


@dataclass(slots=True)
class _Question:
    """Everything that is asked about one target under one set of circumstances."""

    meeting: Meeting
    old: Side
    new: Side

    def findings(self) -> list[Finding]:
        if any(not grants for grants in self.meeting.new.grants) or self.meeting.same:
            return []
        total = 1
        for grants in self.meeting.new.grants:
            total *= len(grants)
        if total > MAX_COMBINATIONS:
            return [self._finding((), None, f"more than {MAX_COMBINATIONS} combinations of grants")]
        found: list[Finding] = []
        for grants in product(*self.meeting.new.grants):
            if len(found) < MAX_FINDINGS and (one := self._of(grants)) is not None:
                found.append(one)
        return found

    def _of(self, grants: tuple[Rule, ...]) -> Finding | None:
        """What these grants, one of each layer, permit beyond the old documents."""
        open_ends = False
        try:
            for asks_count in (False, True):
                if asks_count and any(grant.asks for grant in grants):
                    continue
                for goal in self._goals(grants, asks_count=asks_count):
                    witness, is_open = self._settle(goal)
                    if witness is not None:
                        return self._finding(grants, witness, "")
                    open_ends = open_ends or is_open
        except TooManyCases:
            return self._finding(grants, None, "there are too many cases to look at")
        return self._finding(grants, None, "no proof, and no call that shows it was found") if open_ends else None

    def _settle(self, goal: Formula) -> tuple[Witness | None, bool]:
        """A witness if there is one; and is some end open?"""
        is_open = False
        for tries, state in enumerate(Search().open_ends(goal)):
            is_open = True
            if tries >= MAX_TRIES:
                break
            witness = find_witness(state, self.meeting.scene, self.old, self.new, self.meeting.supposed)
            if witness is not None:
                return witness, True
        return None, is_open

    def _goals(self, grants: tuple[Rule, ...], *, asks_count: bool) -> list[Formula]:
        """Each is satisfiable if the grants permit something that one old document, for one reason, did not.

        First without a word about asks: is something permitted that was denied? Then, where `asks_count`: is something
        allowed that was asked about?
        """
        scene, new = self.meeting.scene, self.meeting.new
        tight = [*new.denies, *(new.asks if asks_count else ())]
        base = Formula()
        for grant in grants:
            part = self.meeting.formula(grant)
            base.atoms += part.atoms
            base.clauses += part.clauses
        base.atoms += [Before(end, True) for end in new.ends]
        for rule in tight:
            base.add(silent(rule, scene))
        goals: list[Formula] = []
        for layer in self.meeting.old.layers:
            enough = [one for one in layer.grants if not (asks_count and one.asks)]
            if not any(self.meeting.same_content(one, grant) for one in enough for grant in grants):
                goals.append(_with(base, *(silent(one, scene) for one in enough)))
            refusing = layer.asks if asks_count else layer.denies
            goals += [
                _both(base, self.meeting.formula(rule))
                for rule in refusing
                if not any(self.meeting.same_content(rule, other) for other in tight)
            ]
            if layer.end is not None:
                goals.append(_with(base, ((Before(layer.end, False),),)))
        return goals

    def _finding(self, grants: tuple[Rule, ...], witness: Witness | None, why: str) -> Finding:
        rules: tuple[RuleRef, ...] = tuple(grant.ref for grant in grants)
        effect = Effect.ASK if any(grant.asks for grant in grants) else Effect.ALLOW
        if witness is not None:
            rules, effect = witness.new.rules or rules, witness.new.effect
        return Finding(self.meeting.target, effect, rules, witness, why)


def _with(base: Formula, *clauses: Clause) -> Formula:
    formula = Formula(list(base.atoms), list(base.clauses))
    for clause in clauses:
        formula.add(clause)
    return formula


def _both(base: Formula, other: Formula) -> Formula:
    return Formula([*base.atoms, *other.atoms], [*base.clauses, *other.clauses])
