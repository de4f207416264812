"""Bad documents made of good ones, one slip each: a key misspelt, a value of another type, an entry without a value."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from mcp_guard.policy.yaml_source import Path, read_yaml

WRONG: list[Any] = [None, -1, 1.5, True, "", " ", "no such thing", [], [None], {}, {"zzz": 1}, [["x"]]]
"""What takes each value's place in turn; most are wrong there."""


def derived(good: str) -> Iterator[tuple[str, str]]:
    """`(what was done, the document)`; JSON is YAML, so that each document is one line in flow style."""
    source = read_yaml(good.encode(), "good.yaml")
    for path in source.values:
        for wrong in WRONG if path else ():
            yield f"{path} is {wrong!r}", _with(source.value, path, wrong)
    for path in source.keys:
        yield f"{path} is misspelt", _misspelt(source.value, path)
        yield f"{path} is there twice", _with(source.value, path[:-1], _Twice(path[-1]))


class _Twice:
    """A mapping whose key `name` is written once more."""

    def __init__(self, name: str | int) -> None:
        self.name = name


def _with(value: Any, path: Path, wrong: Any) -> str:
    changed = copy.deepcopy(value)
    if isinstance(wrong, _Twice):
        here = _at(changed, path)
        here["\x00twice"] = here[wrong.name]
        return _text(changed).replace(json.dumps("\x00twice"), json.dumps(wrong.name))
    if not path:
        return _text(wrong)
    _at(changed, path[:-1])[path[-1]] = wrong
    return _text(changed)


def _misspelt(value: Any, path: Path) -> str:
    changed = copy.deepcopy(value)
    here = _at(changed, path[:-1])
    here[f"{path[-1]}x"] = here.pop(path[-1])
    return _text(changed)


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def _text(value: Any) -> str:
    return json.dumps(value, indent=1) + "\n"
