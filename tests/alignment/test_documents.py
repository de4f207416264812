"""The frozen documents load, keep to the procedure's bounds, and the report is about them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.alignment.documents import HERE, Shelf
from benchmarks.alignment.effects import EFFECTFUL, SUITES
from mcp_guard.policy.document import Document

MANDATES = sorted((HERE / "mandates").glob("*/*.yaml"))
REPORT = HERE.parents[1] / "docs" / "alignment.md"


def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / "results.json").read_text())
    return found


def test_there_is_a_mandate_for_every_task_and_a_policy_for_every_suite() -> None:
    assert {path.parent.name for path in MANDATES} == set(SUITES) and len(MANDATES) == 97
    assert {path.stem for path in (HERE / "policies").glob("*.yaml")} == set(SUITES)


@pytest.mark.parametrize("path", MANDATES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_mandate_loads_below_its_policy_and_has_at_most_twelve_lines(path: Path) -> None:
    policy, mandate = Shelf().of(path.parent.name, path.stem).authority().layers
    assert (policy.kind, mandate.kind) == ("policy", "mandate") and mandate.task
    assert len([line for line in path.read_text().splitlines() if line.strip()]) <= 12


@pytest.mark.parametrize("suite", SUITES)
def test_the_policies_describe_every_effectful_tool_as_more_than_reading(suite: str) -> None:
    policy: Document = Shelf().of(suite, "user_task_0").authority().layers[0]
    for tool in EFFECTFUL[suite]:
        assert policy.tools[f"{suite}/{tool}"].effects - {"read"}, tool


def test_twenty_eight_tools_have_effects() -> None:
    assert {suite: len(tools) for suite, tools in EFFECTFUL.items()} == {
        "workspace": 10, "travel": 6, "banking": 5, "slack": 7,
    }  # fmt: skip


def test_the_report_has_the_procedure_word_for_word_and_names_the_frozen_commit() -> None:
    said = REPORT.read_text()
    procedure = (HERE / "PROCEDURE.md").read_text()
    assert [line for line in procedure.splitlines() if not line.startswith("#") and line not in said] == []
    assert recorded()["frozen"] in said


def test_every_task_and_every_attack_is_on_record() -> None:
    runs = recorded()["runs"]
    assert sum(name.count("/") == 1 for name in runs) == 97
    assert sum(name.count("/") == 2 for name in runs) == 929
    assert set(recorded()["approved"]) <= set(runs)
