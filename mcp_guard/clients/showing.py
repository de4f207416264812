"""The difference between two texts of a file as a person may see it: secrets masked, the rest as it stands.

Around the servers a user's file holds other things, tokens among them, and a difference shows neighbouring lines. So
every text outside of the tables of servers is masked, and every comment.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from mcp_guard.clients import jsonc, toml_scan, toml_write
from mcp_guard.clients.faults import shown_path
from mcp_guard.clients.loading import json_source, load_bytes
from mcp_guard.clients.masking import MASK, hidden, masked_members
from mcp_guard.clients.model import ConfigFile, Format
from mcp_guard.errors import InputError

_CONTEXT = 3
_STRING_OR_COMMENT = re.compile(
    r'(?P<text>"(?:[^"\\]++|\\.)*+")(?P<name>[ \t\r\n]*+:)?|(?P<comment>//[^\r\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/)',
    re.DOTALL,
)
_COMMENT = re.compile(r"#[^\r\n]*+")

Edit = tuple[int, int, str]


def masked_diff(file: ConfigFile, old: bytes, new: bytes) -> str:
    """A unified diff with secrets masked; empty if nothing differs."""
    if old == new:
        return ""
    name = shown_path(file.path)
    lines = _unified(_lines(masked_text(file, old)), _lines(masked_text(file, new)))
    if not lines:
        return f"{name}: only what is masked differs (secrets, comments, other settings) or white space\n"
    return "".join(f"{line}\n" for line in (f"--- {name}", f"+++ {name}", *lines))


def _lines(text: str) -> list[str]:
    """Lines that a terminal can be shown."""
    return [
        line if line.isprintable() else "".join(c if c.isprintable() or c == "\t" else f"\\u{ord(c):04x}" for c in line)
        for line in re.split(r"\r?\n", text.removesuffix("\n"))
    ]


def _unified(old: list[str], new: list[str]) -> list[str]:
    """`difflib` on what differs alone: a file may have a hundred thousand lines."""
    start, shortest = 0, min(len(old), len(new))
    while start < shortest and old[start] == new[start]:
        start += 1
    end = 0
    while end < shortest - start and old[-1 - end] == new[-1 - end]:
        end += 1
    if start == len(old) == len(new):
        return []
    first, last = max(0, start - _CONTEXT), max(0, end - _CONTEXT)
    parts = old[first : len(old) - last], new[first : len(new) - last]
    found = list(difflib.unified_diff(*parts, n=_CONTEXT, lineterm=""))[2:]
    return [_shifted(line, first) for line in found]


def _shifted(line: str, by: int) -> str:
    if not line.startswith("@@"):
        return line
    return re.sub(r"([-+])(\d+)", lambda found: f"{found[1]}{int(found[2]) + by}", line)


def masked_text(file: ConfigFile, data: bytes) -> str:
    """The file's text with secrets masked. What can't be read is not shown at all."""
    try:
        paths = [section.path for section in load_bytes(file, data).sections if section.present]
        if file.format is Format.TOML:
            return _masked_toml(file, toml_scan.read(data, file.path), paths)
        return _masked_json(file, json_source(file, data), paths)
    except InputError:
        return "(not shown: this text can't be read as the client's configuration)"


def _masked_json(file: ConfigFile, source: jsonc.Source, paths: list[tuple[str, ...]]) -> str:
    text, done = source.text, 0
    pieces: list[str] = []
    for start, end in sorted(_json_span(source, path) for path in paths):
        pieces += [_outside(text[done:start]), _table(file, source, start, end)]
        done = end
    return "".join([*pieces, _outside(text[done:])])


def _outside(text: str) -> str:
    """What stands around the tables: names, numbers and flags are shown. Tables never cut through a text or comment."""
    return _STRING_OR_COMMENT.sub(_outside_one, text)


def _outside_one(found: re.Match[str]) -> str:
    if found["comment"] is not None:
        return _comment(found["comment"])
    if found["name"] is not None or found["text"] == '""':
        return found[0]
    return f'"{MASK}"'


def _table(file: ConfigFile, source: jsonc.Source, start: int, end: int) -> str:
    edits: list[Edit] = []
    for member in jsonc.members(source, start):
        value = source.json(member.value, member.end)
        shown = masked_members(value, file.client.shape) if isinstance(value, Mapping) else hidden(value)
        _compare(source, member.value, value, shown, edits)
    comments = [one for one in source.comments if start < one[0] < end]
    edits += [(first, last, _comment(source.text[first:last])) for first, last in comments]
    return _applied(source.text, edits, start, end)


def _json_span(source: jsonc.Source, path: tuple[str, ...]) -> tuple[int, int]:
    at = source.root() or 0
    end = len(source.plain)
    for key in path:
        member = next(one for one in jsonc.members(source, at) if one.key == key)
        at, end = member.value, member.end
    return at, end


def _compare(source: jsonc.Source, start: int, value: Any, shown: Any, edits: list[Edit]) -> None:
    """Edits for the parts of the value at `start` that differ from what may be shown."""
    if type(value) is type(shown) and value == shown:
        return
    if isinstance(value, Mapping) and isinstance(shown, Mapping) and value.keys() == shown.keys():
        for member in jsonc.members(source, start):
            _compare(source, member.value, value[member.key], shown[member.key], edits)
    elif isinstance(value, list) and isinstance(shown, list) and len(value) == len(shown):
        for (at, _), one, other in zip(jsonc.items(source, start), value, shown, strict=True):
            _compare(source, at, one, other, edits)
    else:
        edits.append((start, jsonc.value_end(source.plain, start), json.dumps(shown, ensure_ascii=False)))


def _comment(text: str) -> str:
    return "/* … */" if text.startswith("/*") else "// …"


def _masked_toml(file: ConfigFile, source: toml_scan.Source, paths: list[tuple[str, ...]]) -> str:
    edits: list[Edit] = []
    done = 0
    for one in source.statements:
        edits += _toml_comments(source.text, done, one.start)
        done = one.end
        if not one.header:
            edits += _toml_value(file, source, one, paths)
    edits += _toml_comments(source.text, done, len(source.text))
    return _applied(source.text, edits, 0, len(source.text))


def _toml_comments(text: str, start: int, end: int) -> list[Edit]:
    return [(found.start(), found.end(), "# …") for found in _COMMENT.finditer(text, start, end)]


def _toml_value(
    file: ConfigFile, source: toml_scan.Source, one: toml_scan.Statement, paths: list[tuple[str, ...]]
) -> list[Edit]:
    text = source.text[one.value : one.end]
    value = tomllib.loads(f"value = {text}")["value"]
    shown: Any = hidden(value)
    for path in paths:
        if one.path[: len(path)] == path:
            shown = _below(value, one.path[len(path) :], file)
    if toml_write.same(value, shown) and "#" not in text:
        return []
    return [(one.value, one.end, toml_write.value(shown))]


def _below(value: Any, keys: tuple[str, ...], file: ConfigFile) -> Any:
    """A value that stands at `keys` below the table of servers, as it may be shown."""
    whole: Any = value
    for key in reversed(keys):
        whole = {key: whole}
    if not isinstance(whole, Mapping):
        return MASK
    shown: Any = {
        name: masked_members(entry, file.client.shape) if isinstance(entry, Mapping) else hidden(entry)
        for name, entry in whole.items()
    }
    for key in keys:
        shown = shown[key]
    return shown


def _applied(text: str, edits: list[Edit], start: int, stop: int) -> str:
    """The text from `start` to `stop` with these edits, which lie in it and don't overlap."""
    pieces, done = [], start
    for first, last, new in sorted(edits):
        pieces += [text[done:first], new]
        done = last
    return "".join([*pieces, text[done:stop]])
