"""What a plain (unquoted) YAML scalar means in a document: null, true, false, a number, else text.

YAML 1.2's core schema, minus what two readers would read differently: those spellings are refused, with the way out.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

_CONSTANTS = {
    **dict.fromkeys(("", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")  # a leading zero (`0644`) is text: octal to some, decimal to others
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_PREFIXED = re.compile(r"[-+]?0(o[0-7]+|[xX][0-9a-fA-F]+|b[01]+)")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_MAX_NUMBER = 64  # characters; longer ones are identifiers that lost their quotes


class Unclear(Exception):
    """A spelling that two readers would read differently."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def plain_value(text: str) -> bool | int | float | str | None:
    """The value of a plain scalar; raises `Unclear`."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text == "~":
        raise Unclear(
            "`~` alone is nothing in YAML", 'write "~" in quotes for the home directory, or leave the key out'
        )
    if _PREFIXED.fullmatch(text) or _NO_NUMBER.fullmatch(text):
        raise Unclear(
            f"`{text[:60]}` is a number to some readers and text to others",
            "put it in quotes, or write a decimal number",
        )
    if _INTEGER.fullmatch(text):
        return int(_short(text))
    if _FLOAT.fullmatch(text):
        return _exact(_short(text))
    return text


@lru_cache(maxsize=1024)
def key_text(text: str) -> str:
    """A plain scalar as a key: text only. `null` is text here, since a constraint spells a key so."""
    if text == "null":
        return text
    if text == "<<":
        raise Unclear("`<<` is a YAML merge", "write the keys out")
    if not isinstance(plain_value(text), str):
        raise Unclear(f"key `{text[:60]}` isn't text" if text else "an empty key", "put the key in quotes")
    return text


def _short(text: str) -> str:
    if len(text) > _MAX_NUMBER:
        raise Unclear(f"a number of {len(text)} digits", "put it in quotes if it is an identifier")
    return text


def _exact(text: str) -> float:
    """A limit must be the number that was written: what a float would round is refused, infinity included."""
    value = float(text)
    if value in (float("inf"), float("-inf")) or Decimal(repr(value)) != Decimal(text):
        raise Unclear(
            f"`{text}` can't be kept exactly", "write fewer digits, or put it in quotes if it is an identifier"
        )
    return value
