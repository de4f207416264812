"""What do new documents allow that the old ones did not? Proved nothing, a call that shows it, or unknown.

Core. Start here; the parts are small files.

    compare_sides      the documents of one side, and the judge under them
    compare_scenes     the targets to look at, one by one, and "any other tool"
    compare_rules      a rule -> atoms: when it carries a call, and all the ways in which it doesn't
    compare_results    may less be done to what a server answers
    compare_settle     one question: what the judge says of made-up calls tells which rules a proof needs
    compare_search     atoms and clauses -> proved impossible, or open ends
    compare_atoms      which atoms exclude each other (values, texts, numbers, nested, names, times)
    compare_witness    an open end -> a call that the judge confirms     (samples, supposed)

Sound: PROVED holds for every call, every principal and every moment, whatever is used up, first seen, or linked to
where, as long as both sides look at the same facts. Not complete: what can't be decided is UNKNOWN, which counts as
wider.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from mcp_guard.model import Effect, RuleRef
from mcp_guard.policy.compare_atoms import Before
from mcp_guard.policy.compare_past import gives_less
from mcp_guard.policy.compare_results import LESS, less_is_done
from mcp_guard.policy.compare_rules import Formula
from mcp_guard.policy.compare_scenes import Meeting, meetings
from mcp_guard.policy.compare_settle import Goal, settle
from mcp_guard.policy.compare_sides import Side
from mcp_guard.policy.compare_verdicts import Comparison, Direction, Finding
from mcp_guard.policy.compare_witness import Witness
from mcp_guard.policy.document import Document
from mcp_guard.policy.rules import Rule

MAX_WITNESSES = 10  # of one target; the rest of its grants then isn't looked at, and that is said
MAX_COMBINATIONS = 600  # of the grants of several layers, on one target


def compare(old: tuple[Document, ...], new: tuple[Document, ...]) -> Comparison:
    """Both directions. Each side is a policy, a mandate, or both, policy first.

    Two mandates without policies are compared beside any policy, whatever it says of tools.
    """
    beside = all(layer.kind == "mandate" for layer in (*old, *new))
    first, second = Side(old, beside), Side(new, beside)
    return Comparison(gained=_direction(first, second), lost=_direction(second, first))


def _direction(old: Side, new: Side) -> Direction:
    found: dict[object, Finding] = {}
    if old.beyond() != new.beyond():
        found[""] = Finding("", Effect.ALLOW, (), why="the documents differ in something that is not compared yet")
    if gives_less(old.tools, new.tools, old.says, new.says, new.rules):
        why = "tools or servers don't give the same labels, and rules go by labels: sessions would differ"
        found["labels"] = Finding("", Effect.ALLOW, (), why=why)
    if old.lacks_mandate and not new.lacks_mandate:
        found["alone"] = Finding("", Effect.ALLOW, (), why="without a mandate, one side permits nothing")
    for meeting in meetings(old, new):
        for finding in _Question(meeting, old, new).findings():
            found.setdefault(_key(finding), finding)
    shown = {(one.target, one.rules) for one in found.values() if one.witness is not None}
    kept = [one for one in found.values() if one.witness is not None or (one.target, one.rules) not in shown]
    return Direction(tuple(kept))


def _key(finding: Finding) -> object:
    """Two witnesses of one target are one finding if the same rules judged them, for the same reason."""
    old = None if finding.witness is None else finding.witness.old
    return finding.target, finding.rules, None if old is None else (old.effect, old.reason, old.rules)


@dataclass(slots=True)
class _Question:
    """Everything that is asked about one target under one set of circumstances."""

    meeting: Meeting
    old: Side
    new: Side

    def findings(self) -> list[Finding]:
        if any(not grants for grants in self.meeting.new.grants) or self.meeting.same:
            return []
        less = [self._finding((), None, LESS)] if less_is_done(self.meeting, self.old, self.new) else []
        return [*self._of_grants(), *less]

    def _of_grants(self) -> list[Finding]:
        found = self._weaker_asks()
        total = 1
        for grants in self.meeting.new.grants:
            total *= len(grants)
        if total > MAX_COMBINATIONS:
            return [*found, self._finding((), None, f"more than {MAX_COMBINATIONS} combinations of grants")]
        for grants in product(*self.meeting.new.grants):
            if sum(one.witness is not None for one in found) >= MAX_WITNESSES:
                why = f"after {MAX_WITNESSES} calls that show a difference, the other grants are not looked at"
                return [*found, self._finding((), None, why)]
            found += self._of(grants)
        return found

    def _weaker_asks(self) -> list[Finding]:
        """Could something that was asked about still be asked about, but in a weaker way (`by`)?

        No, if whatever asks now is at least as strict as everything that asked before. Else nobody has proved it.
        """
        before = [rule.ref.by for rule in self.meeting.old.rules if asks(rule)]
        weaker = [rule.ref for rule in self.meeting.new.rules if asks(rule) and rule.ref.by < max(before, default=0)]
        if not weaker:
            return []
        why = "who may answer is less strict (`by`) than what asked before"
        return [Finding(self.meeting.target, Effect.ASK, tuple(weaker), None, why)]

    def _of(self, grants: tuple[Rule, ...]) -> list[Finding]:
        """What these grants, one of each layer, permit beyond the old documents."""
        found: list[Finding] = []
        unknown, permitted = "", False
        for asks_count in (False, True):
            if asks_count and (permitted or any(grant.asks for grant in grants)):
                continue  # what was denied and is allowed now says more than what was asked about
            for goal in self._goals(grants, asks_count=asks_count):
                settled = settle(goal, self.meeting, self.old, self.new)
                if settled.witness is not None:
                    permitted = permitted or settled.witness.new.effect is Effect.ALLOW
                    found.append(self._finding(grants, settled.witness, ""))
                unknown = unknown or settled.why
        return found or ([self._finding(grants, None, unknown)] if unknown else [])

    def _goals(self, grants: tuple[Rule, ...], *, asks_count: bool) -> Iterator[Goal]:
        """Each is satisfiable if the grants permit something that one old document, for one reason, did not.

        First without a word about asks: is something permitted that was denied? Then, where `asks_count`: is something
        allowed that was asked about?
        """
        meeting = self.meeting
        tight = [*meeting.new.denies, *(meeting.new.asks if asks_count else ())]
        refused = {meeting.content(rule) for rule in tight}
        granted = {meeting.content(grant) for grant in grants}
        clauses = {("new", rule.key): meeting.silent(rule) for rule in tight}
        base = Formula([Before(end, True) for end in meeting.new.ends])
        for grant in grants:
            base = _both(base, meeting.formula(grant))
        for layer in meeting.old.layers:
            enough = {("old", one.key): one for one in layer.grants if not (asks_count and one.asks)}
            if not any(meeting.content(one) in granted for one in enough.values()):
                first = tuple(key for grant in grants if (key := ("old", grant.key)) in enough)
                silences = {key: meeting.silent(one) for key, one in enough.items()}
                yield Goal(base, {**clauses, **silences}, first)
            for rule in layer.asks if asks_count else layer.denies:
                if meeting.content(rule) not in refused:
                    yield Goal(_both(base, meeting.formula(rule)), clauses)
            if layer.end is not None:
                over = Formula([Before(layer.end, False)])
                yield Goal(_both(base, over), clauses)

    def _finding(self, grants: tuple[Rule, ...], witness: Witness | None, why: str) -> Finding:
        rules: tuple[RuleRef, ...] = tuple(grant.ref for grant in grants)
        effect = Effect.ASK if any(grant.asks for grant in grants) else Effect.ALLOW
        if witness is not None:
            rules, effect = witness.new.rules or rules, witness.new.effect
        return Finding(self.meeting.target, effect, rules, witness, why)


def asks(rule: Rule) -> bool:
    """Does the rule ask, if it speaks: an ask, or a grant with `ask`?"""
    return rule.asks or rule.ref.effect is Effect.ASK


def _both(base: Formula, other: Formula) -> Formula:
    return Formula([*base.atoms, *other.atoms], [*base.clauses, *other.clauses])
