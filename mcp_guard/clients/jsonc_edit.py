"""Changing one member of a JSON object in its text: what isn't the member stays as it is, comments and all.

Works on the text of one object (the table of servers, or an entry in it), never on the whole file, and returns the
new text of that object. `Style` says how the file around it is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mcp_guard.clients.jsonc import Member, Source, members, parse
from mcp_guard.errors import InputError

_WIDTH = 100  # characters up to which a list stays on its line
_COMMENT_BEHIND = re.compile(r"[ \t]*+(?://[^\n]*+|/\*(?:[^*\n]++|\*(?!/))*+\*/)")
_TO_LINE_END = re.compile(r"[ \t]*+(?=\r?\n)")
_INDENT = re.compile(r"[ \t]*+")


@dataclass(frozen=True, slots=True)
class Style:
    """How a file is written: its line end, one step of indentation, and the indentation of the object's own line."""

    newline: str
    unit: str
    indent: str = ""

    def deeper(self) -> Style:
        return replace(self, indent=self.indent + self.unit)


@dataclass(frozen=True, slots=True)
class Verbatim:
    """A value that is put as this text, instead of being written anew."""

    text: str


def style_of(source: Source, position: int) -> Style:
    """The style of the file, for an object that starts at `position`."""
    root = source.root() or 0
    text = source.text
    newline = "\r\n" if re.search(r"(?<!\r)\n", text) is None and "\r\n" in text else "\n"
    first = members(source, root)[:1] if source.plain[root : root + 1] == "{" else []
    unit = "  "
    if first and (found := line_indent(text, first[0].start)) and "\n" in text[root : first[0].start]:
        unit = found
    return Style(newline, unit, line_indent(text, position))


def line_indent(text: str, position: int) -> str:
    """The white space that the line of `position` starts with."""
    start = text.rfind("\n", 0, position) + 1
    start += text.startswith("\ufeff", start)
    found = _INDENT.match(text, start, position)
    return found.group() if found else ""


def put(text: str, name: str, value: Any, style: Style) -> str:
    """The object's text with `name` set to `value`: in place if it is there, keeping what is equal, else at the end."""
    source = _fragment(text)
    member = _named(source, name)
    if member is None:
        return _appended(source, name, value, style)
    if isinstance(value, Verbatim):
        return text[: member.value] + value.text + text[member.end :]
    old = source.json(member.value, member.end)
    if same(old, value):
        return text
    inner = replace(style, indent=line_indent(text, member.start) if _line_start(text, member) else style.indent)
    if isinstance(old, dict) and isinstance(value, Mapping):
        new = _merged(text[member.value : member.end], old, value, inner)
    else:
        new = written(value, inner, spread="\n" in text)
    return text[: member.value] + new + text[member.end :]


def _merged(text: str, old: Mapping[str, Any], new: Mapping[str, Any], style: Style) -> str:
    for name in old:
        if name not in new:
            text = removed(text, name)
    for name, value in new.items():
        text = put(text, name, value, style)
    return text


def removed(text: str, name: str) -> str:
    """The object's text without `name`, without its comma, and without its line if nothing else stands there."""
    source = _fragment(text)
    every = members(source, 0)
    number = next(number for number, member in enumerate(every) if member.key == name)
    member = every[number]
    comma = _comma_behind(source, member.end)
    cuts = _member_cuts(text, member, comma)
    if comma is None and number:  # the last one, without a comma: the one before it has one too many now
        before = _comma_behind(source, every[number - 1].end)
        cuts += [] if before is None else [(before, before + 1)]
    for start, end in sorted(cuts, reverse=True):
        text = text[:start] + text[end:]
    return text


