"""Templates into pages. Every text that is put in goes through the one escaping function, and then through Jinja's.

Text of servers, clients and models is data here: nothing of it becomes markup, a link or a style, and no character of
it hides, moves or turns others round.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mcp_guard.escaping import escaped

TEMPLATES = Path(__file__).parent / "templates"


def environment() -> Environment:
    """The one environment of a console."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"when": when, "clock": clock, "span": span}
    return made


def visible(value: Any) -> Any:
    """What is put into a page: text with nothing invisible in it. Markup is made by templates alone."""
    if isinstance(value, Markup):
        return value
    return "" if value is None else escaped(str(value))


def render(templates: Environment, template: str, values: Mapping[str, Any]) -> str:
    """One page."""
    return templates.get_template(template).render(values)


def when(moment: datetime) -> str:
    """Date and time, where the person is."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def clock(moment: datetime) -> str:
    """The time of day, where the person is."""
    return moment.astimezone().strftime("%H:%M:%S")


def span(length: timedelta) -> str:
    """`9 min 05 s`; nothing below zero."""
    seconds = max(0, int(length.total_seconds()))
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds % 60:02} s"
