"""The server half of the comparison: the suite is the client; the fixture server stands alone or behind the guard."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tests.fidelity.compare import Expected, compare, flaws, judge
from tests.fidelity.report import Row
from tests.fidelity.routes import ALONE, ROUTES, Place
from tests.fidelity.suite import Ran, Suite

REVISIONS = ("2025-11-25", "2026-07-28")


def server_rows(suite: Suite, place: Place, expected: Collection[Expected]) -> Iterator[Row]:
    """A row for each revision and route."""
    for revision in REVISIONS:
        alone = _run(suite, place, ALONE, revision)
        for route in ROUTES:
            yield _row(suite, place, expected, revision, route, alone)


def _row(suite: Suite, place: Place, expected: Collection[Expected], revision: str, route: str, alone: Ran) -> Row:
    guarded = _run(suite, place, route, revision)
    differences = map(str, compare(alone.checks, guarded.checks))
    verdict = judge([*flaws(alone.checks), *differences], expected, revision, route)
    return Row("server", revision, route, alone.checks, guarded.checks, verdict, guarded.seconds)


def _run(suite: Suite, place: Place, route: str, revision: str) -> Ran:
    with place.open(route) as url:
        return suite.server(url, revision, place.directory / "results" / f"{route}-{revision}")
