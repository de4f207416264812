"""The result of a whole comparison, for people and for machines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.fidelity.checks import Checks, counted, passed
from tests.fidelity.compare import Verdict


@dataclass(frozen=True)
class Row:
    """One revision on one route, beside the server alone."""

    mode: str  # "server" or "client": which side the suite tests
    revision: str
    route: str
    alone: Checks
    guarded: Checks
    verdict: Verdict
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return {
            "mode": self.mode,
            "revision": self.revision,
            "route": self.route,
            "alone": {"passed": passed(self.alone), "checks": counted(self.alone)},
            "guarded": {"passed": passed(self.guarded), "checks": counted(self.guarded)},
            "seconds": round(self.seconds, 1),
            "expected": dict(self.verdict.explained),
            "unexpected": list(self.verdict.unexpected),
            "vanished": list(self.verdict.vanished),
        }


@dataclass
class Report:
    """All rows."""

    rows: list[Row] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return bool(self.rows) and all(row.verdict.good for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        return {"parity": self.good, "rows": [row.as_json() for row in self.rows]}

    def as_text(self) -> str:
        head = (
            f"{'suite tests':12} {'revision':12} {'route':12} {'alone':>9} {'guarded':>9} {'known':>6} {'new':>4}  time"
        )
        lines = [head, *map(_line, self.rows)]
        for row in self.rows:
            lines += _details(row)
        known = sum(len(row.verdict.explained) for row in self.rows)
        new = sum(len(row.verdict.unexpected) + len(row.verdict.vanished) for row in self.rows)
        seconds = sum(row.seconds for row in self.rows)
        lines.append(f"=== {len(self.rows)} comparisons, {known} known differences, {new} new in {seconds:.1f}s ===")
        return "\n".join(lines)


def _line(row: Row) -> str:
    guarded = f"{passed(row.guarded)}/{counted(row.guarded)}"
    alone = f"{passed(row.alone)}/{counted(row.alone)}"
    new = len(row.verdict.unexpected) + len(row.verdict.vanished)
    known = len(row.verdict.explained)
    columns = f"{row.mode:12} {row.revision:12} {row.route:12} {alone:>9} {guarded:>9} {known:>6} {new:>4}"
    return f"{columns}  {row.seconds:.0f} s"


def _details(row: Row) -> list[str]:
    where = f"{row.revision} {row.route}"
    lines = [f"{where}: known: {difference}" for difference in row.verdict.explained]
    lines += [f"{where}: NOT EXPECTED: {difference}" for difference in row.verdict.unexpected]
    lines += [
        f"{where}: EXPECTED AND NOT THERE, so take it off the list: {difference}" for difference in row.verdict.vanished
    ]
    return lines
