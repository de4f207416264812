"""The ready-made policies do what their case files say, and the case files notice whatever is taken out of a policy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mcp_guard.model import Call, Decision, Effect, Reason
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, Document, load_policy
from mcp_guard.policy.rules import Rule
from tests.policies.case_files import POLICIES, Case, Session, documents, play, read_cases
from tests.policies.loosened import looser_rules, with_rule, without_rule

NAMES = ("project", "payments", "demo")
CASES = {name: read_cases(name) for name in NAMES}
ALL_CASES = [case for name in NAMES for case in CASES[name]]


@pytest.mark.parametrize("case", ALL_CASES, ids=str)
def test_a_case_is_judged_as_it_expects(case: Case) -> None:
    decision = play(case, documents(case))
    spoke = [rule.id for rule in decision.rules]
    assert decision.effect is case.expect, (decision.reason, spoke)
    if case.rule is not None:
        assert case.rule in spoke
    elif case.expect is Effect.DENY:
        assert decision.reason is not Reason.DENIED, "a deny rule fired: the case names it"
    else:
        pytest.fail("a case that expects allow or ask names the rule")


def _rules(name: str) -> list[tuple[Document, Rule]]:
    """Every rule of the documents that a case file is about."""
    layers = {layer.file: layer for case in CASES[name] for layer in documents(case)}
    return [(layer, rule) for layer in layers.values() for rule in layer.rules]


def _noticed(name: str, old: Document, new: Document) -> bool:
    """Does `new` judge some case in another way than `old`, or for another reason? Alone, as a mandate may stand."""
    concerned = [case for case in CASES[name] if old in documents(case)]
    return any(_verdict(play(case, (new,))) != _verdict(play(case, (old,))) for case in concerned)


def _verdict(decision: Decision) -> tuple[Effect, Reason | None]:
    return decision.effect, decision.reason


@pytest.mark.parametrize("name", NAMES)
def test_no_rule_can_be_dropped_unnoticed(name: str) -> None:
    rules = _rules(name)
    assert len(rules) >= 7
    assert [rule.key for layer, rule in rules if not _noticed(name, layer, without_rule(layer, rule))] == []


@pytest.mark.parametrize("name", NAMES)
def test_no_grant_can_be_loosened_unnoticed(name: str) -> None:
    looser = [
        (what, layer, with_rule(layer, rule, changed))
        for layer, rule in _rules(name)
        if rule.is_grant
        for what, changed in looser_rules(rule)
    ]
    assert len(looser) >= 10
    assert [what for what, layer, changed in looser if not _noticed(name, layer, changed)] == []


@pytest.mark.parametrize("name", ["project", "payments"])
def test_a_case_file_says_what_must_be_allowed_beside_what_must_be_denied(name: str) -> None:
    expected = [case.expect for case in CASES[name]]
    assert len(expected) >= 25
    assert expected.count(Effect.ALLOW) >= 8
    assert expected.count(Effect.DENY) >= 8
    assert len({case.why for case in CASES[name]}) == len(expected), "two cases with the same reason"


def test_every_policy_has_its_cases_and_a_mandate_is_short() -> None:
    assert {path.stem for path in POLICIES.glob("*.yaml") if "." not in path.stem} == set(NAMES)
    for mandate in POLICIES.glob("*.mandate.yaml"):
        assert any(case.mandate == mandate.name for case in ALL_CASES)
        assert len(mandate.read_text("utf-8").splitlines()) <= 12


class OnDisk(Session):
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
        return decide(Authority((policy,)), call, OnDisk()).effect

    assert read("plain.md") is Effect.ALLOW
    assert read(link) is Effect.DENY
