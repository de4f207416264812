"""Changing one table of a TOML file in its text: what isn't that table stays as it is, comments and all.

A server can be written as a header with keys, as dotted keys, or as an inline table; each is edited in the form that it
has. What the edited text says is checked by who calls (`editing.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mcp_guard.clients import toml_write
from mcp_guard.clients.jsonc_edit import Verbatim
from mcp_guard.clients.toml_inline import inline_owner, put_inline, removed_inline
from mcp_guard.clients.toml_scan import Keys, Source, Statement, parse
from mcp_guard.errors import InputError


def newline_of(text: str) -> str:
    """The file's line end."""
    return "\r\n" if "\r\n" in text and re.search(r"(?<!\r)\n", text) is None else "\n"


def removed(source: Source, path: Keys) -> str:
    """The text without `path` and all below it."""
    owner = inline_owner(source, path)
    if owner is not None:
        return removed_inline(source.text, owner, path)
    text = source.text
    for start, end in reversed(_runs(source, path)):
        text = text[:start] + text[_past_blank(text, start, end) :]
    return text


def _runs(source: Source, path: Keys) -> list[tuple[int, int]]:
    """Whole lines about `path`; what stands between two of its statements, blank lines and comments, goes with them."""
    runs: list[tuple[int, int]] = []
    joined = False
    for statement in source.statements:
        if statement.path[: len(path)] != path:
            joined = False
            continue
        start, end = _line_start(source.text, statement.start), _line_end(source.text, statement.end)
        runs = [*runs[:-1], (runs[-1][0], end)] if joined else [*runs, (start, end)]
        joined = True
    return runs


def _past_blank(text: str, start: int, end: int) -> int:
    """With a blank line on either side, the one behind goes too."""
    before = text[:start]
    if before and not re.search(r"\n\r?\n$", before):
        return end
    found = re.compile(r"[ \t]*\r?\n").match(text, end)
    return found.end() if found else end


def put(source: Source, path: Keys, value: Any, entry: int) -> str:
    """The text with `path` set to `value`; what is equal stays as it is written. `entry` is the length of a server's
    path: a new server becomes a block of its own, a new key a line in its server's."""
    old = _value_at(source.value, path)
    text = source.text
    if old is not None and not isinstance(value, Verbatim) and toml_write.same(old, value):
        return text
    owner = inline_owner(source, path)
    if owner is not None:
        return put_inline(text, owner, path, value)
    own = next((one for one in source.statements if one.path == path and not one.header), None)
    if own is not None:
        return text[: own.value] + _inline(value) + text[own.end :]
    if old is None:
        return _added(source, path, value, entry)
    if isinstance(old, dict) and isinstance(value, Mapping):
        return _merged(source, path, old, value, entry)
    return _added(_again(source, removed(source, path)), path, value, entry)


def _merged(source: Source, path: Keys, old: Mapping[str, Any], new: Mapping[str, Any], entry: int) -> str:
    for name in old:
        if name not in new:
            source = _again(source, removed(source, (*path, name)))
    for name, value in new.items():
        source = _again(source, put(source, (*path, name), value, entry))
    return source.text


def _added(source: Source, path: Keys, value: Any, entry: int) -> str:
    if len(path) <= entry:
        return _new_block(source, path, value)
    text, parent = source.text, path[:-1]
    if not any(one.header and one.path == parent for one in source.statements):
        return _dotted_line(source, path, value)
    at = max(_line_end(text, one.end) for one in source.statements if one.table == parent)
    line = f"{toml_write.key(path[-1])} = {_inline(value)}"
    last = max((one for one in source.statements if one.table == parent), key=lambda one: one.end)
    return _line_put(text, at, _indent(text, last) + line)


def _dotted_line(source: Source, path: Keys, value: Any) -> str:
    """A new key of a server that has no header of its own: beside its dotted keys, else under a header for it."""
    text, parent = source.text, path[:-1]
    beside = [one for one in source.under(parent) if not one.header and len(one.table) < len(parent)]
    if beside:
        last = beside[-1]
        line = f"{toml_write.dotted(path[len(last.table) :])} = {_inline(value)}"
        return _line_put(text, _line_end(text, last.end), _indent(text, last) + line)
    first = min((one.start for one in source.under(parent)), default=len(text))
    newline = newline_of(text)
    at = _line_start(text, first)
    block = f"[{toml_write.dotted(parent)}]{newline}{toml_write.key(path[-1])} = {_inline(value)}{newline}{newline}"
    return text[:at] + block + text[at:]


def _new_block(source: Source, path: Keys, value: Any) -> str:
    """A header with its keys, behind the last server if only headers follow there, else at the end."""
    text, newline = source.text, newline_of(source.text)
    if isinstance(value, Verbatim):
        block = value.text
    elif isinstance(value, Mapping):
        lines = [
            f"[{toml_write.dotted(path)}]",
            *(f"{toml_write.key(name)} = {_inline(one)}" for name, one in value.items()),
        ]
        block = newline.join(lines) + newline
    else:
        raise InputError("a server must be a table; nothing was changed")
    at = len(text)
    if siblings := source.under(path[:-1]):
        last = siblings[-1]
        behind = next((one for one in source.statements if one.start > last.start), None)
        at = at if behind is not None and not behind.header else _line_end(text, last.end)
    before = text[:at]
    if before.strip("\ufeff") and not before.endswith("\n"):
        before += newline
    if before.strip("\ufeff") and not re.search(r"(?:^|\n)\r?\n$", before):
        before += newline
    return before + block + text[at:]


def _line_put(text: str, at: int, line: str) -> str:
    newline = newline_of(text)
    if at and not text[:at].endswith("\n"):
        return text[:at] + newline + line + text[at:]
    return text[:at] + line + newline + text[at:]


def _inline(value: Any) -> str:
    return value.text if isinstance(value, Verbatim) else toml_write.value(value)


def _again(source: Source, text: str) -> Source:
    return parse(text, source.file)


def _value_at(value: Any, path: Keys) -> Any:
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value


def _indent(text: str, statement: Statement) -> str:
    return text[_line_start(text, statement.start) : statement.start].lstrip("\ufeff")


def _line_start(text: str, position: int) -> int:
    start = text.rfind("\n", 0, position) + 1
    return start + text.startswith("\ufeff", start)


def _line_end(text: str, position: int) -> int:
    """Behind the line's end."""
    end = text.find("\n", position)
    return len(text) if end < 0 else end + 1
