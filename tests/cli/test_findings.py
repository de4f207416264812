"""What `check` says of a finding."""

from __future__ import annotations

from mcp_guard.cli.findings import Scanned
from mcp_guard.inspection.scan import Finding, Severity
from mcp_guard.inspection.scan.settings import Act

FINDING = Finding("hides-from-user", Severity.SEVERE, "It hides.", (3, 9), "description")


def test_a_withheld_thing_is_said_with_the_way_on_and_a_shown_one_without() -> None:
    withheld = Scanned("cities", FINDING, Act.WITHHOLD, "web/cities@0123456789abcdef")
    assert "hides-from-user in description (severe): It hides. withheld" in withheld.words
    assert "inspect: {looked_at: ['web/cities@0123456789abcdef']}" in withheld.words
    assert "looked_at" not in Scanned("cities", FINDING, Act.MARK, "web/cities@0123456789abcdef").words


def test_for_programs_a_finding_has_its_rule_place_and_span() -> None:
    told = Scanned("cities", FINDING, Act.MARK, "k").to_dict()
    assert (told["rule"], told["where"], told["span"], told["act"]) == (
        "hides-from-user",
        "description",
        [3, 9],
        "mark",
    )
