"""Our edit taken back out of a file that somebody changed since: only where what we wrote stands as we wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp_guard.clients import jsonc, toml_write
from mcp_guard.clients.editing import edited
from mcp_guard.clients.faults import quoted, shown_path
from mcp_guard.clients.loading import json_source, load_bytes
from mcp_guard.clients.model import ConfigFile, Format, Loaded
from mcp_guard.errors import InputError

Keys = tuple[str, ...]


def reversed_edit(file: ConfigFile, before: bytes, after: bytes, current: bytes) -> bytes:
    """`current` with what turned `before` into `after` undone. Raises InputError where it can't be told apart."""
    original, ours, now = (load_bytes(file, data) for data in (before, after, current))
    for path in _paths(original, ours):
        now = load_bytes(file, _table_reversed(original, ours, now, path))
    return now.data


def _paths(original: Loaded, ours: Loaded) -> list[Keys]:
    return list(dict.fromkeys(section.path for loaded in (original, ours) for section in loaded.sections))


def _table_reversed(original: Loaded, ours: Loaded, now: Loaded, path: Keys) -> bytes:
    was, wrote, there = (_members(loaded, path) for loaded in (original, ours, now))
    touched = [name for name in {**was, **wrote} if not _same(was.get(name), wrote.get(name))]
    if not touched:
        return now.data
    for name in touched:
        if not _same(wrote.get(name), there.get(name)):
            message = f"the server {quoted(name)} was changed since in `{shown_path(now.file.path)}`"
            raise InputError(f"{message}; undo it by hand, or restore the file as it was; nothing was changed")
    section = next((one for one in now.sections if one.path == path), None)
    if section is None:
        message = f"the table {quoted('.'.join(path))} is gone from `{shown_path(now.file.path)}`"
        raise InputError(f"{message}; undo it by hand, or restore the file as it was; nothing was changed")
    put = {name: was[name] for name in touched if name in was}
    return edited(
        now,
        section,
        remove=[name for name in touched if name not in was],
        put=put,
        texts=_texts(original, path, put),
    )


def _members(loaded: Loaded, path: Keys) -> dict[str, Mapping[str, Any]]:
    here = [section for section in loaded.sections if section.path == path]
    return {name: entry.members for section in here for name, entry in section.entries.items()}


def _same(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    if one is None or other is None:
        return one is other
    return toml_write.same(one, other)


def _texts(original: Loaded, path: Keys, put: Mapping[str, Any]) -> dict[str, str]:
    """How these servers were written, word for word; for TOML they are written anew where they were taken out."""
    if original.file.format is Format.TOML or not put:
        return {}
    source = json_source(original.file, original.data)
    at = source.root() or 0
    for key in path:
        at = next(member.value for member in jsonc.members(source, at) if member.key == key)
    every = jsonc.members(source, at)
    return {member.key: source.text[member.value : member.end] for member in every if member.key in put}
