"""What is wrong with a configuration file, with its place: one form for JSON and TOML."""

from __future__ import annotations

import re

from mcp_guard.errors import InputError

_SHOWN = 80


def quoted(text: object) -> str:
    """A file's own words as an error shows them: in backticks, cut short, nothing that a terminal would act on."""
    shown = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in str(text)[:_SHOWN])
    return f"`{shown}…`" if len(str(text)) > _SHOWN else f"`{shown}`"


def shown_path(path: object) -> str:
    """A path in a message: whole, so that it can be copied, and with nothing that a terminal would act on."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in str(path))


class Lines:
    """Lines and columns of many positions in one text: quick where they are asked for in order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at, self._line = 0, 1

    def place(self, position: int) -> tuple[int, int]:
        """Line and column of a position, from 1; a byte order mark at the start is no column."""
        if position < self._at:
            self._at, self._line = 0, 1
        self._line += self._text.count("\n", self._at, position)
        self._at = position
        column = position - self._text.rfind("\n", 0, position)
        mark = self._line == 1 and column > 1 and self._text.startswith("\ufeff")
        return self._line, column - mark


def fault(file: object, text: str, position: int, message: str, hint: str) -> InputError:
    """`message (file:line:column); hint. Nothing was changed`: what every refusal of a file's content says."""
    line, column = Lines(text).place(position)
    return InputError(f"{message} ({shown_path(file)}:{line}:{column}); {hint}; nothing was changed")


def decoded(data: bytes, file: object, limit: int) -> str:
    """The text of a file; a byte order mark stays in it. Raises InputError for what is too big or not UTF-8."""
    if len(data) > limit:
        message = f"the file has more than {limit // 1_000_000} million bytes"
        raise fault(file, "", 0, message, "take what isn't configuration out of it")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        raise fault(file, before, len(before), "this isn't UTF-8 text", "save the file as UTF-8") from None
    if (found := re.search("\x00", text)) is not None:
        raise fault(file, text, found.start(), "a zero byte: this is no text", "save the file as UTF-8")
    return text
