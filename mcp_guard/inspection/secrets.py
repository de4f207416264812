"""Where the secrets are in a text.

Core. One pass of an automaton (RE2) over all expressions says whether there is any; only then each that matched looks
for its places. Linear in the text, whatever an attacker sends.
"""

from __future__ import annotations

import importlib
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from mcp_guard.inspection.characters import hidden_spans, may_have_hidden, without_hidden
from mcp_guard.inspection.detectors import known

Found = tuple[int, int, str]
"""Start, end and kind of one secret."""
_MEMORY = 64 << 20
"""Bytes that the automaton of all expressions may take; it is built as texts need it, and stays far below."""
_EDGES = " \t\r\n\"'=:"  # what an expression takes with it to see where a secret begins or ends
_WITH_A_DIGIT = {"artifactory credentials"}  # else words in capitals are taken for some


def expression(pattern: str) -> Any:
    """`pattern`, compiled; ValueError if RE2 doesn't take it."""
    re2 = importlib.import_module("re2")
    try:
        return re2.compile(f"(?m){pattern}", _options(re2))
    except re2.error as error:
        raise ValueError("not an expression that can be matched in linear time") from error


def _options(re2: Any) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    return options


class Finder:
    """Finds secrets of the known kinds, and what the user's own expressions say is one."""

    def __init__(self, own: tuple[tuple[str, str], ...], *, also_known: bool) -> None:
        re2 = importlib.import_module("re2")
        named = [*own, *(known() if also_known else ())]
        self._each = [(name, expression(pattern)) for name, pattern in named]
        self._any = re2.Set.SearchSet(_options(re2))
        for _, pattern in named:
            self._any.Add(f"(?m){pattern}")
        self._always = self._any.Add("")
        self._any.Compile()

    def suspects(self, text: str) -> bool:
        """Could there be one? Quick, and False only where `find` finds none."""
        if self._matching(plain(text)):
            return True
        return may_have_hidden(text) and bool(self._matching(plain(without_hidden(text))))

    def find(self, text: str) -> list[Found]:
        """All of them, in order, without overlaps. Looks through characters that a person doesn't see."""
        found = self._places(plain(text))
        if may_have_hidden(text) and (more := self._places(plain(without_hidden(text)))):
            place = _places_in(text)
            found += [(place(start), place(end - 1) + 1, kind) for start, end, kind in more]
        return merged(found)

    def _matching(self, text: str) -> list[tuple[str, Any]]:
        said = self._any.Match(text) or ()
        if self._always not in said:  # the automaton had no more room; it says so no other way
            return [(name, each) for name, each in self._each if each.search(text)]
        return [self._each[number] for number in said if number != self._always]

    def _places(self, text: str) -> list[Found]:
        found: list[Found] = []
        for name, each in self._matching(text):
            for match in each.finditer(text):
                start, end = match.span(1) if name == "password in a url" else match.span()
                while start < end and text[start] in _EDGES:
                    start += 1
                while start < end and text[end - 1] in _EDGES:
                    end -= 1
                wanting = name in _WITH_A_DIGIT and not any(map(str.isdigit, text[start:end]))
                if start < end and not wanting:
                    found.append((start, end, name))
        return found


@lru_cache(maxsize=64)
def finder(own: tuple[tuple[str, str], ...]) -> Finder:
    """The finder for the known kinds and these expressions; made once."""
    return Finder(own, also_known=True)


def plain(text: str) -> str:
    """RE2 reads UTF-8, which has no lone surrogates; places stay where they are."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _places_in(text: str) -> Callable[[int], int]:
    """Where a character of `without_hidden(text)` stands in `text`."""
    begins, shifts, hidden = [0], [0], 0
    for start, end, _ in hidden_spans(text):
        hidden += end - start
        begins.append(end - hidden)
        shifts.append(hidden)
    return lambda at: at + shifts[bisect_right(begins, at) - 1]


def merged(found: list[Found]) -> list[Found]:
    """In order, and what overlaps as one: the kind of what begins first counts."""
    merged: list[Found] = []
    for start, end, kind in sorted(found, key=lambda one: (one[0], -one[1])):
        if merged and start < merged[-1][1]:
            first, last, name = merged[-1]
            merged[-1] = (first, max(last, end), name)
        else:
            merged.append((start, end, kind))
    return merged
