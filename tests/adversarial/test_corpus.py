"""Every case of the corpus is what it says: its attack is stopped, or gets through with a reason; its twin passes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mcp_guard.record.verify import verify
from tests.adversarial.classes import CLASSES
from tests.adversarial.corpus import Case
from tests.adversarial.playing import Stage, stage
from tests.adversarial.table import said, table, through
from tests.guards import REPOSITORY

CASES = [(kind.name, case) for kind in CLASSES for case in kind.filled()]
STOPPED = [pytest.param(case, id=f"{kind}: {case.name}") for kind, case in CASES if not case.through]
THROUGH = [pytest.param(case, id=f"{kind}: {case.name}") for kind, case in CASES if case.through]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("corpus")
    with stage(directory) as made:
        yield made
    assert verify(directory / "state") == []


@pytest.mark.parametrize("case", STOPPED)
async def test_an_attack_is_stopped_at_its_harm_and_its_benign_twin_passes(place: Stage, case: Case) -> None:
    played = await place.play(case)
    assert played.led_up, "a call that leads up to the harm was refused, so that the harm was never tried"
    assert not played.harmed
    assert played.passed


@pytest.mark.parametrize("case", THROUGH)
async def test_an_attack_that_is_listed_as_getting_through_does(place: Stage, case: Case) -> None:
    played = await place.play(case)
    assert played.led_up and played.passed
    assert played.harmed, "it is stopped by now: take it out of the list of what gets through"


def test_the_corpus_has_two_hundred_cases_in_fifteen_classes_and_each_case_once() -> None:
    assert len(CASES) >= 200 and len(CLASSES) >= 15
    assert all(len(kind.cases) >= 10 for kind in CLASSES)
    assert len({(kind, case.name) for kind, case in CASES}) == len(CASES)


@pytest.mark.parametrize("file", ["docs/alignment.md", "benchmarks/alignment/template.md"])
def test_the_report_has_the_table_and_every_attack_that_gets_through(file: str) -> None:
    text = (REPOSITORY / file).read_text()
    rows = [said(kind) for kind in CLASSES]
    assert table(rows) in text
    assert through(rows) in text
