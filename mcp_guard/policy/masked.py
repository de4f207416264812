"""What a value is, in words that don't say it: for explanations and messages that somebody else may read.

Core.
"""

from __future__ import annotations

from typing import Any


def masked(value: Any) -> str:
    """`a text of 12 characters`, `a number`, `a list of 3 entries`."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case str():
            return f"a text of {_count(len(value), 'character')}"
        case list():
            return f"a list of {_count(len(value), 'entry', 'entries')}"
        case dict():
            return f"an object of {_count(len(value), 'member')}"
        case _:
            return "something else"


def _count(number: int, one: str, more: str = "") -> str:
    return f"{number} {one if number == 1 else more or one + 's'}"
