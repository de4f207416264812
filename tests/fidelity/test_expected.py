from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.fidelity.clients import ROUTE as CLIENT_ROUTE
from tests.fidelity.clients import SCENARIOS
from tests.fidelity.expected import FILE, load_expected
from tests.fidelity.routes import ROUTES
from tests.fidelity.servers import REVISIONS

ENTRY = """
allowed:
  - {why: a reason that is long enough, revision: "2025-11-25", routes: [http-stdio], differences: [lost a, lost b]}
"""


def file_with(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "expected.yaml"
    file.write_text(text)
    return file


def test_nothing_but_resuming_a_stream_that_the_tool_closes_is_allowed_for_good() -> None:
    allowed = yaml.safe_load(FILE.read_text())["allowed"]
    checks = {difference.split(":")[1].split("/")[0] for entry in allowed for difference in entry["differences"]}
    assert checks == {"server-sse-disconnect-resume"}


def test_every_entry_is_about_a_run_that_is_made() -> None:
    for entry in load_expected():
        assert entry.revision in REVISIONS
        assert entry.routes <= {*ROUTES, CLIENT_ROUTE}
    assert SCENARIOS.keys() == set(REVISIONS)


def test_an_entry_is_read_whole(tmp_path: Path) -> None:
    (entry,) = load_expected(file_with(tmp_path, ENTRY))
    assert entry.differences == {"lost a", "lost b"}
    assert entry.about("2025-11-25", "http-stdio")


@pytest.mark.parametrize(
    "text",
    [
        ENTRY.replace("why: a reason that is long enough, ", ""),
        ENTRY.replace("a reason that is long enough", "because"),
        ENTRY.replace("[lost a, lost b]", "[]"),
        ENTRY.replace("routes:", "rutes:"),
        ENTRY.replace('"2025-11-25"', "2025-11-25"),  # YAML makes a date of it, which no run would equal
        ENTRY.replace("allowed:", "missing:"),
        ENTRY + "  - " + ENTRY.split("  - ")[1],
    ],
)
def test_a_file_that_could_be_misread_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError):
        load_expected(file_with(tmp_path, text))
