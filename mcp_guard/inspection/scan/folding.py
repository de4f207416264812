"""Texts as a model takes them: without letter case, accents, look-alikes, hidden characters and letters set apart.

Core. Rules are written once, in plain small letters, and asked about the folded text. A folded text has other
places than the original one; where something was found is asked for only then, and costs a second pass.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from mcp_guard.inspection.characters import hidden_spans, may_have_hidden, without_hidden
from mcp_guard.marks import without_long_marks

_BEYOND = re.compile("[^\x00-\x7f]+")
_MARKS = re.compile("[\u0300-\u036f]")
_CYRILLIC = str.maketrans("авсеԁһіјӏкԛмопрѕтухѵѡԝгніⅼ", "abcedhijlkqmonpstyxvwwrhil")
_GREEK = str.maketrans("αβεικνορτυχωγη", "abeikvoptuxwyn")
_LATIN = str.maketrans(  # dotless and script letters, and small capitals
    "ıȷɑɡɢɪɴʀʏʙʜʟᴀᴄᴅᴇᴊᴋᴍᴎᴏᴘᴛᴜᴠᴡᴢꜰꜱꞯ", "ijagginrybhlacdejkmnoptuvwzfsq"
)
_LATIN_LETTER = re.compile("[\u0131\u0237\u0251-\u029f\u1d00-\u1d22\ua730-\ua731\ua7af]")
_MIXED = re.compile("[a-z][\u0430-\u045f\u0501-\u051d]|[\u0430-\u045f\u0501-\u051d][a-z]")
_CYRILLIC_LETTER = re.compile("[\u0430-\u045f\u0501-\u051d]")
_GREEK_LETTER = re.compile("[\u03b1-\u03c9]")
_MIXED_GREEK = re.compile("[a-z]{2}[\u03b1-\u03c9]|[\u03b1-\u03c9][a-z]{2}")
_LEET = bytes.maketrans(b"013457@$!|", b"oieastasil")
_NO_LETTERS = bytes(code for code in range(256) if not 97 <= code <= 122)
_CHUNK = 64
"""Original characters that are folded together when a place is looked for: a letter and its marks stay together."""


def fold(text: str) -> str:
    """The text in small plain letters, as the rules are written."""
    if text.isascii():
        return (without_hidden(text) if may_have_hidden(text) else text).lower()
    plain = without_long_marks(without_hidden(text))
    plain = unicodedata.normalize("NFKD", plain).casefold()
    odd = _others(plain)
    if _MARKS.search(odd) is not None:
        plain = _MARKS.sub("", plain)
    plain = unicodedata.normalize("NFC", plain)
    if _LATIN_LETTER.search(odd) is not None:
        plain = plain.translate(_LATIN)
    if _CYRILLIC_LETTER.search(odd) is not None and _MIXED.search(plain) is not None:
        plain = plain.translate(_CYRILLIC)
    if _GREEK_LETTER.search(odd) is not None and _MIXED_GREEK.search(plain) is not None:
        plain = plain.translate(_GREEK)
    return plain


def mixes_scripts(text: str) -> re.Match[str] | None:
    """A word of Latin and of Cyrillic letters: to a person it is a plain word, to a program another one."""
    if text.isascii() or _CYRILLIC_LETTER.search(_others(text).casefold()) is None:
        return None
    return _MIXED.search(text.casefold())


def _others(text: str) -> str:
    """The characters beyond ASCII. Mostly a few: what is asked about those first costs next to nothing."""
    return "".join(_BEYOND.findall(text))


def letters(folded: str) -> str:
    """Only the letters a-z: what was set apart by spaces, dots and hyphens stands together."""
    return folded.encode("ascii", "ignore").translate(None, _NO_LETTERS).decode()


def unleeted(folded: str) -> str:
    """The same, with digits and signs read as the letters that they look like."""
    return folded.encode("ascii", "ignore").translate(_LEET).translate(None, _NO_LETTERS).decode()


@lru_cache(maxsize=8)
def _offsets(text: str) -> tuple[int, ...]:
    """For each place in `fold(text)`, the place in `text` (to the nearest chunk where folding changes lengths)."""
    hidden = [(start, end) for start, end, _ in hidden_spans(text)] if may_have_hidden(text) else []
    places: list[int] = []
    at = 0
    for start, end in [*hidden, (len(text), len(text))]:
        while at < start:
            piece = text[at : min(at + _CHUNK, start)]
            size = len(fold(piece))
            places.extend(at + min(number, len(piece) - 1) for number in range(size))
            at += len(piece)
        at = end
    return tuple(places)


def original(text: str, start: int, end: int) -> tuple[int, int]:
    """The span of `text` that `fold(text)[start:end]` came from."""
    if text.isascii() and not may_have_hidden(text):
        return start, end
    places = _offsets(text)
    if not places:
        return 0, len(text)
    first = places[min(start, len(places) - 1)]
    last = places[min(max(end - 1, start), len(places) - 1)] + 1
    return first, max(last, first + 1)
