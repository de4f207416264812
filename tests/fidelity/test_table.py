"""Every feature of the protocol has a test in each era, or a reason; and docs/fidelity.md says the same."""

from __future__ import annotations

import pytest

from tests.faults.test_table import names_in
from tests.fidelity.table import DOCUMENT, ERAS, Row, rendered, rows


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.feature[:40])
def test_a_feature_has_in_each_era_tests_that_exist_or_a_reason(row: Row) -> None:
    for era in ERAS:
        assert row.tests.get(era) or len(row.why.get(era, "")) >= len("the era has none"), era
    named = [test for tests in row.tests.values() for test in tests]
    assert named
    assert [name for path, name in named if name not in names_in(path)] == []


def test_the_document_has_the_table_as_it_is() -> None:
    assert rendered(DOCUMENT.read_text()) == DOCUMENT.read_text(), "run `python -m tests.fidelity.table`"
