"""The client half of the comparison: the suite is the server, and a client reaches it directly or through the guard."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Collection, Iterator

from tests.fidelity.checks import CheckId
from tests.fidelity.compare import Expected, compare, flaws, judge
from tests.fidelity.report import Row
from tests.fidelity.routes import REPOSITORY, Place
from tests.fidelity.suite import Suite

ROUTE = "client-http"
"""The client's way through the guard: HTTP on both sides."""

SCENARIOS = {
    "2025-11-25": ("initialize", "tools_call", "elicitation-sep1034-client-defaults", "sse-retry"),
    "2026-07-28": (
        "tools_call",
        "request-metadata",
        "sep-2322-client-request-state",
        "http-standard-headers",
        "http-custom-headers",
        "http-invalid-tool-headers",
        "json-schema-ref-no-deref",
        "json-schema-2020-12-preservation",
    ),
}
"""By revision. Those about OAuth are left out: the guard has credentials of its own, and never a client's."""


def client_rows(suite: Suite, place: Place, expected: Collection[Expected]) -> Iterator[Row]:
    """A row for each revision."""
    for revision, scenarios in SCENARIOS.items():
        alone, _ = _run(suite, place, revision, scenarios, guarded=False)
        guarded, seconds = _run(suite, place, revision, scenarios, guarded=True)
        differences = map(str, compare(alone, guarded))
        verdict = judge([*flaws(alone), *differences], expected, revision, ROUTE)
        yield Row("client", revision, ROUTE, alone, guarded, verdict, seconds)


def _run(
    suite: Suite, place: Place, revision: str, scenarios: Collection[str], *, guarded: bool
) -> tuple[dict[CheckId, str], float]:
    """All scenarios of a revision, one after the other."""
    words = [sys.executable, "-m", "tests.fidelity.client", "--policy", str(place.policy)]
    command = shlex.join([*words, "--guarded"] if guarded else words)
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    found: dict[CheckId, str] = {}
    seconds = 0.0
    for scenario in scenarios:
        results = place.directory / "results" / f"client-{guarded}-{revision}-{scenario}"
        ran = suite.client(command, scenario, revision, results, {"PYTHONPATH": path})
        found.update(ran.checks)
        seconds += ran.seconds
    return found, seconds
