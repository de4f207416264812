"""The ready-made policies do what their case files say, and no rule of theirs is there for nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from mcp_guard.model import Call, Effect, Reason
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, load_policy
from tests.policies.case_files import POLICIES, Case, Session, documents, play, read_cases

NAMES = ("project", "payments")
CASES = {name: read_cases(name) for name in NAMES}
ALL_CASES = [case for name in NAMES for case in CASES[name]]


@pytest.mark.parametrize("case", ALL_CASES, ids=str)
def test_a_case_is_judged_as_it_expects(case: Case) -> None:
    decision = play(case)
    spoke = [rule.id for rule in decision.rules]
    assert decision.effect is case.expect, (decision.reason, spoke)
    if case.rule is not None:
        assert case.rule in spoke
    elif case.expect is Effect.DENY:
        assert decision.reason is not Reason.DENIED, "a deny rule fired: name it in the case"
    else:
        pytest.fail("a case that expects allow or ask names the rule")


def _rules(cases: Iterable[Case]) -> set[str]:
    return {rule.ref.key for case in cases for document in documents(case) for rule in document.rules}


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_speaks_in_some_case_and_is_missed_when_it_is_gone(name: str) -> None:
    for key in _rules(CASES[name]):
        named = [case for case in CASES[name] if case.rule == key.partition("/")[2]]
        assert named, f"no case names {key}"
        changed = [case for case in CASES[name] if _verdict(case, without=key) != _verdict(case)]
        assert changed, f"without {key} every case is judged as before"


def _verdict(case: Case, without: str | None = None) -> tuple[Effect, set[str]]:
    decision = play(case, without)
    return decision.effect, {rule.id for rule in decision.rules}


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_has_at_least_25_cases_of_both_kinds(name: str) -> None:
    expected = [case.expect for case in CASES[name]]
    assert len(expected) >= 25
    assert expected.count(Effect.ALLOW) >= 8
    assert expected.count(Effect.DENY) >= 8
    assert len({case.why for case in CASES[name]}) == len(expected), "two cases with the same reason"


def test_every_policy_has_its_cases_and_a_mandate_is_short() -> None:
    policies = {path.stem for path in POLICIES.glob("*.yaml") if "." not in path.stem}
    assert policies == set(NAMES)
    for mandate in POLICIES.glob("*.mandate.yaml"):
        assert any(case.mandate == mandate.name for case in ALL_CASES)
        assert len(mandate.read_text("utf-8").splitlines()) <= 12


class OnDisk(Session):
    """A session that follows links where there are some."""

    def resolve(self, path: str) -> str | None:
        return os.path.realpath(path)


@pytest.mark.parametrize("link", ["out", "secret"])
def test_a_link_grants_neither_what_is_outside_nor_a_secret_under_another_name(link: str, tmp_path: Path) -> None:
    project = Path(os.path.realpath(tmp_path)) / "project"
    project.mkdir()
    (project / "plain.md").write_text("x")
    (project / ".env").write_text("x")
    (project / "secret").symlink_to(project / ".env")
    (project / "out").symlink_to("/etc/passwd")
    policy = load_policy(POLICIES / "project.yaml", variables={"project": str(project)}, home="/home/iris")

    def read(name: str) -> Effect:
        params = {"name": "read_text_file", "arguments": {"path": str(project / name)}}
        call = Call("iris", "tools/call", "files", "read_text_file", params)
        return decide(Authority((policy,)), call, OnDisk()).effect

    assert read("plain.md") is Effect.ALLOW
    assert read(link) is Effect.DENY
