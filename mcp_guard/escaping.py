"""The one way in which text that somebody else wrote gets in front of a person: on a terminal, in a log, in a table.

Core. Nothing that comes out of here moves a cursor, changes colours, reverses the direction of writing, or fakes a line
or a column.
"""

from __future__ import annotations

import re


def escaped(text: str) -> str:
    """The text with everything that isn't a visible character or a single space written as its code."""
    return re.sub(r"(?<= ) ", r"\\x20", "".join(char if char.isprintable() else _code(char) for char in text))


def _code(char: str) -> str:
    number = ord(char)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
