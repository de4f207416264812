"""Which of some pieces of text a text has: one pass of an automaton (RE2) instead of one search for each.

Core. The automaton is made when the first text is looked at, so that a guard that scans nothing starts without it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from typing import Any

_MEMORY = 8 << 20
"""Bytes that the automaton may take; a text can make it pass through few more states than there are signs."""


class Signs:
    """Literal pieces of text, asked for all at once."""

    def __init__(self, signs: Iterable[str]) -> None:
        self._signs = tuple(signs)
        self._set: Any = None
        self._always = -1

    def present(self, text: str) -> Sequence[str]:
        """Those that `text` has, in the order in which they were given. Linear in the text."""
        if self._set is None:
            self._make()
        said = self._set.Match(text.encode("utf-8", "replace")) or ()
        if self._always not in said:  # no more room: the set says so no other way (docs/decisions/results.md)
            return [sign for sign in self._signs if sign in text]
        return [self._signs[number] for number in sorted(said) if number != self._always]

    def _make(self) -> None:
        re2 = importlib.import_module("re2")
        options = re2.Options()
        options.literal = True
        options.log_errors = False
        options.max_mem = _MEMORY
        made = re2.Set.SearchSet(options)
        for sign in self._signs:
            made.Add(sign)
        self._always = made.Add("")
        made.Compile()
        self._set = made
