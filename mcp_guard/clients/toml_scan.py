"""TOML text as positions: where each statement stands, and which keys it is about.

`tomllib` checks the text and gives the values; it says nothing of places. This scanner finds them, and is strict about
what it doesn't know: what one of the two refuses is refused. It runs first and bounds what `tomllib` would take
quadratic time for (a key of a million parts).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import Any

from mcp_guard.clients.faults import decoded, fault
from mcp_guard.errors import InputError

MAX_BYTES = 2_000_000
MAX_PARTS = 32  # of a key
MAX_DEPTH = 64  # of lists and inline tables

Keys = tuple[str, ...]

_SPACE = re.compile(r"[ \t]*+")
_BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_REST_OF_LINE = re.compile(r"[ \t]*+(?:#[^\r\n]*+)?(?:\r?\n|$)")
_PART = re.compile(r"""[A-Za-z0-9_-]++|"(?:[^"\\\n]++|\\.)*+"|'[^'\n]*+'""")
_STRINGS = (
    re.compile(r'"""(?:[^"\\]++|\\.|"(?!""))*+"{3,5}', re.DOTALL),
    re.compile(r"'''(?:[^']++|'(?!''))*+'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]++|\\.)*+"'),
    re.compile(r"'[^'\n]*+'"),
)
_SCALAR = re.compile(r"[^,\]}#\r\n]++")


@dataclass(frozen=True, slots=True)
class Statement:
    """One header or one key with its value. `path` is whole: the header's keys, then its own."""

    path: Keys
    table: Keys  # the header that it stands under; of a header, its own path
    header: bool
    start: int  # of its first character
    value: int  # of a header, its end
    end: int  # behind the value or the closing bracket


@dataclass(frozen=True, slots=True)
class Source:
    """A checked text, its statements in order, and what it says."""

    file: object
    text: str = field(repr=False)
    statements: tuple[Statement, ...] = field(repr=False)
    value: dict[str, Any] = field(repr=False)

    def error(self, position: int, message: str, hint: str) -> InputError:
        return fault(self.file, self.text, position, message, hint)

    def under(self, path: Keys) -> list[Statement]:
        """The statements about `path` and what is below it."""
        return [one for one in self.statements if one.path[: len(path)] == path]


def read(data: bytes, file: object) -> Source:
    """Check a whole file. Raises InputError with file, line and column."""
    return parse(decoded(data, file, MAX_BYTES), file)


def parse(text: str, file: object) -> Source:
    """Check a text: `read` without the bytes."""
    statements = _Scanner(text, file).statements()
    body = text.removeprefix("\ufeff")
    try:
        value = tomllib.loads(body)
    except tomllib.TOMLDecodeError as error:
        raise fault(file, text, *_said(body, len(text) - len(body), str(error))) from None
    except (RecursionError, ValueError) as error:
        raise fault(file, text, 0, f"this isn't TOML ({type(error).__name__})", "look who wrote it") from None
    return Source(file, text, statements, value)


def _said(body: str, shift: int, message: str) -> tuple[int, str, str]:
    """Position, message and hint of an error that names its line and column in brackets."""
    found = re.search(r"^(.*?) \(at (?:line (\d+), column (\d+)|end of document)\)$", message, re.DOTALL)
    said = found[1] if found else message
    position = len(body)
    if found and found[2]:
        lines = body.split("\n")
        position = sum(len(line) + 1 for line in lines[: int(found[2]) - 1]) + int(found[3]) - 1
    words = "".join(char if char.isprintable() else "?" for char in said[:1].lower() + said[1:160])
    return position + shift, f"this isn't TOML: {words}", "mend it in an editor that shows it"


class _Scanner:
    """One pass over the text; every refusal names its place."""

    def __init__(self, text: str, file: object) -> None:
        self._text = text
        self._file = file
        self._at = 1 if text.startswith("\ufeff") else 0

    def statements(self) -> tuple[Statement, ...]:
        found: list[Statement] = []
        table: Keys = ()
        while self._blank() < len(self._text):
            statement = self._header() if self._text[self._at] == "[" else self._pair(table)
            table = statement.table
            found.append(statement)
            rest = _REST_OF_LINE.match(self._text, self._at)
            if rest is None:
                raise self._fault("something stands behind this value", "start a new line")
            self._at = rest.end()
        return tuple(found)

    def _header(self) -> Statement:
        start = self._at
        brackets = 2 if self._text.startswith("[[", start) else 1
        self._at += brackets
        keys = self.keys()
        if not self._text.startswith("]" * brackets, self._at):
            raise self._fault("a header without its closing bracket", "close it")
        self._at += brackets
        return Statement(keys, keys, True, start, self._at, self._at)

    def _pair(self, table: Keys) -> Statement:
        start = self._at
        keys = self.keys()
        if not self._text.startswith("=", self._at):
            raise self._fault("a key without `=`", "write `key = value`")
        self._at += 1
        self._space()
        value = self._at
        self._at = self.value_end(value)
        return Statement((*table, *keys), table, False, start, value, self._at)

    def keys(self) -> Keys:
        """A dotted key from here on, and the spaces around it."""
        parts: list[str] = []
        while len(parts) < MAX_PARTS:
            self._space()
            found = _PART.match(self._text, self._at)
            if found is None:
                raise self._fault("a key was expected here", "write `key = value`")
            parts.append(self._unquoted(found.group()))
            self._at = found.end()
            self._space()
            if not self._text.startswith(".", self._at):
                return tuple(parts)
            self._at += 1
        raise self._fault(
            f"a key of more than {MAX_PARTS} parts", "this is no client's configuration: look who wrote it"
        )

    def _unquoted(self, part: str) -> str:
        if part[0] == "'":
            return part[1:-1]
        if part[0] != '"':
            return part
        if "\\" not in part:
            return part[1:-1]
        try:
            return str(tomllib.loads(f"key = {part}")["key"])
        except tomllib.TOMLDecodeError:
            raise self._fault("a key that TOML can't read", "write it without escapes") from None

    def value_end(self, position: int, depth: int = 0) -> int:
        """Where the value that starts at `position` ends."""
        text = self._text
        if text.startswith(("[", "{"), position):
            self._at = position
            if depth >= MAX_DEPTH:
                raise self._fault("nested too deeply", "this is no client's configuration: look who wrote it")
            return self._nested_end(position, "]" if text[position] == "[" else "}", depth)
        if text.startswith(('"', "'"), position):
            for pattern in _STRINGS:
                if (found := pattern.match(text, position)) is not None:
                    return found.end()
        elif (found := _SCALAR.match(text, position)) is not None and found.group().strip(" \t"):
            return position + len(found.group().rstrip(" \t"))
        self._at = position
        raise self._fault("a value was expected here", "write `key = value`")

    def _nested_end(self, position: int, closing: str, depth: int) -> int:
        text, at = self._text, self._blank_from(position + 1)
        while not text.startswith(closing, at):
            if closing == "}":
                self._at = at
                self.keys()
                if not text.startswith("=", self._at):
                    raise self._fault("a key without `=`", "write `key = value`")
                at = self._blank_from(self._at + 1)
            at = self._blank_from(self.value_end(at, depth + 1))
            if text.startswith(",", at):
                at = self._blank_from(at + 1)
            elif not text.startswith(closing, at):
                self._at = at
                raise self._fault(f"`,` or `{closing}` was expected here", "close the list or inline table")
        return at + 1

    def _blank_from(self, position: int) -> int:
        found = _BLANK.match(self._text, position)
        return found.end() if found else position

    def _blank(self) -> int:
        self._at = self._blank_from(self._at)
        return self._at

    def _space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _fault(self, message: str, hint: str) -> InputError:
        return fault(self._file, self._text, self._at, message, hint)


@dataclass(frozen=True, slots=True)
class InlineMember:
    """One member of an inline table, as positions in the text that was given."""

    keys: Keys
    start: int
    value: int
    end: int


def inline_members(text: str, position: int) -> list[InlineMember]:
    """The members of the inline table whose brace stands at `position` of a checked text."""
    scanner, found = _Scanner(text, "the table of servers"), []
    at = scanner._blank_from(position + 1)
    while not text.startswith("}", at):
        scanner._at = at
        keys = scanner.keys()
        value = scanner._blank_from(scanner._at + 1)
        end = scanner.value_end(value)
        found.append(InlineMember(keys, at, value, end))
        at = scanner._blank_from(end)
        if text.startswith(",", at):
            at = scanner._blank_from(at + 1)
    return found
