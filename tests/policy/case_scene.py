"""What the tests of cases, coverage and mutation share: a policy and its cases from text, played."""

from __future__ import annotations

from collections.abc import Mapping

from mcp_guard.policy.cases import Suite, bind, load_cases
from mcp_guard.policy.cases_run import Played, play
from mcp_guard.policy.coverage import Coverage, coverage_of
from mcp_guard.policy.document import Document
from mcp_guard.policy.mutation import Mutant, survivors
from tests.policy.scene import policy


def suite(document: str | Document, cases: str, mandates: Mapping[str, Document] | None = None) -> Suite:
    """A policy (without its `version`) and its cases (without `cases:`)."""
    found = policy(document) if isinstance(document, str) else document
    return bind(load_cases(f"cases:\n{cases}".encode(), "p.cases.yaml"), found, mandates or {})


def played(document: str | Document, cases: str, mandates: Mapping[str, Document] | None = None) -> list[Played]:
    found = suite(document, cases, mandates)
    return [play(found, case) for case in found.cases]


def covered(document: str | Document, cases: str) -> Coverage:
    found = suite(document, cases)
    return coverage_of(found, [play(found, case) for case in found.cases])


def uncovered(document: str | Document, cases: str) -> dict[str, str]:
    """Clauses that aren't covered, with what is missing."""
    coverage = covered(document, cases)
    return {one.words: one.missing for rule in coverage.rules for one in rule.clauses if not one.covered}


def left(document: str | Document, cases: str) -> list[Mutant]:
    """The mutants that no case notices."""
    found = suite(document, cases)
    return survivors(found, [play(found, case) for case in found.cases])[1]
