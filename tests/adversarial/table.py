"""The corpus in Markdown: what `docs/alignment.md` has of it, and what a run prints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.adversarial.corpus import Class


@dataclass
class Row:
    """What became of one class."""

    name: str
    cases: int
    stopped: int = 0
    twins: int = 0
    through: list[tuple[str, str]] = field(default_factory=list)  # the case, and why
    wrong: list[str] = field(default_factory=list)  # cases that aren't what they say

    def __add__(self, other: Row) -> Row:
        """Both together."""
        counts = (self.cases + other.cases, self.stopped + other.stopped, self.twins + other.twins)
        return Row(self.name, *counts, self.through + other.through, self.wrong + other.wrong)


def said(kind: Class) -> Row:
    """What a class says of itself; each of its cases is a test of that."""
    through = [(case.name, case.through) for case in kind.cases if case.through]
    cases = len(kind.cases)
    return Row(kind.name, cases, cases - len(through), cases, through)


def total(rows: Iterable[Row]) -> Row:
    return sum(rows, Row("**all**", 0))


def table(rows: list[Row]) -> str:
    lines = ["| class | attacks stopped | benign twins passed |", "|---|---|---|"]
    for row in [*rows, total(rows)]:
        lines.append(f"| {row.name} | {row.stopped}/{row.cases} | {row.twins}/{row.cases} |")
    return "\n".join(lines)


def through(rows: list[Row]) -> str:
    """Every attack that isn't stopped, and why."""
    lines = ["| class | the attack | why it gets through |", "|---|---|---|"]
    lines += [f"| {row.name} | {name} | {why} |" for row in rows for name, why in row.through]
    return "\n".join(lines)
