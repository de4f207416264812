"""The benchmark of the console's log: it asks for real pages, each of which has entries."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.progress import Progress

from benchmarks import console
from benchmarks.record import fill


def test_every_kind_of_page_is_measured_and_the_slowest_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "TIMES", 1)
    with Progress(disable=True) as progress:
        fill(tmp_path / "state", 200, progress)
    figures = console.measure(tmp_path / "state", 200)
    medians = [figure for name, figure in figures.items() if name.endswith("p50, ms")]
    assert len(medians) == len(console.pages(200))
    assert figures[console.WORST] == max(medians)
