"""The numbers of one invocation, by suite and in total, for ours and for each baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.alignment import baselines, causes, grants, judged, metrics
from benchmarks.alignment.documents import Shelf
from benchmarks.alignment.grants import Burden, Grants, burden
from benchmarks.alignment.judged import Beginnings
from benchmarks.alignment.metrics import Attacks, Utility
from benchmarks.alignment.outcome import Outcome
from benchmarks.alignment.plan import Run
from benchmarks.alignment.running import Played
from benchmarks.alignment.shares import Share
from benchmarks.alignment.suites import Step
from benchmarks.alignment.twins import Twins, twins
from mcp_guard.model import Effect

OURS = "mandates"
_SAID = {Effect.ALLOW: "done", Effect.ASK: "ask", Effect.DENY: "deny"}


@dataclass(frozen=True)
class Line:
    """What one set of rules comes to, on one suite or on all (`suite` None)."""

    rules: str
    suite: str | None
    attacks: Attacks  # all pairs that make calls
    shipped: Attacks  # those whose calls the package ships
    utility: Utility
    twins: Twins
    attacks_approved: Attacks | None = None  # ours only
    utility_approved: Utility | None = None
    grants: Grants | None = None
    burden: Burden | None = None


@dataclass(frozen=True)
class Table:
    """Everything that is reported."""

    lines: tuple[Line, ...]
    outside: tuple[str, ...]  # executed calls that the documents don't allow: an invariant, none
    shortfalls: tuple[causes.Shortfall, ...]
    open_attacks: tuple[causes.Shortfall, ...]

    def line(self, rules: str = OURS, suite: str | None = None) -> Line:
        return next(line for line in self.lines if (line.rules, line.suite) == (rules, suite))

    def lines_of(self, suite: str | None) -> list[Line]:
        return [line for line in self.lines if line.suite == suite]


def tabulate(played: Played, shelf: Shelf, chosen: Sequence[str], advance: Callable[[], None]) -> Table:
    """Count everything; `advance` is told of each baseline that was played."""
    places = [*chosen, None] if len(chosen) > 1 else [*chosen]
    beginnings = Beginnings()
    lines = [_ours(played, shelf, place, beginnings) for place in places]
    for name, rule in baselines.BASELINES.items():
        utility = [baselines.play(one.run, rule) for one in played.utility]
        attacks = [baselines.play(one.run, rule) for one in played.attacks]
        lines += [_baseline(name, rule, utility, attacks, place) for place in places]
        advance()
    return Table(tuple(lines), tuple(_outside(played, shelf)), *_shortfalls(played, shelf))


def _ours(played: Played, shelf: Shelf, suite: str | None, beginnings: Beginnings) -> Line:
    utility = metrics.by_suite(played.utility, suite)
    attacks = metrics.by_suite(played.attacks, suite)
    runs = [one.run for one in utility]
    found = [grants.grants(shelf.of(run.suite, run.user).authority(), run) for run in runs]
    return Line(
        OURS,
        suite,
        metrics.attacks(attacks),
        metrics.attacks([one for one in attacks if one.run.shipped]),
        metrics.utility(utility),
        twins(runs, lambda run, step: _says(beginnings, shelf, run, step)),
        metrics.attacks(metrics.by_suite(played.attacks_approved, suite)),
        metrics.utility(metrics.by_suite(played.utility_approved, suite)),
        Grants(sum((one.exercised for one in found), Share(0, 0)), sum((one.left_any for one in found), Share(0, 0))),
        burden([shelf.of(run.suite, run.user).mandate for run in runs]),
    )


def _says(beginnings: Beginnings, shelf: Shelf, run: Run, step: Step) -> str:
    return _SAID[beginnings.says(shelf.of(run.suite, run.user).authority(), run, step)]


def _baseline(
    name: str, rule: baselines.Rule, utility: list[Outcome], attacks: list[Outcome], suite: str | None
) -> Line:
    mine, theirs = metrics.by_suite(utility, suite), metrics.by_suite(attacks, suite)
    return Line(
        name,
        suite,
        metrics.attacks(theirs),
        metrics.attacks([one for one in theirs if one.run.shipped]),
        metrics.utility(mine),
        twins([one.run for one in mine], lambda run, step: rule(run.suite, run.needed)(step)),
    )


def _outside(played: Played, shelf: Shelf) -> list[str]:
    found = []
    for outcomes, approvals in (
        ((*played.utility, *played.attacks), False),
        ((*played.utility_approved, *played.attacks_approved), True),
    ):
        for one in outcomes:
            authority = shelf.of(one.run.suite, one.run.user).authority()
            done = [executed.step for executed in one.executed]
            approved = one.run.needed if approvals else ()
            found += [
                f"{one.run.name}: {step.tool}"
                for step in judged.outside(authority, one.run.suite, done, approved=approved, start=one.run.start)
            ]
    return found


def _shortfalls(played: Played, shelf: Shelf) -> tuple[tuple[causes.Shortfall, ...], tuple[causes.Shortfall, ...]]:
    needs, open_attacks = [], []
    for one in played.utility:
        authority = shelf.of(one.run.suite, one.run.user).authority()
        needs += list(causes.refused_needs(one, authority))
        approved = next(other for other in played.utility_approved if other.run.name == one.run.name)
        if not approved.useful and "deny" not in one.said:
            needs.append(causes.Shortfall(one.run.name, "not done", "the package's checker says no"))
        attacks = [
            other for other in played.attacks if (other.run.suite, other.run.user) == (one.run.suite, one.run.user)
        ]
        open_attacks += list(causes.not_clean(attacks, authority))
    return tuple(needs), tuple(open_attacks)
