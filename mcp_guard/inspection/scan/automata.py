"""What automata (RE2) say of a text before a pattern is asked: whether it could match, in a fraction of the time.

Core. Both are linear in the text, and wrong on one side only: they never rule out what is there. RE2 is imported
when the first text is looked at, so that a guard that scans nothing starts without it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

_MEMORY = 1 << 20
"""Bytes that one automaton may take: there are some two hundred, and a text can be made to fill them."""


class Signs:
    """Literal pieces of text, asked for all at once."""

    def __init__(self, signs: Iterable[str]) -> None:
        self._signs = tuple(signs)
        self._set: Any = None

    def present(self, text: str) -> Sequence[str]:
        """Those that `text` has, in the order in which they were given."""
        if self._set is None:
            self._set = _set(self._signs, literal=True)
        said = self._set.Match(text.encode("utf-8", "replace")) or ()
        always = len(self._signs)
        if always not in said:
            return [sign for sign in self._signs if sign in text]
        return [self._signs[number] for number in sorted(said) if number != always]


def may_match(loose: str, text: bytes) -> bool:
    """False only where the pattern that was loosened can't match in this text, which is in UTF-8."""
    said = _automaton(loose).Match(text)
    return said is None or len(said) != 1 or said[0] == 0


@cache
def _automaton(loose: str) -> Any:
    return _set((loose,), literal=False)


def _set(patterns: Sequence[str], *, literal: bool) -> Any:
    """RE2's set says nothing both when nothing fits and when it has no more room; so the last one fits always."""
    re2 = importlib.import_module("re2")
    options = re2.Options()
    options.literal = literal
    options.log_errors = False
    options.max_mem = _MEMORY
    made = re2.Set.SearchSet(options)
    for pattern in (*patterns, ""):
        made.Add(pattern)
    made.Compile()
    return made
