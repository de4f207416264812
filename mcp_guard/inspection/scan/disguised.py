"""Demands that are written so that a program that looks for them, or a person, misses them.

Core. Letters set apart or swapped, scripts mixed in a word, text behind blank space or in markup that isn't shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mcp_guard.inspection.scan.automata import may_match
from mcp_guard.inspection.scan.finding import Place, Severity
from mcp_guard.inspection.scan.folding import letters, mixes_scripts, unleeted
from mcp_guard.inspection.scan.matching import Rule, words

SET_APART = Rule(
    "letters-set-apart",
    Severity.SEVERE,
    "It has a demand on the model whose letters are set apart or swapped for digits.",
)
MIXED_SCRIPTS = Rule(
    "mixed-scripts",
    Severity.SEVERE,
    "A word of it mixes Latin and Cyrillic letters that look alike.",
    result_severity=Severity.MINOR,
)
BEHIND_SPACE = Rule(
    "behind-blank-space",
    Severity.SEVERE,
    "It goes on behind blank space, where a person doesn't look.",
    result_severity=Severity.MINOR,
)
_MODEL = r"(?:assistant|\bai\b|\bllm\b|\bmodel\b|\bagent\b|system|ignore|\buser\b|instruction|\bcall\b)"
HIDDEN_MARKUP = words(
    "hidden-markup",
    Severity.SEVERE,
    "It has text in markup that isn't shown: a comment, or a style that hides it.",
    rf"<!--(?:(?!-->).){{0,200}}?{_MODEL}",
    (
        r"(?:display\s*:\s*none|font-size\s*:\s*0|color\s*:\s*white|visibility\s*:\s*hidden|"
        r"opacity\s*:\s*0(?![.\d]))[^>]{0,40}>\s*[a-z]"
    ),
    r"<(?:p|div|span) hidden>\s*[a-z]",
    rf"\[(?://|comment)\]:\s*(?:#|<>)\s*\([^)]{{0,80}}?{_MODEL}",
    r"/\*[^*]{0,40}?(?:assistant|\bai\b|\bllm\b)\s*:",
    in_results=Severity.MINOR,
)
RULES = (SET_APART, MIXED_SCRIPTS, BEHIND_SPACE, HIDDEN_MARKUP)

_PHRASES = ("instruct", "tellthe", "theuser", "systemprompt")
_APART = re.compile(
    r"(?:ignore|disregard|forget|override)(?:a[il]{2})?(?:of)?(?:the|your|my)?(?:previous|prior|earlier|above|existing|system)(?:instruct|systemprompt|guide)"
    r"|(?:ignore|disregard|forget|override)a[il]{2}instruct|(?:donot|dont|never)te[il]{2}(?:the)?user|(?:donot|dont|never)mentionthistotheuser"
    r"|ignorethesystemprompt"
)
_LOOKS_LIKE = {"o": "0", "i": "1!", "e": "3", "a": "4@", "s": "5$", "t": "7", "l": "|", "[il]": "il1!|"}
APART = re.sub(
    r"\[il\]|[a-z]",
    lambda letter: f"(?:[{letter[0].strip('[]')}{_LOOKS_LIKE.get(letter[0], '')}][^a-z]*)",
    _APART.pattern,
)
"""The same with each letter as it can be swapped, and whatever can set it apart behind it: for an automaton."""
_BLANK = re.compile(r"[ \t\u00a0]{120,}(?=\S)|(?:[ \t]*\n){24,}[ \t]*(?=\S)")
MUCH_BLANK = r"[ \t\x{a0}]{120}|(?:[ \t]*\n){24}"
"""For an automaton: wherever there is text behind blank space, this is in front of it."""
_SHORTEST = 24
_APPENDED = 400


def set_apart(folded: str) -> bool:
    """Does it say, letter for letter, what the plain rules look for, but not in plain words?"""
    if not may_match(APART, folded.encode("utf-8", "replace")):
        return False
    return any(
        any(phrase in plain for phrase in _PHRASES) and _APART.search(plain) is not None
        for plain in (letters(folded), unleeted(folded))
    )


def found(text: str, place: Place, may_be_blank: bool = True) -> Iterator[tuple[Rule, Severity, int, int]]:
    """What the form of a text gives away; what is in its words is in the table.

    `may_be_blank`: an automaton finds `MUCH_BLANK` in it.
    """
    mixed = mixes_scripts(text)
    if mixed is not None:
        yield MIXED_SCRIPTS, MIXED_SCRIPTS.severity_in(place), *mixed.span()
    if may_be_blank and len(text) > _SHORTEST:
        blank = _BLANK.search(text)
        if blank is not None:
            yield BEHIND_SPACE, BEHIND_SPACE.severity_in(place), blank.end(), min(len(text), blank.end() + _APPENDED)
