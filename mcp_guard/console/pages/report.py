"""Report: what was granted against what was used, what was refused and its likely cause, what a person was asked."""

from __future__ import annotations

from mcp_guard.console.pages.log import SPANS
from mcp_guard.console.room import Asked, Page, Room, now
from mcp_guard.errors import InputError
from mcp_guard.record.events import events
from mcp_guard.record.query import Filter
from mcp_guard.report.making import make
from mcp_guard.report.sections import Section, headline, sections

MOST = 20_000
"""Entries of one page, the newest ones: reading so many takes about a second. `mcp-guard report` reads all."""
USUAL = "7d"
WIDTH = 240  # of a bar, in the units of its drawing


def show(room: Room, asked: Asked) -> Page:
    """The report over a span."""
    since = asked.query.get("since", USUAL)
    if since not in SPANS:
        raise InputError(f"`{since}` is no span; it is one of {', '.join(SPANS)}")
    values = {"spans": SPANS, "since": since, "cut": 0}
    with room.record() as query:
        if query is None:
            return Page("report.html", values | {"headline": "Nothing is recorded yet.", "tables": []})
        rows = list(query.entries(Filter(since=now() - SPANS[since], limit=MOST)))
    report = make(events(rows))
    tables = [(one, _bars(one)) for one in sections(report)]
    cut = MOST if len(rows) == MOST else 0
    return Page("report.html", values | {"headline": headline(report), "tables": tables, "cut": cut})


def _bars(section: Section) -> list[tuple[int, int]]:
    """By row: how long allowed and refused are drawn; the longest row fills the width."""
    most = max((sum(bar) for bar in section.bars), default=0) or 1
    return [(round(WIDTH * allowed / most), round(WIDTH * refused / most)) for allowed, refused in section.bars]
