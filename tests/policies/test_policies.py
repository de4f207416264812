"""The ready-made policies do what their case files say, and the case files notice whatever is weakened in a policy."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from mcp_guard.cli.case_files import Pair
from mcp_guard.model import Call, Effect, Reason
from mcp_guard.policy.cases import Case, Suite
from mcp_guard.policy.cases_facts import CaseFacts
from mcp_guard.policy.cases_run import play, problems
from mcp_guard.policy.coverage import coverage_of
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, load_policy
from mcp_guard.policy.mutation import survivors

POLICIES = Path(__file__).parents[2] / "policies"
DOCUMENTS = sorted(path.name for path in POLICIES.glob("*.yaml") if not path.name.endswith(".cases.yaml"))


@cache
def suite_of(document: str) -> Suite:
    path = POLICIES / document
    return Pair(path.with_name(f"{path.stem}.cases.yaml"), path).suite()


ALL_CASES = [(name, number) for name in DOCUMENTS for number in range(len(suite_of(name).cases))]


def test_every_ready_document_is_here() -> None:
    assert {"demo.yaml", "payments.yaml", "pay-bill.mandate.yaml", "project.yaml"} <= set(DOCUMENTS)


@pytest.mark.parametrize(("document", "number"), ALL_CASES)
def test_a_case_is_judged_as_it_expects(document: str, number: int) -> None:
    suite = suite_of(document)
    played = play(suite, suite.cases[number])
    assert problems(played) == []
    if played.decision.reason is Reason.DENIED:
        assert played.case.rule is not None, "a deny rule fired: the case names it"
    assert played.case.expect is Effect.DENY or played.case.rule is not None, "what is allowed or asked names the rule"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_clause_is_covered_from_both_sides(document: str) -> None:
    suite = suite_of(document)
    coverage = coverage_of(suite, [play(suite, case) for case in suite.cases])
    assert coverage.total >= 10
    left = [(rule.id, one.words, one.missing) for rule in coverage.rules for one in rule.clauses if not one.covered]
    assert left == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_clause_can_be_weakened_unnoticed(document: str) -> None:
    suite = suite_of(document)
    count, left = survivors(suite, [play(suite, case) for case in suite.cases])
    assert count >= 15
    assert [(mutant.name, mutant.what) for mutant in left] == []


@pytest.mark.parametrize("document", sorted({*DOCUMENTS} - {"demo.yaml", "pay-bill.mandate.yaml"}))
def test_a_case_file_says_what_must_be_allowed_beside_what_must_be_denied(document: str) -> None:
    cases = suite_of(document).cases
    expected = [case.expect for case in cases]
    assert expected.count(Effect.ALLOW) >= 8
    assert expected.count(Effect.DENY) >= 25
    assert len({case.why for case in cases}) == len(cases), "two cases with the same reason"


def test_every_mandate_is_played_under_its_policy_too_and_is_short() -> None:
    under = {_mandate(case) for name in DOCUMENTS for case in suite_of(name).cases}
    mandates = list(POLICIES.glob("*.mandate.yaml"))
    assert mandates
    for mandate in mandates:
        assert str(mandate) in under
        assert len(mandate.read_text("utf-8").splitlines()) <= 12


def _mandate(case: Case) -> str:
    return getattr(case.mandate, "file", "")


class OnDisk(CaseFacts):
    """A session that follows links where there are some."""

    def resolve(self, path: str) -> str | None:
        return os.path.realpath(path)


@pytest.mark.parametrize("link", ["out", "secret"])
def test_a_link_grants_neither_what_is_outside_nor_a_secret_under_another_name(link: str, tmp_path: Path) -> None:
    project = tmp_path.resolve() / "project"
    project.mkdir()
    (project / "plain.md").write_text("x")
    (project / ".env").write_text("x")
    (project / "secret").symlink_to(project / ".env")
    (project / "out").symlink_to("/etc/passwd")
    policy = load_policy(POLICIES / "project.yaml", variables={"project": str(project)}, home="/home/iris")

    def read(name: str) -> Effect:
        params = {"name": "read_text_file", "arguments": {"path": str(project / name)}}
        call = Call("iris", "tools/call", "files", "read_text_file", params)
        facts = OnDisk(suite_of("project.yaml").cases[0].at, str(project), {})
        return decide(Authority((policy,)), call, facts).effect

    assert read("plain.md") is Effect.ALLOW
    assert read(link) is Effect.DENY
