"""The report: its template's places are all filled, and its tables say what was counted."""

from __future__ import annotations

import pytest

from benchmarks.alignment import markdown, report
from benchmarks.alignment.causes import Shortfall


def test_every_place_of_the_template_is_filled_and_an_unknown_one_is_an_error() -> None:
    template = (report.HERE / "template.md").read_text()
    names = {place[1] for place in report.PLACE.finditer(template)}
    assert {"summary", "ours", "beside", "outside", "needs", "open", "procedure", "versions"} <= names
    text = report.filled(template, dict.fromkeys(names, "filled"))
    assert "<!--" not in text and text.count("\nfilled\n") == len(names)
    with pytest.raises(KeyError):
        report.filled(template, {})


def test_a_bar_in_a_cause_does_not_break_the_table() -> None:
    shown = markdown.shortfalls([Shortfall("a/b", "deny x", "text that `a|b` matches")], "none")
    assert shown.splitlines()[-1] == "| a/b | deny x | text that `a\\|b` matches |"
    assert markdown.shortfalls([], "none") == "none"
