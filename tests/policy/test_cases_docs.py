"""docs/testing.md: its files load and pass, and it names every key and every reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from mcp_guard.cli.case_files import Pair
from mcp_guard.policy.cases_form import REASONS, CaseFileForm, CaseForm, StepForm
from mcp_guard.policy.cases_run import play, problems

DOCUMENT = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```yaml (\S+)\n(.*?)^```$", DOCUMENT, flags=re.MULTILINE | re.DOTALL))
TABLE = "\n".join(line for line in DOCUMENT.splitlines() if line.startswith("|"))


def test_the_cases_of_the_document_pass(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    suite = Pair(tmp_path / "project.cases.yaml", tmp_path / "project.yaml").suite()
    assert len(suite.cases) >= 12
    assert [problems(play(suite, case)) for case in suite.cases if not play(suite, case).passed] == []


@pytest.mark.parametrize("form", [CaseFileForm, CaseForm, StepForm])
def test_every_key_is_explained_and_shown(form: type[BaseModel]) -> None:
    keys = set(form.model_fields) - {"cases"}
    assert {key for key in keys if f"`{key}`" not in TABLE} == set()
    assert {key for key in keys - {"result"} if f"{key}:" not in FILES["project.cases.yaml"]} == set()


def test_every_reason_that_a_case_can_expect_is_named() -> None:
    reasons = {str(reason) for found in REASONS.values() for reason in found}
    assert {reason for reason in reasons if f"`{reason}`" not in TABLE} == set()
