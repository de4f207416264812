"""One look of an automaton at a whole text, for what its form could hide: what isn't there needs no look of its own.

Core. Wrong on one side only, as all automata here are: what it doesn't say is nowhere in the text.
"""

from __future__ import annotations

from typing import NamedTuple

from mcp_guard.inspection.scan.automata import Several
from mcp_guard.inspection.scan.disguised import MUCH_BLANK
from mcp_guard.inspection.scan.encoded import TURNED


class Glance(NamedTuple):
    """What could be in a text."""

    blank: bool = True  # much blank space
    turned: bool = True  # a word that is turned round, or says that something is


_FORMS = Several((MUCH_BLANK, TURNED))


def glance(text: str) -> Glance:
    """What to look for in this text; everything, where the automaton had no more room."""
    said = _FORMS.possible(text.encode("utf-8", "replace"))
    return Glance() if said is None else Glance(0 in said, 1 in said)
