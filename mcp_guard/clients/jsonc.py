"""JSON text with comments, as positions: where each member of an object stands in the bytes that were read.

Comments and trailing commas are blanked out first, character for character, so that the standard library's parser
checks the whole text and every position stays true. Then only the objects that somebody asks for are taken apart: a
user's file may have megabytes of history beside its ten servers.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

from mcp_guard.clients.faults import decoded, fault
from mcp_guard.errors import InputError

MAX_BYTES = 16_000_000
MAX_DEPTH = 100

_STRING = r'"(?:[^"\\]++|\\.)*+"'
_COMMENT = r"//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/"
_LAST_COMMA = rf",(?=(?:[ \t\r\n]++|{_COMMENT})*+[}}\]])"
# Each takes all in one step up to the next thing of interest: one match for each string would cost seconds.
_TO_TOKEN = re.compile(
    rf"(?:[^\",/]++|{_STRING}|(?!{_LAST_COMMA}),|/(?![/*]))*+(?:(?P<comment>{_COMMENT})|(?P<comma>,))", re.DOTALL
)
_TO_BRACKET = re.compile(rf"(?:[^\"{{}}\[\]]++|{_STRING})*+(?P<bracket>[{{}}\[\]])", re.DOTALL)
_NO_BRACKETS = re.compile(rf"{_STRING}|[^\[\]{{}}\"]++", re.DOTALL)
_TEXT = re.compile(_STRING, re.DOTALL)
_SCALAR = re.compile(r"[^ \t\r\n,}\]]++")
_SPACE = re.compile(r"[ \t\r\n]*+")


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an object: its key, unescaped, and the positions of key and value."""

    key: str
    start: int  # of the key's opening quote
    value: int
    end: int  # of the value, exclusive


@dataclass(frozen=True, slots=True)
class Source:
    """A checked text. `plain` is the same text with comments and trailing commas blanked out."""

    file: object
    text: str = field(repr=False)
    plain: str = field(repr=False)
    comments: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    commas: frozenset[int] = frozenset()  # positions of trailing commas

    def root(self) -> int | None:
        """Where the outermost value starts; None in an empty file."""
        at = skip_space(self.plain, 1 if self.plain.startswith("\ufeff") else 0)
        return at if at < len(self.plain) else None

    def before(self, position: int) -> str:
        """The last character before `position` that is neither white space nor in a comment; empty if there is none."""
        while position > 0:
            position -= 1
            if self.plain[position] not in " \t\r\n":
                return self.plain[position]
        return ""

    def json(self, start: int, end: int) -> Any:
        """The value that stands in this span."""
        return json.loads(self.plain[start:end])

    def error(self, position: int, message: str, hint: str) -> InputError:
        return fault(self.file, self.text, position, message, hint)


def read(data: bytes, file: object, *, comments: bool, trailing_commas: bool) -> Source:
    """Check a whole file. Raises InputError with file, line and column; an empty file is fine and has no root."""
    return parse(decoded(data, file, MAX_BYTES), file, comments=comments, trailing_commas=trailing_commas)


def parse(text: str, file: object, *, comments: bool, trailing_commas: bool) -> Source:
    """Check a text: `read` without the bytes."""
    source = _blanked(file, text)
    if source.comments and not comments:
        raise source.error(source.comments[0][0], "a comment, which this client's JSON doesn't have", "take it out")
    if source.commas and not trailing_commas:
        raise source.error(min(source.commas), "a comma after the last one, which this client refuses", "take it out")
    for start, end in source.comments:  # some clients end a line comment at a lone carriage return, others don't
        if text.startswith("//", start) and "\r" in text[start:end]:
            raise source.error(start, "a line comment with a lone carriage return in it", "end the line as the others")
    for comma in source.commas:  # blanked out, `[,]` would look like an empty list
        if source.before(comma) in "[{":
            raise source.error(comma, "a comma with nothing before it", "take it out")
    _check(source)
    return source


def _blanked(file: object, text: str) -> Source:
    pieces, done = [], 0
    comments: list[tuple[int, int]] = []
    commas: list[int] = []
    token = _TO_TOKEN.match(text)
    while token is not None:
        kind = "comma" if token["comment"] is None else "comment"
        start, end = token.span(kind)
        if kind == "comment":
            end -= text[end - 1] == "\r"  # of CRLF
            comments.append((start, end))
        else:
            commas.append(start)
        pieces += [text[done:start], " " * (end - start)]
        done = end
        token = _TO_TOKEN.match(text, end)
    plain = "".join([*pieces, text[done:]]) if pieces else text
    return Source(file, text, plain, tuple(comments), frozenset(commas))


def _check(source: Source) -> None:
    root = source.root()
    if root is None:
        return

    def constant(name: str) -> NoReturn:
        raise source.error(root, f"`{name}`, which JSON doesn't have", "write a number or text")

    body = source.plain[root:]
    try:
        json.loads(body, parse_constant=constant)
    except json.JSONDecodeError as error:
        at = root + error.pos
        raise source.error(at, f"this isn't JSON: {error.msg.lower()}", "mend it in an editor that shows it") from None
    except RecursionError:
        raise _too_deep(source, root) from None
    except ValueError:
        raise source.error(root, "a number with thousands of digits", "take it out") from None
    brackets = _NO_BRACKETS.sub("", body)
    for _ in range(MAX_DEPTH):  # each round takes the innermost pairs away
        brackets = brackets.replace("[]", "").replace("{}", "")
        if not brackets:
            return
    raise _too_deep(source, root)


def _too_deep(source: Source, root: int) -> InputError:
    return source.error(root, "nested too deeply", "this is no client's configuration: look who wrote it")


def skip_space(plain: str, position: int) -> int:
    """The first position from here on that is no white space."""
    found = _SPACE.match(plain, position)
    return found.end() if found else position


def value_end(plain: str, position: int) -> int:
    """Where the value that starts at `position` ends. The text was checked before."""
    first = plain[position]
    if first not in "{[":
        found = (_TEXT if first == '"' else _SCALAR).match(plain, position)
        return found.end() if found else position
    depth = 0
    while (token := _TO_BRACKET.match(plain, position)) is not None:
        depth += 1 if token["bracket"] in "{[" else -1
        position = token.end()
        if depth == 0:
            break
    return position


def members(source: Source, start: int) -> list[Member]:
    """The members of the object whose brace stands at `start`, in order. Raises InputError where a key stands twice."""
    plain, found, seen = source.plain, [], set[str]()
    at = skip_space(plain, start + 1)
    while plain[at] != "}":
        end = value_end(plain, at)
        key = json.loads(plain[at:end])
        value = skip_space(plain, skip_space(plain, end) + 1)  # past the colon
        if key in seen:
            raise source.error(at, f"the key {plain[at:end][:80]} stands here twice", "keep one of the two")
        seen.add(key)
        found.append(Member(key, at, value, value_end(plain, value)))
        at = skip_space(plain, found[-1].end)
        if plain[at] == ",":
            at = skip_space(plain, at + 1)
    return found


def items(source: Source, start: int) -> list[tuple[int, int]]:
    """The spans of the elements of the array whose bracket stands at `start`."""
    plain, found = source.plain, []
    at = skip_space(plain, start + 1)
    while plain[at] != "]":
        found.append((at, value_end(plain, at)))
        at = skip_space(plain, found[-1][1])
        if plain[at] == ",":
            at = skip_space(plain, at + 1)
    return found
