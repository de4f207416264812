"""Which addresses, URLs and accounts a free text holds, for whoever reads it: a mail client makes a link of `evil.com`.

Core. The opposite of `units_within`: what might be an address has to be one, in one plain spelling, or nobody knows
where it comes from. It can't see what a person would have to spell out (`evil dot com`).
"""

from __future__ import annotations

import html
import re
from urllib.parse import unquote

from mcp_guard.history.units import ID, STRONG, accounts_in, unit_of
from mcp_guard.model import Unit
from mcp_guard.policy.canonical import flattened, parse_host

MAX_TEXT = 100_000  # characters of a text that is looked through
MAX_FOUND = 500  # addresses that are looked up for one text

_FILES = frozenset(
    re.findall(
        r"\w+",
        "pdf txt doc docx xls xlsx ppt pptx csv json yaml yml xml html htm png jpg jpeg gif svg log sql toml "
        "ini cfg bak tar gz mp3 mp4 wav js ts jsx tsx css java cpp odt ods",
    )
)  # endings of file names that are no top-level domain
_LINK = re.compile(
    r"[^\s<>\"'`(){}\[\]|]*(?::(?:/|\\){2}|(?<![\w.])(?:/|\\){2}(?=\w)|(?:mailto|javascript|data):|\bwww\.)[^\s<>\"`{}|]*",
    re.I,
)
_AT = re.compile(r"[^\s<>\"`(){}\[\]|,;:]+@[^\s<>\"`(){}\[\]|,;:]+")
_DOTTED = re.compile(r"\w[\w-]*(?:[.\u3002\uff0e\uff61][\w-]+)+")
_PHONE = re.compile(r"\+[0-9][0-9 ()./-]{5,24}[0-9]")
_ENDS = ".,;:!?)*_'"


def addresses_in(text: str) -> frozenset[Unit] | None:
    """Every address, URL, host, account and phone number in a text; None if one of them can't be read for certain."""
    if len(text) > MAX_TEXT:
        return None
    found, unclear = _found(text)
    if unclear:
        return None
    plain = flattened(html.unescape(unquote(unquote(text))))
    if plain != text:  # somebody may read the text so, and find more in it
        again, unclear = _found(plain)
        if unclear or again - found:
            return None
    return frozenset(found) if len(found) <= MAX_FOUND else None


def _found(text: str) -> tuple[set[Unit], bool]:
    found: set[Unit] = set()
    rest = text
    for start, end in accounts_in(text):
        unit = unit_of(text[start:end])
        if unit is None or unit.kind not in STRONG:
            return found, True
        found.add(unit)
    for pattern in (_LINK, _AT, _PHONE, _DOTTED):
        left: list[str] = []
        end = 0
        for match in pattern.finditer(rest):
            unit = _read(pattern, match[0])
            if unit is None:
                return found, True
            if unit is not _NOTHING:
                found.add(unit)
                left.append(rest[end : match.start()])
                end = match.end()
        rest = " ".join([*left, rest[end:]])
    return found, False


_NOTHING = Unit("", "")


def _read(pattern: re.Pattern[str], text: str) -> Unit | None:
    """The unit that a suspect is; `_NOTHING` if it is none; None if that isn't clear."""
    if pattern is _DOTTED:
        return _dotted(text)
    unit = unit_of(text.rstrip(_ENDS))
    return unit if unit is not None and unit.kind in STRONG else None


def _dotted(text: str) -> Unit | None:
    """A bare host, unless it is clearly a number, an abbreviation or the name of a file."""
    parts = re.split(r"[.\u3002\uff0e\uff61]", text)
    last = parts[-1].lower()
    numbers = all(part.isdigit() for part in parts)
    if numbers and len(parts) != 4:
        return _NOTHING  # a price, a version, a date
    if not numbers and (len(last) < 2 or last in _FILES or not last[0].isalpha()):
        return _NOTHING
    host = parse_host(text)
    return Unit(ID, host) if isinstance(host, str) else None