def _member_cuts(text: str, member: Member, comma: int | None) -> list[tuple[int, int]]:
    """The member and its comma, with the line where they stand alone on it, else with the spaces on one side."""
    start, end, apart = member.start, member.end, []
    if comma is not None:
        if text[end:comma].strip() == "":
            end = comma + 1
        else:  # a comment stands between: it stays
            apart = [(comma, comma + 1)]
    line = text.rfind("\n", 0, start)
    alone = line >= 0 and text[line:start].strip() == ""
    if _TO_LINE_END.match(text, end) is not None:
        start = line - text.startswith("\r", max(line - 1, 0)) if alone else len(text[:start].rstrip(" \t"))
    elif text[end:].lstrip(" \t").startswith("}"):  # its line stays: a comment may end the one before
        start = start if alone else len(text[:start].rstrip(" \t"))
    else:
        end = len(text) - len(text[end:].lstrip(" \t"))
    return [(start, end), *apart]


def _comma_behind(source: Source, position: int) -> int | None:
    """The comma that follows the value ending at `position`, a trailing one too; None if a brace does."""
    text, plain = source.text, source.plain
    while position < len(plain):
        if position in source.commas or plain[position] == ",":
            return position
        if plain[position] not in " \t\r\n":
            return None
        position += 1
    raise ValueError(f"an object without end: {text[:20]!r}")


def _appended(source: Source, name: str, value: Any, style: Style) -> str:
    text, every = source.text, members(source, 0)
    if not every:
        return _first(source, name, value, style)
    last = every[-1]
    comma = _comma_behind(source, last.end)
    at = last.end if comma is None else comma + 1
    spread = "\n" in text
    if spread:
        own = line_indent(text, last.start) if _line_start(text, last) else style.deeper().indent
        while (found := _COMMENT_BEHIND.match(text, at)) is not None:
            at = found.end() - text.startswith("\r", found.end() - 1)
        lead = style.newline + own
    else:
        own, lead = style.indent, " "
    piece = lead + _pair(name, value, replace(style, indent=own), spread)
    if comma is not None:  # the file has a comma behind the last one: it keeps that habit
        return text[:at] + piece + "," + text[at:]
    return text[: last.end] + "," + text[last.end : at] + piece + text[at:]


def _first(source: Source, name: str, value: Any, style: Style) -> str:
    """Into an object without members; comments in it stay above."""
    text = source.text
    at = max((end for _, end in source.comments), default=1)
    inner = style.deeper()
    piece = style.newline + inner.indent + _pair(name, value, inner, spread=True)
    rest = text[at:]
    return text[:at] + piece + (rest if "\n" in rest else style.newline + style.indent + rest.lstrip(" \t"))


def _pair(name: str, value: Any, style: Style, spread: bool) -> str:
    return f"{_scalar(name)}: {written(value, style, spread=spread)}"


def written(value: Any, style: Style, *, spread: bool = True) -> str:
    """A value as the file would have it: objects over several lines if `spread`, short lists on one."""
    if isinstance(value, Verbatim):
        return value.text
    if isinstance(value, Mapping) and value:
        inner = style.deeper()
        pairs = [_pair(key, one, inner, spread) for key, one in value.items()]
        return _enclosed("{", pairs, "}", style) if spread else "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        parts = [written(one, style.deeper(), spread=spread) for one in value]
        line = "[" + ", ".join(parts) + "]"
        return _enclosed("[", parts, "]", style) if spread and (len(line) > _WIDTH or "\n" in line) else line
    return _scalar(value)


def _enclosed(opening: str, parts: list[str], closing: str, style: Style) -> str:
    line = style.newline + style.deeper().indent
    return opening + line + f",{line}".join(parts) + style.newline + style.indent + closing


def _scalar(value: Any) -> str:
    try:
        text = json.dumps({} if isinstance(value, Mapping) else value, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
    except (TypeError, ValueError) as error:
        raise InputError("a value that JSON can't hold; nothing was changed") from error
    return text


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: `1` is not `true`, and a tuple is a list."""
    try:
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    except (TypeError, ValueError):
        return False


def _fragment(text: str) -> Source:
    return parse(text, "the table of servers", comments=True, trailing_commas=True)


def _named(source: Source, name: str) -> Member | None:
    return next((member for member in members(source, 0) if member.key == name), None)


def _line_start(text: str, member: Member) -> bool:
    """Is the member the first thing on its line?"""
    return text[text.rfind("\n", 0, member.start) + 1 : member.start].strip(" \t") == ""
