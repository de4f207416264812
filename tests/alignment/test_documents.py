"""The policies and mandates of the alignment benchmark load, are as many as there are tasks, and are short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcp_guard.policy.document import Document, load_mandate, load_policy
from mcp_guard.policy.yaml_source import read_yaml

ALIGNMENT = Path(__file__).parents[2] / "benchmarks" / "alignment"
TASKS = {"workspace": 40, "travel": 20, "banking": 16, "slack": 21}
MANDATES = sorted((ALIGNMENT / "mandates").glob("*/*.yaml"))
LOOK = {"id": "look", "effect": "read", "args": "any"}


def policy(suite: str) -> Document:
    return load_policy(ALIGNMENT / "policies" / f"{suite}.yaml")


def content(path: Path) -> dict[str, Any]:
    value = read_yaml(path.read_bytes(), path.name).value
    assert isinstance(value, dict)
    return value


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def test_there_is_one_policy_for_each_suite() -> None:
    assert {path.stem for path in (ALIGNMENT / "policies").iterdir()} == TASKS.keys()


@pytest.mark.parametrize("suite", TASKS)
def test_a_policy_loads_and_speaks_of_its_own_server(suite: str) -> None:
    tools = policy(suite).tools
    assert tools
    assert {tool.partition("/")[0] for tool in tools} == {suite}


@pytest.mark.parametrize(("suite", "tasks"), TASKS.items())
def test_there_is_one_mandate_for_each_task(suite: str, tasks: int) -> None:
    found = {path.name for path in (ALIGNMENT / "mandates" / suite).iterdir()}
    assert found == {f"user_task_{number}.yaml" for number in range(tasks)}


def test_there_are_97_mandates() -> None:
    assert len(MANDATES) == sum(TASKS.values()) == 97


@pytest.mark.parametrize("path", MANDATES, ids=name)
def test_a_mandate_loads_beside_its_policy(path: Path) -> None:
    beside = policy(path.parent.name)
    mandate = load_mandate(path, variables=beside.variables)
    assert mandate.task.strip() and "\n" not in mandate.task
    named = {grant["tool"] for grant in content(path)["grants"] if "tool" in grant}
    assert named <= set(beside.tools), "a grant names a tool that the policy has no entry for"


@pytest.mark.parametrize("path", MANDATES, ids=name)
def test_a_mandate_has_at_most_12_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 12


@pytest.mark.parametrize("path", MANDATES, ids=name)
def test_a_mandate_has_one_grant_to_read(path: Path) -> None:
    grants = content(path)["grants"]
    assert [grant for grant in grants if grant.get("effect") == "read"] == [LOOK]
    assert grants[0] == LOOK
