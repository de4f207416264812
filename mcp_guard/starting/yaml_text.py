"""Values as YAML that reads back as exactly these values, on one line, with nothing in it that can't be seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mcp_guard.policy.suggest import scalar
from mcp_guard.record.shown import escaped


def text(value: str) -> str:
    """A scalar: plain where that is certain, else in double quotes. Raises ValueError for what YAML can't say."""
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError("a half of a character pair")
    written = scalar(value)
    return "".join(char if char.isprintable() else _code(char) for char in written)


def sequence(values: Iterable[str]) -> str:
    """`[a, "b c"]`"""
    return f"[{', '.join(map(text, values))}]"


def mapping(values: Mapping[str, str]) -> str:
    """`{a: "b c"}`, of texts that are written already."""
    return f"{{{', '.join(f'{text(name)}: {value}' for name, value in values.items())}}}"


def comment(words: str, indent: str = "") -> str:
    """One comment line. What somebody else chose can't end it: a second line would be read as a rule."""
    return f"{indent}# {escaped(words)}"


def _code(char: str) -> str:
    """Only inside of double quotes: `scalar` quotes whatever isn't plain ASCII."""
    number = ord(char)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
