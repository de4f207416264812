"""policies/README.md lists what is there, and each ready policy says at its top what a person has to know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcp_guard.policy.constraints import Matches
from mcp_guard.policy.rules import Rule
from tests.policies.test_policies import DOCUMENTS, POLICIES, suite_of

INDEX = (POLICIES / "README.md").read_text("utf-8")
ROWS = {row[0]: row for row in re.findall(r"^\| \[([^]]+)\]\(\1\) \|.*\| ([^|]*)\|$", INDEX, flags=re.MULTILINE)}
EXPLAINED = sorted({*DOCUMENTS} - {"demo.yaml", "payments.yaml", "pay-bill.mandate.yaml", "project.yaml"})
STATEMENTS = {"query", "sql", "command", "script", "code", "function", "pipeline", "cmd"}


def text(document: str) -> str:
    return (POLICIES / document).read_text("utf-8")


def grants(document: str) -> list[Rule]:
    return [rule for rule in suite_of(document).document.rules if rule.is_grant]


def test_the_index_lists_every_document_and_nothing_else() -> None:
    assert set(ROWS) == set(DOCUMENTS)


def test_every_document_has_cases_and_no_cases_are_left_over() -> None:
    cases = {path.name.removesuffix(".cases.yaml") for path in POLICIES.glob("*.cases.yaml")}
    assert cases == {name.removesuffix(".yaml") for name in DOCUMENTS}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_index_names_the_variables_that_have_to_be_set(document: str) -> None:
    rules = "\n".join(line for line in text(document).splitlines() if not line.startswith("#"))
    used = set(re.findall(r"(?<!\$)\$([a-z]+)", rules))
    assert set(re.findall(r"`(\w+)`", ROWS[document][1])) == used
    if document in EXPLAINED:
        said = next(line for line in text(document).splitlines() if line.startswith("# Set:"))
        assert set(re.findall(r"--set (\w+)=", said)) == used


@pytest.mark.parametrize("document", EXPLAINED)
def test_its_first_lines_say_for_whom_it_is_and_what_it_does_not_stop(document: str) -> None:
    head = text(document).partition("version:")[0].splitlines()
    assert 5 <= len(head) <= 10
    starts = ["# For ", "# Server", "# Set: ", "# Allows: ", "# Doesn't allow: ", "# Doesn't stop: "]
    assert [start for start in starts if not any(line.startswith(start) for line in head)] == []


@pytest.mark.parametrize("document", EXPLAINED)
def test_every_grant_says_what_to_do_instead(document: str) -> None:
    assert [rule.ref.id for rule in grants(document) if not rule.advice] == []


@pytest.mark.parametrize("document", EXPLAINED)
def test_no_grant_is_open_to_any_argument_or_reaches_for_names(document: str) -> None:
    assert [rule.ref.id for rule in grants(document) if rule.arguments is None] == []
    assert [rule.ref.id for rule in grants(document) if not all(name.exact for name in rule.names)] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_statement_or_command_is_matched_by_a_pattern(document: str) -> None:
    for rule in suite_of(document).document.rules:
        limits = {**rule.arguments.listed, **rule.arguments.optional} if rule.arguments is not None else {}
        patterned = {name for name, limit in limits.items() if isinstance(limit.constraint, Matches)}
        assert patterned & STATEMENTS == set(), rule.ref.id


def test_the_index_points_only_at_files_that_exist() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", INDEX)
    assert links
    assert [link for link in links if not Path(POLICIES / link).is_file()] == []
