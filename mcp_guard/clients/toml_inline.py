"""Changing a member of an inline table: `mcp_servers = { files = { command = "npx" } }`."""

from __future__ import annotations

from typing import Any

from mcp_guard.clients import toml_write
from mcp_guard.clients.jsonc_edit import Verbatim
from mcp_guard.clients.toml_scan import InlineMember, Keys, Source, Statement, inline_members
from mcp_guard.errors import InputError


def inline_owner(source: Source, path: Keys) -> Statement | None:
    """The statement whose inline table `path` is in, or would be; None if `path` isn't in an inline table."""
    for one in source.statements:
        if not one.header and len(one.path) < len(path) and path[: len(one.path)] == one.path:
            return one
    return None


def removed_inline(text: str, owner: Statement, path: Keys) -> str:
    """The text without the member at `path`."""
    brace, rest = _innermost(text, owner, path)
    every = inline_members(text, brace)
    gone = [number for number, member in enumerate(every) if member.keys[: len(rest)] == rest]
    for number in reversed(gone):
        member = every[number]
        if number + 1 < len(every):
            start, end = member.start, every[number + 1].start
        elif number:
            start, end = every[number - 1].end, member.end
        else:
            start, end = member.start, member.end
        text = text[:start] + text[end:]
        every = inline_members(text, brace)
    return text


def put_inline(text: str, owner: Statement, path: Keys, value: Any) -> str:
    """The text with the member at `path` set; it is written anew as a whole."""
    brace, rest = _innermost(text, owner, path)
    every = inline_members(text, brace)
    written = value.text if isinstance(value, Verbatim) else toml_write.value(value)
    same = [member for member in every if member.keys == rest]
    if same:
        return text[: same[0].value] + written + text[same[0].end :]
    if any(member.keys[: len(rest)] == rest for member in every):  # `{ files.command = "npx" }`
        text = removed_inline(text, owner, path)
        every = inline_members(text, brace)
    pair = f"{toml_write.dotted(rest)} = {written}"
    if every:
        return text[: every[-1].end] + ", " + pair + text[every[-1].end :]
    close = text.index("}", brace)
    return text[: brace + 1] + f" {pair} " + text[close:]


def _innermost(text: str, owner: Statement, path: Keys) -> tuple[int, Keys]:
    """The brace of the innermost inline table on the way to `path`, and the keys that are left from there."""
    brace, rest = owner.value, path[len(owner.path) :]
    while True:
        if not text.startswith("{", brace):
            raise InputError(
                f"`{toml_write.dotted(path)}` can't be set: what it is in is no table; nothing was changed"
            )
        inner = _containing(inline_members(text, brace), rest)
        if inner is None:
            return brace, rest
        brace, rest = inner.value, rest[len(inner.keys) :]


def _containing(every: list[InlineMember], rest: Keys) -> InlineMember | None:
    return next((one for one in every if len(one.keys) < len(rest) and one.keys == rest[: len(one.keys)]), None)
