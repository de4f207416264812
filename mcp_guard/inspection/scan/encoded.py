"""Texts in an encoding that a model undoes and a person doesn't: base64, hexadecimal, escapes, characters as numbers,
ROT13, letters backwards.

Core. What is encoded is decoded once and asked about like any other text. Only what was decoded and speaks is a
finding: an example of a picture's bytes isn't.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import unquote

from mcp_guard.inspection.scan.finding import Severity
from mcp_guard.inspection.scan.matching import Rule, words
from mcp_guard.inspection.secrets import expression, plain

SHORTEST = 16
"""Characters of an encoded run that are worth decoding: below that no demand fits in."""
LONGEST = 65_536
"""Characters of one run that are decoded."""

DEMAND = Rule(
    "encoded-demand", Severity.SEVERE, "It has a demand on the model in an encoding that a person doesn't read."
)
PROSE_INSIDE = Rule(
    "encoded-prose", Severity.SEVERE, "It has a sentence in an encoding: a description has no reason to hide one."
)
DECODE_AND_OBEY = words(
    "decode-and-obey",
    Severity.SEVERE,
    "It has the model decode something and do what that says.",
    r"\b(?:decode|reverse|decrypt)\b[^\n]{0,60}?\b(?:obey|follow|act on|do (?:what|as)|execute|run)\b",
    r"\bbase64 (?:-d|--decode|below)\b[^\n]{0,40}?\b(?:sh|bash|shell)\b",
    r"\bbase64\b[^\n]{0,40}?\bthrough a shell\b",
    r"\beval\s*\(\s*atob\(",
    r"\bdecode\b[^\n]{0,24}?\brot13\b",
    r"\bdecode it and follow\b",
    in_results=Severity.MINOR,
)
RULES = (DEMAND, PROSE_INSIDE, DECODE_AND_OBEY)

_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){8,}")
_ESCAPES = re.compile(r"(?:\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}){6,}")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2}){6,}")
_ENTITIES = re.compile(r"(?:&#(?:\d{2,5}|x[0-9a-fA-F]{2,4});[ ]?){6,}")
_NUMBERS = r"[01]{7,8}(?:[ ,]+[01]{7,8}){7,}|\b1?[0-9]{2}(?:[ ,]+1?[0-9]{2}){9,}\b"
_SPOKEN_WORDS = ("instruction", "ignore", "previous", "assistant")
_BACKWARDS = ("reverse", "backward", *(word[::-1] for word in _SPOKEN_WORDS))
_IN_ROT13 = ("rot13", "rot-13", *(codecs.encode(word, "rot13") for word in _SPOKEN_WORDS))
_TURNED_WORDS = (*_BACKWARDS, *_IN_ROT13)
TURNED = f"(?i){'|'.join(_TURNED_WORDS)}"
"""For an automaton: what `turned_round` looks for."""
_LONG = 2000
RUNS = f"[A-Za-z0-9+/_=-]{{{SHORTEST},}}|{_NUMBERS}"
"""For an automaton: what may be base64, hexadecimal or numbers."""
_READABLE = re.compile(r"[\w\s.,;:!?'\"()/~@$%&*#<>={}\[\]`|+\\^-]+")
_SPOKEN = re.compile(r"[a-z']{2,}(?:[\s,.:;~/]+[a-z'./_]{2,})+", re.IGNORECASE)


def decoded(text: str, may_have_runs: bool = True) -> Iterator[tuple[str, int, int]]:
    """Readable texts that encoded runs of `text` hold, each with its span. `may_have_runs`: an automaton finds `RUNS`
    in it.
    """
    if may_have_runs:
        yield from _long_words(text)
    if "\\" in text and ("\\x" in text or "\\u" in text):  # one character is looked for ten times as quickly as two
        for run in _ESCAPES.finditer(text):
            yield from _readable(_unescaped(run[0][:LONGEST]), *run.span())
    if "%" in text:
        for run in _PERCENT.finditer(text):
            yield from _readable(unquote(run[0][:LONGEST]), *run.span())
    if "&" in text and "&#" in text:
        for run in _ENTITIES.finditer(text):
            yield from _readable(html.unescape(run[0][:LONGEST]), *run.span())


def turned_round(text: str, may_be: bool = True) -> Iterator[str]:
    """The whole text as ROT13 and backwards, where it says that it is to be undone, or has a rules' word so.

    `may_be`: an automaton finds `TURNED` in it. That and Python don't agree on small letters beyond ASCII, so of a
    short text with some it isn't taken at its word.
    """
    if not may_be and (len(text) > _LONG or text.isascii()):
        return
    lowered = text.lower()
    for word in _TURNED_WORDS:  # mostly there is none of them, and `any` over a generator takes three times as long
        if word in lowered:
            break
    else:
        return
    if any(word in lowered for word in _IN_ROT13):
        yield codecs.decode(text, "rot13")
    if any(word in lowered for word in _BACKWARDS):
        yield text[::-1]


def _counted(run: str) -> str | None:
    """Numbers in base 2 or 10 as the characters that they stand for; None if that isn't two words in a row."""
    pieces = run.replace(",", " ").split()
    base = 2 if all(len(piece) >= 7 for piece in pieces) else 10
    text = "".join(chr(int(piece, base)) for piece in pieces if int(piece, base) < 0x80)
    return text if is_prose(text) and _READABLE.fullmatch(text) is not None else None


def is_prose(text: str) -> bool:
    """At least two words in a row."""
    return _SPOKEN.search(text) is not None


def _long_words(text: str) -> Iterator[tuple[str, int, int]]:
    """Runs of base64, of hexadecimal and of numbers. The quick way past all others: few texts have such runs."""
    if len(text) < SHORTEST:
        return
    for word in _runs().finditer(plain(text)):
        run, at = word[0], word.start()
        inside = _counted(run[:LONGEST]) if " " in run or "," in run else _undone(run[:LONGEST])
        if inside is not None:
            yield inside, at, at + len(run)


@cache
def _runs() -> Any:
    return expression(RUNS)


def _undone(run: str) -> str | None:
    if _HEX.fullmatch(run):
        return _as_text(bytes.fromhex(run))
    if (
        run.islower() or run.isdigit() or "=" in run.rstrip("=")
    ):  # an identifier, a number, a query: never base64 of words
        return None
    core = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return _as_text(base64.b64decode(core + "=" * (-len(core) % 4), validate=True))
    except (binascii.Error, ValueError):
        return None


def _as_text(raw: bytes) -> str | None:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if len(text) >= 6 and _READABLE.fullmatch(text) is not None else None


def _unescaped(run: str) -> str:
    return "".join(chr(int(part[1:], 16)) for part in run.split("\\") if part)


def _readable(text: str, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    if _READABLE.fullmatch(text) is not None:
        yield text, start, end
