"""The new bytes of a file: some servers taken out, some put in, everything else as it was.

Whatever the editors do to the text, what comes out is parsed again and must say exactly what was meant: the file as it
was, with these entries changed. Otherwise nothing is returned.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mcp_guard.clients import jsonc, jsonc_edit, toml_edit, toml_scan, toml_write
from mcp_guard.clients.faults import quoted
from mcp_guard.clients.jsonc_edit import Verbatim
from mcp_guard.clients.loading import json_source
from mcp_guard.clients.model import Format, Loaded, Section
from mcp_guard.errors import GuardError, InputError

Put = Mapping[str, Mapping[str, Any]]


def edited(
    loaded: Loaded,
    section: Section,
    *,
    remove: Iterable[str] = (),
    put: Put | None = None,
    texts: Mapping[str, str] | None = None,
) -> bytes:
    """The file's bytes with the servers in `remove` gone and those in `put` set to these members.

    A server that is there keeps the bytes of each member that doesn't change. In JSON, `texts` may say how a server of
    `put` is to be written, word for word. Raises InputError for a server that isn't
    there, or a value that the format can't hold; GuardError if the result wouldn't say what was meant.
    """
    gone, new = tuple(remove), dict(put or {})
    for name in gone:
        if name not in section.entries or name in new:
            raise InputError(f"the server {quoted(name)} can't be taken out: it isn't there, or is to be put too")
    if not gone and not new:
        return loaded.data
    if loaded.file.format is Format.TOML:
        return _edited_toml(loaded, section, gone, new)
    return _edited_json(loaded, section, gone, new, texts or {})


def _edited_json(loaded: Loaded, section: Section, gone: tuple[str, ...], new: Put, texts: Mapping[str, str]) -> bytes:
    source = json_source(loaded.file, loaded.data)
    root = source.root()
    if root is None:
        text = source.text  # which may end in a line comment
        gap = "\n" if text.strip("\ufeff") and not text.endswith("\n") else ""
        source = jsonc.parse(f"{text}{gap}{{}}\n", loaded.file.path, comments=True, trailing_commas=True)
        root = source.root() or 0
    before = source.json(root, len(source.plain))
    written = {name: Verbatim(texts[name]) if name in texts else members for name, members in new.items()}
    text = _changed_at(source, root, section.path, gone, written)
    data = text.encode("utf-8")
    after = json_source(loaded.file, data)
    meant = _meant(before, section.path, gone, json.loads(json.dumps(new, default=dict)))
    found = after.json(after.root() or 0, len(after.plain))
    # What stands around the table is the old text; in the table, `1` and `true` are told apart.
    if found != meant or not jsonc_edit.same(_at(found, section.path), _at(meant, section.path)):
        raise _went_wrong(loaded)
    return data


def _changed_at(
    source: jsonc.Source, brace: int, path: tuple[str, ...], gone: tuple[str, ...], new: Mapping[str, Any]
) -> str:
    """The whole text, with the table at `path` below the object at `brace` changed."""
    text, at, left = source.text, brace, list(path)
    while left:
        member = next((one for one in jsonc.members(source, at) if one.key == left[0]), None)
        if member is None:
            break
        at = member.value
        left.pop(0)
    end = jsonc.value_end(source.plain, at)
    style = jsonc_edit.style_of(source, at)
    if left:  # the file doesn't have the table
        value: Any = dict(new)
        for key in reversed(left[1:]):
            value = {key: value}
        table = jsonc_edit.put(text[at:end], left[0], value, style) if new else text[at:end]
    else:
        table = text[at:end]
        for name in gone:
            table = jsonc_edit.removed(table, name)
        for name, members in new.items():
            table = jsonc_edit.put(table, name, members, style)
    return text[:at] + table + text[end:]


def _edited_toml(loaded: Loaded, section: Section, gone: tuple[str, ...], new: Put) -> bytes:
    source = toml_scan.read(loaded.data, loaded.file.path)
    meant = _meant(source.value, section.path, gone, new)
    entry = len(section.path) + 1
    for name in gone:
        source = toml_scan.parse(toml_edit.removed(source, (*section.path, name)), loaded.file.path)
    for name, members in new.items():
        path = (*section.path, name)
        source = toml_scan.parse(toml_edit.put(source, path, members, entry), loaded.file.path)
    if not toml_write.same(_without_empty(source.value, section.path), _without_empty(meant, section.path)):
        raise _went_wrong(loaded)
    return source.text.encode("utf-8")


def _meant(before: Any, path: tuple[str, ...], gone: tuple[str, ...], new: Put) -> Any:
    """What the file should say: a copy along the path, the rest shared."""
    if path:
        if not new and path[0] not in before:
            return before
        return {**before, path[0]: _meant(before.get(path[0], {}), path[1:], gone, new)}
    return {name: members for name, members in before.items() if name not in gone} | dict(new)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key, {})
    return value


def _without_empty(value: Any, path: tuple[str, ...]) -> Any:
    """A table without servers is the same as none: in TOML taking out the last one takes it out too."""
    if not path or not isinstance(value, Mapping) or path[0] not in value:
        return value
    inner = _without_empty(value[path[0]], path[1:])
    return {key: inner if key == path[0] else one for key, one in value.items() if key != path[0] or inner != {}}


def _went_wrong(loaded: Loaded) -> GuardError:
    message = f"editing {loaded.file.path} would have changed more than it should"
    return GuardError(f"{message}: this is a mistake in the guard, please report it; nothing was changed")
