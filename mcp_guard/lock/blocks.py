"""Nested keys, one a line, with JSON values: text that a person reads in a diff and a program reads strictly.

Core. There is one way to write a given content: keys sorted, two spaces a level, what isn't printable as its code. So
reading is: parse, and be what would have been written. It looks like YAML and is meant to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_guard.errors import InputError
from mcp_guard.model import Json

MAX_DEPTH = 8
Path = tuple[str, ...]
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]{0,127}")
_WORDS = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null"})
_LINE = re.compile(
    r'(?P<indent>(?:  )*)(?:- (?P<item>.+)|(?P<key>"(?:[^"\\]|\\.)*"|[A-Za-z_][A-Za-z0-9_./-]*):(?: (?P<value>.+))?)'
)


@dataclass(frozen=True, slots=True)
class Value:
    """A JSON value that stands on its key's own line. A dict that isn't one is a level of its own."""

    json: Json


Block = dict[str, Any]
"""Keys with a `Value`, a further `Block`, or a list of texts: one a line."""


@dataclass(slots=True)
class Parsed:
    """A content, and where each key of it stands."""

    file: str
    block: Block = field(default_factory=dict)
    lines: dict[Path, int] = field(default_factory=dict)  # from 1

    def error(self, message: str, path: Path) -> InputError:
        """An error at a key, or at the nearest one above it that is there."""
        while path and path not in self.lines:
            path = path[:-1]
        return error(self.file, message, self.lines.get(path, 1), 2 * (len(path) - 1) + 1 if path else 1)


def error(file: str, message: str, line: int, column: int = 1) -> InputError:
    """`message (file:line:column)`"""
    return InputError(f"{message} ({file}:{line}:{column})")


def written(block: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """The lines of a content, in order. No level of it may be empty: it would read as a missing value."""
    indent = "  " * depth
    for key in sorted(block):
        value = block[key]
        if isinstance(value, Value):
            yield f"{indent}{_key(key)}: {dumped(value.json)}"
            continue
        yield f"{indent}{_key(key)}:"
        if isinstance(value, list):
            yield from (f"{indent}  - {dumped(line)}" for line in value)
        else:
            yield from written(value, depth + 1)


def dumped(value: Json) -> str:
    """JSON on one line, in one spelling; a character that can't be seen is its code."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def parse(text: str, file: str) -> Parsed:
    """Read a content back. Raises InputError with file, line and column."""
    found = Parsed(file)
    levels: list[tuple[Any, Path]] = [(found.block, ())]
    for number, line in enumerate(text.split("\n"), start=1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise error(file, "this is neither `key:`, `key: JSON` nor `- JSON`", number)
        depth = len(match["indent"]) // 2
        if depth >= len(levels) or depth > MAX_DEPTH:
            raise error(file, "this line is indented too far", number, 2 * depth + 1)
        del levels[depth + 1 :]
        level, path = levels[depth]
        if match["item"] is not None:
            _add_item(found, levels, match["item"], number)
            continue
        key = _loaded(match["key"], file, number) if match["key"].startswith('"') else match["key"]
        if not isinstance(level, dict):
            raise error(file, f"`{key}` stands among the items of a list", number, 2 * depth + 1)
        if key in level:
            raise error(file, f"`{key}` stands here twice", number, 2 * depth + 1)
        found.lines[(*path, key)] = number
        if match["value"] is None:
            level[key] = {}
            levels.append((level[key], (*path, key)))
        else:
            level[key] = Value(_loaded(match["value"], file, number))
    return found


def _add_item(found: Parsed, levels: list[tuple[Any, Path]], text: str, number: int) -> None:
    """A line of a list: what was opened as a level turns out to be one."""
    level, path = levels[-1]
    item = _loaded(text, found.file, number)
    if level == {} and path:
        parent, _ = levels[-2]
        level = parent[path[-1]] = []
        levels[-1] = level, path
    if not isinstance(level, list) or not isinstance(item, str):
        raise error(found.file, "a list of texts can't go on with this", number)
    level.append(item)


def _loaded(text: str, file: str, number: int) -> Json:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise error(file, "what stands here is no JSON value", number, len(text) and 1) from None


def _no_constant(_: str) -> Json:
    raise ValueError("not a JSON number")


def _key(key: str) -> str:
    return key if _PLAIN.fullmatch(key) and key.lower() not in _WORDS else dumped(key)
