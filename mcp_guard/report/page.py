"""A report as one HTML file: no script, nothing loaded from anywhere, every text escaped.

Core. A name in a record may be an attacker's; it is read in a browser that trusts the file, so nothing that it says may
become markup. The page forbids itself scripts and everything from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from mcp_guard.report.sections import Section

WIDTH, HEIGHT = 240, 12  # pixels of a bar
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>mcp_guard report</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em; max-width: 1200px; color: #1b1f24; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .2em .9em .2em 0; vertical-align: top; }
th { border-bottom: 1px solid #999; } td { overflow-wrap: anywhere; } .note { color: #555; }
</style></head><body>
"""


def page(headline: str, sections: Iterable[Section]) -> str:
    """The whole file."""
    return "".join((_HEAD, *_body(headline, sections), "</body></html>\n"))


def _body(headline: str, sections: Iterable[Section]) -> Iterator[str]:
    yield f"<h1>What was granted, and what was used</h1>\n<p>{escape(headline)}</p>\n"
    for section in sections:
        yield f"<h2>{escape(section.title)}</h2>\n<table><tr>"
        yield "".join(f"<th>{escape(name)}</th>" for name in section.columns)
        yield "<th>allowed | refused</th></tr>\n" if section.bars else "</tr>\n"
        most = max((sum(bar) for bar in section.bars), default=0)
        for number, row in enumerate(section.rows):
            cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
            drawn = f"<td>{_bar(*section.bars[number], most)}</td>" if section.bars else ""
            yield f"<tr>{cells}{drawn}</tr>\n"
        yield "</table>\n"
        if section.note:
            yield f'<p class="note">{escape(section.note)}</p>\n'


def _bar(allowed: int, refused: int, most: int) -> str:
    """Two lengths side by side; the longest row fills the width."""
    first, second = (round(WIDTH * count / most) if most else 0 for count in (allowed, refused))
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{allowed} allowed, {refused} refused">'
        f'<rect width="{first}" height="{HEIGHT}" fill="#2a7f4f"/>'
        f'<rect x="{first}" width="{second}" height="{HEIGHT}" fill="#b3362d"/></svg>'
    )
