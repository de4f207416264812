"""Characters that a person doesn't see, or that change what a person sees: one table of them.

Core. A model reads every code point; a person, what a screen makes of them. What differs between the two is a place
to hide an instruction. What ordinary writing needs stays: line ends and tabs, the joiners of emoji, of Arabic and of
Indic scripts, a mark of direction beside a right-to-left letter, a flag's tags, one variation selector on its symbol.
Line and paragraph separators (U+2028, U+2029) are line ends, so they aren't in the table.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache

Span = tuple[int, int, "Hidden"]
"""Start, end and kind; `text[start:end]` isn't seen."""


class Hidden(StrEnum):
    """What kind of thing isn't seen, in words for a person."""

    BIDI = "bidi control"  # turns the direction of writing, so what is read isn't what is there
    ZERO_WIDTH = "zero width character"
    TAG = "Unicode tag"  # a shadow of ASCII that no screen shows and models read
    SELECTOR = "variation selector"  # 256 of them: a run is any bytes at all
    CONTROL = "control character"
    SOFT_HYPHEN = "soft hyphen"
    OPERATOR = "invisible operator"
    FILLER = "filler"  # a letter or a mark that is drawn as nothing
    ESCAPE = "terminal escape"


_TABLE = (
    (0x00, 0x08, Hidden.CONTROL),
    (0x0B, 0x1F, Hidden.CONTROL),  # of these, a carriage return in front of a line feed is a line end
    (0x7F, 0x9F, Hidden.CONTROL),
    (0xAD, 0xAD, Hidden.SOFT_HYPHEN),
    (0x34F, 0x34F, Hidden.FILLER),
    (0x61C, 0x61C, Hidden.BIDI),
    (0x115F, 0x1160, Hidden.FILLER),
    (0x17B4, 0x17B5, Hidden.FILLER),
    (0x180B, 0x180D, Hidden.SELECTOR),
    (0x180E, 0x180E, Hidden.ZERO_WIDTH),
    (0x180F, 0x180F, Hidden.SELECTOR),
    (0x200B, 0x200D, Hidden.ZERO_WIDTH),
    (0x200E, 0x200F, Hidden.BIDI),
    (0x202A, 0x202E, Hidden.BIDI),
    (0x2060, 0x2060, Hidden.ZERO_WIDTH),
    (0x2061, 0x2065, Hidden.OPERATOR),
    (0x2066, 0x2069, Hidden.BIDI),
    (0x206A, 0x206F, Hidden.OPERATOR),
    (0x3164, 0x3164, Hidden.FILLER),
    (0xD800, 0xDFFF, Hidden.CONTROL),
    (0xFE00, 0xFE0F, Hidden.SELECTOR),
    (0xFEFF, 0xFEFF, Hidden.ZERO_WIDTH),
    (0xFFA0, 0xFFA0, Hidden.FILLER),
    (0xFFF0, 0xFFFB, Hidden.OPERATOR),
    (0xFFFE, 0xFFFF, Hidden.OPERATOR),
    (0x1BCA0, 0x1BCA3, Hidden.OPERATOR),
    (0x1D173, 0x1D17A, Hidden.OPERATOR),
    (0xE0000, 0xE00FF, Hidden.TAG),
    (0xE0100, 0xE01EF, Hidden.SELECTOR),
    (0xE01F0, 0xE0FFF, Hidden.TAG),
)
_STARTS = [first for first, _, _ in _TABLE]

_CLASS = "".join(f"{chr(first)}-{chr(last)}" for first, last, _ in _TABLE if first != 0x0B) + "\x0b\x0c\x0e-\x1f"
_SUSPECT = re.compile(f"[{_CLASS}]|\r(?!\n)")
_NOT_ASCII = re.compile(f"[{_CLASS}]")  # a single class: three times as quick to look for
_ASCII_CONTROLS = bytes(code for code in [*range(0x20), 0x7F] if chr(code) not in "\t\n\r")

_C1 = "\x90\x98\x9b\x9d\x9e\x9f"  # what begins an escape in one character
# Each stops where the next one begins, so a text of many beginnings without an end costs no more than its length.
_ESCAPE = (
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, the cursor
    f"|(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c{_C1}]*(?:\x07|\x1b\\\\|\x9c)"  # OSC and others, with text
    "|\x1b[ -/]*[0-~]"
)
_FLAGS = "\U0001f3f4(?:{})\U000e007f".format(
    "|".join("".join(chr(0xE0000 + ord(char)) for char in name) for name in ("gbeng", "gbsct", "gbwls"))
)
# What may be needed where it stands: its neighbours say so.
_MAY = "\u061c\u180b-\u180d\u180f\u200c-\u200f\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef"
_PICTURE = "[\U0001f000-\U0001faff\u2190-\u2bff\u3030\u303d\u3297\u3299\xa9\xae\u203c\u2049\u2122\u2139]"
_JOINED = (
    "[\u0600-\u061b\u061d-\u109f\u1780-\u17b3\u17b6-\u180a\u1810-\u18af\u1a20-\u1aaf\u1b00-\u1cff"
    "\ua800-\uabff\ufb50-\ufdff\ufe70-\ufefc]"
)
_PICTURES, _JOINING = re.compile(_PICTURE), re.compile(_JOINED)
_BETWEEN = "\u200c\u200d\u200e\u200f\u061c"
_SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
# The commonest needs, passed over without a look at each: a joiner between letters that join, or between pictures, and
# one selector behind a picture.
_NEEDED = (
    f"(?<={_JOINED})[\u200c\u200d](?={_JOINED})|(?<={_PICTURE})\u200d(?={_PICTURE})"
    f"|(?<={_PICTURE})[\ufe00-\ufe0f](?![{_SELECTORS}])"
)


