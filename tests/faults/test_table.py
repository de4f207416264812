"""The table of faults names tests that exist, and docs/reliability.md says what table and code say."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from mcp_guard.config import ServerForm
from tests.faults.bounds import BOUNDS, Bound
from tests.faults.table import DOCUMENT, ROOT, groups, rendered


@cache
def names_in(path: Path) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {node.name for node in functions if node.name.startswith("test_")}


def test_the_table_has_23_groups_and_each_clause_a_test_or_a_reason() -> None:
    assert len(groups()) == 23
    bare = [clause.what for group in groups() for clause in group.clauses if not clause.tests and len(clause.why) < 40]
    assert bare == []


@pytest.mark.parametrize("group", groups(), ids=lambda group: group.about)
def test_the_tests_that_the_table_names_exist(group: object) -> None:
    clauses = getattr(group, "clauses", ())
    missing = [name for clause in clauses for path, name in clause.tests if name not in names_in(path)]
    assert clauses and missing == []


def test_the_document_has_the_tables_as_code_and_tests_have_them() -> None:
    assert rendered(DOCUMENT.read_text()) == DOCUMENT.read_text(), "run `python -m tests.faults`"


def test_a_size_is_shown_in_the_unit_that_people_read() -> None:
    shown = [Bound("", value, unit, "").shown for value, unit in ((16 << 20, "bytes"), (65536, "bytes"), (0.25, "s"))]
    assert shown == ["16 MiB", "64 KiB", "0.25 s"]


def test_what_can_be_set_for_a_server_is_named_as_guard_yaml_names_it() -> None:
    keys = {bound.key for bounds in BOUNDS.values() for bound in bounds} - {""}
    assert keys == {"timeout", "max_calls"}
    assert keys <= set(ServerForm.model_fields)
