"""What automata see at one glance of a whole text: what its form could hide. What isn't there needs no look of its own.

Core. Wrong on one side only, as all automata here are: what they don't say is nowhere in the text. They are two since
one for all of it would have more states than room.
"""

from __future__ import annotations

from typing import NamedTuple

from mcp_guard.inspection.scan.automata import Several
from mcp_guard.inspection.scan.disguised import APART, MUCH_BLANK
from mcp_guard.inspection.scan.encoded import RUNS, TURNED


class Glance(NamedTuple):
    """What could be in a text."""

    blank: bool = True  # much blank space
    turned: bool = True  # a word that is turned round, or says that something is
    apart: bool = True  # a demand whose letters are set apart
    runs: bool = True  # a long word, or many numbers in a row


_NOTHING = Glance(blank=False, turned=False, apart=False, runs=False)
_BOTH = (0, 1)
_FORMS, _RUNS = Several((MUCH_BLANK, TURNED)), Several((APART, RUNS))


def glance(text: str, folded: str, *, is_plain: bool) -> Glance:
    """What to look for in this text; everything, where an automaton had no more room. `is_plain`: it is folded by
    taking small letters alone, which makes and unmakes no run.
    """
    forms = _FORMS.possible(text.encode("utf-8", "replace"))
    runs = _RUNS.possible(folded.encode("utf-8", "replace")) if is_plain else _BOTH
    forms, runs = _BOTH if forms is None else forms, _BOTH if runs is None else runs
    return Glance(0 in forms, 1 in forms, 0 in runs, 1 in runs) if forms or runs else _NOTHING
