"""The tables of servers in a checked file, whichever the format: what they hold, and where each part of them stands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from mcp_guard.clients import jsonc, toml_scan
from mcp_guard.clients.faults import quoted
from mcp_guard.clients.model import Table

Keys = tuple[str, ...]
MAX_SERVERS = 500  # of one table; more is no real installation
_NO_OBJECT = "must be an object of keys and values"


@dataclass(frozen=True, slots=True)
class RawTable:
    """One table as the file has it. `position` gives where the member at a path below it stands in the text."""

    table: Table
    path: Keys
    value: dict[str, Any] | None  # None: the file doesn't have it
    starts: Mapping[str, int]  # where each server's name stands
    position: Callable[[Keys], int]


def in_json(source: jsonc.Source, tables: tuple[Table, ...]) -> Iterator[RawTable]:
    """What a JSON file has of these tables. Raises InputError for a key that stands twice on the way or below."""
    for table in tables:
        root = source.root()
        if root is None:
            yield from _absent(table, 0)
            continue
        if source.plain[root] != "{":
            raise source.error(root, f"the file {_NO_OBJECT}", "see the client's documentation")
        yield from _json_below(source, table, root, ())


def _json_below(source: jsonc.Source, table: Table, brace: int, path: Keys) -> Iterator[RawTable]:
    key, last = table.path[len(path)], len(path) + 1 == len(table.path)
    found = [one for one in jsonc.members(source, brace) if key in ("*", one.key)]
    if not found:
        yield from _absent(table, brace)
    for member in found:
        here = (*path, member.key)
        if source.plain[member.value] != "{":
            if source.plain.startswith("null", member.value):  # written by some clients for "none"
                raise source.error(member.value, f"{quoted(member.key)} is null", "write `{}` or take it out")
            raise source.error(member.value, f"{quoted(member.key)} {_NO_OBJECT}", "see the client's documentation")
        if not last:
            yield from _json_below(source, table, member.value, here)
            continue
        value, starts = _unique_value(source, member)
        yield RawTable(table, here, value, starts, partial(_json_position, source, member.value))


def _absent(table: Table, at: int) -> Iterator[RawTable]:
    if "*" not in table.path and table.new:
        yield RawTable(table, table.path, None, {}, lambda _: at)


class _Twice(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Twice
    return value


def _unique_value(source: jsonc.Source, member: jsonc.Member) -> tuple[dict[str, Any], dict[str, int]]:
    try:
        value: dict[str, Any] = json.loads(source.plain[member.value : member.end], object_pairs_hook=_unique)
    except _Twice:
        _find_twice(source, member.value)  # which raises, with the place
        raise
    return value, _checked_names(source, member.value)


def _checked_names(source: jsonc.Source, brace: int) -> dict[str, int]:
    """Where each server's name stands. It must be text that can be written again."""
    every = jsonc.members(source, brace)
    if len(every) > MAX_SERVERS:
        raise source.error(every[MAX_SERVERS].start, f"more than {MAX_SERVERS} servers", "look who wrote it")
    for member in every:
        try:
            member.key.encode("utf-8")
        except UnicodeEncodeError:
            raise source.error(member.start, "half a character (a lone surrogate) in a name", "rename it") from None
    return {member.key: member.start for member in every}


def _find_twice(source: jsonc.Source, start: int) -> None:
    kind = source.plain[start]
    if kind == "{":
        for member in jsonc.members(source, start):
            _find_twice(source, member.value)
    elif kind == "[":
        for first, _ in jsonc.items(source, start):
            _find_twice(source, first)


def _json_position(source: jsonc.Source, brace: int, below: Keys) -> int:
    at = brace
    for key in below:
        if source.plain[brace] != "{":
            break
        member = next((one for one in jsonc.members(source, brace) if one.key == key), None)
        if member is None:
            break
        at, brace = member.start, member.value
    return at


def in_toml(source: toml_scan.Source, tables: tuple[Table, ...]) -> Iterator[RawTable]:
    """What a TOML file has of these tables. TOML itself allows no key twice."""
    for table in tables:
        value: Any = source.value
        for depth, key in enumerate(table.path):
            if key not in value:
                value = None
                break
            value = value[key]
            if not isinstance(value, dict):
                at = _toml_position(source, table.path[: depth + 1])
                raise source.error(at, f"{quoted(key)} must be a table", "see the client's documentation")
        if value is None and not table.new:
            continue
        starts = _toml_starts(source, table.path, value or {})
        yield RawTable(table, table.path, value, starts, partial(_toml_below, source, table.path))


def _toml_starts(source: toml_scan.Source, path: Keys, value: dict[str, Any]) -> dict[str, int]:
    """Where each server is first named; of those in one inline table, where that stands."""
    if len(value) > MAX_SERVERS:
        at = _toml_position(source, (*path, list(value)[MAX_SERVERS]))
        raise source.error(at, f"more than {MAX_SERVERS} servers", "look who wrote it")
    about = source.under(path)
    starts: dict[str, int] = {}
    for one in about:
        if len(one.path) > len(path):
            starts.setdefault(one.path[len(path)], one.start)
    return {name: starts.get(name, about[0].start if about else 0) for name in value}


def _toml_below(source: toml_scan.Source, path: Keys, below: Keys) -> int:
    return _toml_position(source, (*path, *below))


def _toml_position(source: toml_scan.Source, path: Keys) -> int:
    while path:
        about = source.under(path)
        if about:
            return about[0].start
        path = path[:-1]
    return 0
