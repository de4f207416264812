"""One question settled: a call that shows it, a proof that there is none, or neither.

Core. Guided by counterexamples: a call is made up from what is known to be wished for, and judged. Which rule stood in
its way is what the next look at the question takes into account; with few rules a proof is short.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from mcp_guard.model import Effect
from mcp_guard.policy.compare_rules import Clause, Formula
from mcp_guard.policy.compare_scenes import Meeting
from mcp_guard.policy.compare_search import Search, State, TooManyCases
from mcp_guard.policy.compare_sides import Side
from mcp_guard.policy.compare_witness import Judged, Witness, judged_calls

MAX_ROUNDS = 80  # rules that are taken into account one by one, before all are at once
MAX_ENDS = 24  # open ends of one look that calls are made up from
MAX_CALLS = 12  # calls that are made up from one open end

Key = tuple[str, str]
"""`new` or `old`, and a rule's key."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What has to be so at least, and the clauses that have to be so as well, by the rule that they are about."""

    base: Formula
    clauses: Mapping[Key, Clause]
    first: tuple[Key, ...] = ()  # those to begin with


@dataclass(slots=True)
class Settled:
    """The answer: a witness, or nothing open (proved), or a reason why it is unknown."""

    witness: Witness | None = None
    why: str = ""

    @property
    def proved(self) -> bool:
        return self.witness is None and not self.why


@dataclass(slots=True)
class _Look:
    """One question at one meeting."""

    goal: Goal
    meeting: Meeting
    old: Side
    new: Side
    active: dict[Key, None] = field(default_factory=dict)

    def settle(self) -> Settled:
        self.active = dict.fromkeys(self.goal.first)
        try:
            for _ in range(MAX_ROUNDS):
                found = self._round()
                if isinstance(found, Settled):
                    return found
                if not found:
                    break
                self.active |= dict.fromkeys(found)
            if len(self.active) == len(self.goal.clauses):
                return Settled(why=_UNSETTLED)
            self.active = dict.fromkeys(self.goal.clauses)
            last = self._round()
            return last if isinstance(last, Settled) else Settled(why=_UNSETTLED)
        except TooManyCases:
            return Settled(why="there are too many cases to look at")

    def _round(self) -> Settled | set[Key]:
        """The answer; or the rules that stood in the way of a call; none of these: nobody knows."""
        formula = Formula(list(self.goal.base.atoms), list(self.goal.base.clauses))
        for key in self.active:
            formula.add(self.goal.clauses[key])
        is_open = False
        for state in islice(Search().open_ends(formula), MAX_ENDS):
            is_open = True
            for judged in islice(self._judged(state), MAX_CALLS):
                if judged.witness is not None:
                    return Settled(judged.witness)
                if more := {key for key in _in_the_way(judged) if key in self.goal.clauses} - self.active.keys():
                    return more
        return set() if is_open else Settled()

    def _judged(self, state: State) -> Iterable[Judged]:
        return judged_calls(state, self.meeting.scene, self.old, self.new, self.meeting.supposed)


_UNSETTLED = "no proof, and no call that shows it was found"


def settle(goal: Goal, meeting: Meeting, old: Side, new: Side) -> Settled:
    """Is there a call that satisfies the goal, and is judged more mildly under `new`?"""
    return _Look(goal, meeting, old, new).settle()


def _in_the_way(judged: Judged) -> Iterable[Key]:
    """The rules but for which the call would be a witness: by what one side refuses, by what the other permits."""
    if judged.new.effect is not Effect.ALLOW:
        yield from (("new", rule.key) for rule in judged.new.rules)
    yield from (("old", charge.rule) for charge in judged.old.charges)
