"""Long runs of combining marks, which nobody writes and which cost quadratic time to be put in order.

Core. Unicode's own bound for marks on one letter is 30 (UAX 15, stream-safe text). Whoever brings a text of strangers
into a normal form takes longer runs out before: a megabyte of two marks in turn would take hours.
"""

from __future__ import annotations

import re
import unicodedata

_KANA = "\uff9e\uff9f"  # letters by their category, and marks once they are normalised
_MANY = b"?" * 31
_RUN = re.compile(f"(?:[^\\w\\s\\x00-\\x7f]|[{_KANA}]){{31,}}")


def without_long_marks(text: str) -> str:
    """`text` without the marks of runs of more than 30; the very same object if there are none."""
    if text.isascii() or _MANY not in text.encode("ascii", "replace"):  # a hundred times as quick, and mostly enough
        return text
    return _RUN.sub(_letters, text)


def _letters(run: re.Match[str]) -> str:
    return "".join(char for char in run[0] if not unicodedata.combining(char) and char not in _KANA)
