"""Two runs of the suite compared, check by check; and the differences that are expected today. Pure.

A difference is never explained away by a total: a check that is missing, new, or has another status counts, also where
the suite itself would still report success.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.fidelity.checks import TRACE, CheckId, Checks


class Kind(StrEnum):
    """What became of a check on the way through the guard."""

    LOST = "lost"  # it was made of the server alone only
    GAINED = "gained"  # it was made through the guard only
    CHANGED = "changed"


@dataclass(frozen=True, order=True)
class Difference:
    """One check that isn't the same."""

    check: CheckId
    kind: Kind
    alone: str = ""
    guarded: str = ""

    def __str__(self) -> str:
        statuses = f" {self.alone} -> {self.guarded}" if self.kind is Kind.CHANGED else f" {self.alone or self.guarded}"
        return f"{self.kind} {self.check}{statuses}"


def compare(alone: Checks, guarded: Checks) -> list[Difference]:
    """Every difference, in order. Lines that only tell what happened are left out where both runs have only such."""
    return sorted(filter(None, (_difference(check, alone, guarded) for check in alone.keys() | guarded.keys())))


def _difference(check: CheckId, alone: Checks, guarded: Checks) -> Difference | None:
    before, after = alone.get(check, ""), guarded.get(check, "")
    if before == after or {before, after} <= {TRACE, ""}:
        return None
    kind = Kind.LOST if not after else Kind.GAINED if not before else Kind.CHANGED
    return Difference(check, kind, before, after)


def flaws(alone: Checks) -> list[str]:
    """What isn't right without any guard: parity with a server that fails would say nothing."""
    return [f"alone {check} {status}" for check, status in sorted(alone.items()) if status in ("FAILURE", "WARNING")]


@dataclass(frozen=True)
class Expected:
    """A set of differences that one thing explains, which can't be otherwise."""

    why: str
    revision: str
    routes: frozenset[str]
    differences: frozenset[str]

    def about(self, revision: str, route: str) -> bool:
        return revision == self.revision and route in self.routes


@dataclass(frozen=True)
class Verdict:
    """What of the differences of one run wasn't expected, and what was expected and isn't there."""

    explained: Mapping[str, str]  # a difference, and why
    unexpected: tuple[str, ...]
    vanished: tuple[str, ...]

    @property
    def good(self) -> bool:
        return not self.unexpected and not self.vanished


def judge(found: Iterable[str], expected: Collection[Expected], revision: str, route: str) -> Verdict:
    """Hold what was found against what is expected of this run: both ways, so that the list only shrinks."""
    known = {
        difference: entry.why for entry in expected if entry.about(revision, route) for difference in entry.differences
    }
    differences = list(found)
    return Verdict(
        explained={difference: known[difference] for difference in differences if difference in known},
        unexpected=tuple(difference for difference in differences if difference not in known),
        vanished=tuple(sorted(known.keys() - set(differences))),
    )
