"""What automata (RE2) say of a text before a pattern is asked: whether it could match, in a fraction of the time.

Core. Both are linear in the text, and wrong on one side only: they never rule out what is there. RE2 is imported
when the first text is looked at, so that a guard that scans nothing starts without it.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

_MEMORY = 1 << 20
"""Bytes that one automaton may take, mostly: there are some two hundred, and a text can be made to fill them."""


class Several:
    """Patterns, asked about all at once."""

    def __init__(self, patterns: Iterable[str], memory: int = _MEMORY) -> None:
        self._patterns = tuple(patterns)
        self._memory = memory
        self._set: Any = None

    def possible(self, text: bytes) -> Sequence[int] | None:
        """The numbers of those that match in this text, which is in UTF-8; None where the automaton had no more room
        to tell.
        """
        if self._set is None:
            self._set = _set(self._patterns, self._memory)
        said = self._set.Match(text)
        if said is None or len(self._patterns) not in said:
            return None
        said.remove(len(self._patterns))
        return said  # type: ignore[no-any-return]


class Signs:
    """Literal pieces of text, asked for all at once."""

    def __init__(self, signs: Iterable[str]) -> None:
        self._signs = tuple(signs)
        self._several = Several(map(re.escape, self._signs))

    def present(self, text: str) -> Sequence[str]:
        """Those that `text` has, in the order in which they were given."""
        said = self._several.possible(text.encode("utf-8", "replace"))
        if said is None:
            return [sign for sign in self._signs if sign in text]
        return [self._signs[number] for number in sorted(said)]


def may_match(loose: str, text: bytes) -> bool:
    """False only where the pattern that was loosened can't match in this text, which is in UTF-8."""
    return _automaton(loose).possible(text) != []


@cache
def _automaton(loose: str) -> Several:
    return Several((loose,))


def _set(patterns: Sequence[str], memory: int) -> Any:
    """RE2's set says nothing both when nothing fits and when it has no more room; so the last one fits always.

    It fits at the end of the text alone: what fits everywhere is put down anew at every byte, for three times the work.
    """
    re2 = importlib.import_module("re2")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = memory
    made = re2.Set.SearchSet(options)
    for pattern in (*patterns, r"\z"):
        made.Add(pattern)
    made.Compile()
    return made