@lru_cache(maxsize=256)
def _kind(char: str) -> Hidden:
    """What kind of unseen thing it is. Looked up in the few ranges: a table of 6,000 characters is held by nobody."""
    return _TABLE[bisect(_STARTS, ord(char)) - 1][2]


def _runs() -> str:
    """Characters of one kind side by side, in one match; where a single one has to be looked at it isn't in a run."""
    single = sorted([*_spans(_MAY), *_spans(f"\x1b{_C1}\r\U0001f3f4")])
    by_kind: dict[Hidden, str] = {}
    for first, last, kind in _TABLE:
        for start, end in _without(single, first, last):
            by_kind[kind] = f"{by_kind.get(kind, '')}{chr(start)}-{chr(end)}"
    return "|".join(f"[{ranges}]+" for ranges in by_kind.values())


def _spans(inside: str) -> Iterator[tuple[int, int]]:
    """The ranges and characters of what stands between the brackets of an expression."""
    for match in re.finditer("(.)-(.)|(.)", inside, re.DOTALL):
        yield ord(match[1] or match[3]), ord(match[2] or match[3])


def _without(holes: list[tuple[int, int]], first: int, last: int) -> Iterator[tuple[int, int]]:
    for start, end in holes:
        if first <= end and start <= last:
            if first < start:
                yield first, start - 1
            first = end + 1
    if first <= last:
        yield first, last


_PIECE = re.compile(
    f"(?P<escape>{_ESCAPE})|(?P<flag>{_FLAGS})|(?!{_NEEDED})(?:(?P<may>[{_MAY}])|{_runs()}|{_SUSPECT.pattern})"
)
_LOOKED_AT = re.compile(f"[{_MAY}\x1b{_C1}\U000e007f]")
_RUN = re.compile(f"[{_CLASS}]+|\r(?!\n)")


def hidden_spans(text: str) -> list[Span]:
    """All that isn't seen, in order and without overlaps; what stands side by side and is of one kind is one span."""
    if not may_have_hidden(text):
        return []
    spans: list[Span] = []
    for match in _PIECE.finditer(text):
        start, end = match.span()
        which = match.lastgroup
        if which == "flag" or (which == "may" and _is_needed(text, start)):
            continue
        kind = Hidden.ESCAPE if which == "escape" else _kind(text[start])
        if spans and spans[-1][1] == start and spans[-1][2] is kind:
            start = spans.pop()[0]
        spans.append((start, end, kind))
    return spans


def without_hidden(text: str) -> str:
    """The text as a person sees it. Doing it twice changes nothing more."""
    if not may_have_hidden(text):
        return text
    if _LOOKED_AT.search(text) is None:  # nothing in it depends on what is beside it
        return _RUN.sub("", text)
    spans = hidden_spans(text)
    if not spans:
        return text
    ends = [0, *(end for _, end, _ in spans)]
    starts = [*(start for start, _, _ in spans), len(text)]
    return "".join(text[end:start] for end, start in zip(ends, starts, strict=True))


def may_have_hidden(text: str) -> bool:
    """Quick: False only where `hidden_spans` finds nothing."""
    if text.isascii():
        raw = text.encode()
        if len(raw.translate(None, _ASCII_CONTROLS)) != len(raw):
            return True
    elif _NOT_ASCII.search(text) is not None:
        return True
    return "\r" in text and text.count("\r") != text.count("\r\n")


def _is_needed(text: str, at: int) -> bool:
    """Does ordinary writing have this here? Only seen neighbours count, so taking others out changes nothing."""
    char, before, after = text[at], text[at - 1 : at], text[at + 1 : at + 2]
    if char == "\ufeff":
        return at == 0  # a byte order mark
    if _is_selector(char):
        return _is_selected(before, char, after)
    if char == "\u200d" and _PICTURES.match(after):
        return _PICTURES.match(text[at - 2 : at - 1] if before == "\ufe0f" else before) is not None
    beside = [one for one in (before, after) if one]
    if char not in _BETWEEN or any(map(_SUSPECT.match, beside)):
        return False
    if char in "\u200c\u200d":
        return len(beside) == 2 and all(map(_JOINING.match, beside))
    return any(map(_is_right_to_left, beside))


def _is_selected(before: str, char: str, after: str) -> bool:
    """One variation selector after a sign that has variants. After a letter of Latin it would be a hidden byte."""
    if not before or _SUSPECT.match(before) or (after and _is_selector(after)):
        return False
    if before in "0123456789#*":
        return char == "\ufe0f" and after == "\u20e3"  # a key of a telephone
    if not "\ufe00" <= char <= "\ufe0f":
        return unicodedata.category(before) == "Lo"
    return unicodedata.category(before) in ("Lo", "So", "Sm", "Sk") or _PICTURES.match(before) is not None


def _is_selector(char: str) -> bool:
    """One of `_SELECTORS`."""
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef" or char in "\u180b\u180c\u180d\u180f"


def _is_right_to_left(char: str) -> bool:
    return unicodedata.bidirectional(char) in ("R", "AL")
