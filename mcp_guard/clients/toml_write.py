"""Values and keys as TOML text, on one line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import date, time
from typing import Any

from mcp_guard.errors import InputError

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def key(name: str) -> str:
    """A key: bare where TOML allows it."""
    return name if _BARE.fullmatch(name) else _text(name)


def dotted(path: tuple[str, ...]) -> str:
    return ".".join(key(part) for part in path)


def value(one: Any) -> str:
    """A value; mappings become inline tables. Raises InputError for what TOML has no form for."""
    match one:
        case bool():
            return "true" if one else "false"
        case str():
            return _text(one)
        case int():
            return str(one)
        case float() if math.isfinite(one):
            return repr(one)
        case date() | time():  # a datetime is a date
            return one.isoformat()
        case list() | tuple():
            return "[" + ", ".join(value(part) for part in one) + "]"
        case Mapping():
            pairs = ", ".join(f"{key(name)} = {value(part)}" for name, part in one.items())
            return "{ " + pairs + " }" if pairs else "{}"
    raise InputError(f"a value that TOML can't hold ({type(one).__name__}); nothing was changed")


def _text(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError("half a character (a lone surrogate), which TOML can't hold; nothing was changed") from None
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def same(one: Any, other: Any) -> bool:
    """Equal as TOML: `1` is neither `true` nor `1.0`; a tuple is a list."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(part, other[name]) for name, part in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(part, second) for part, second in zip(one, other, strict=True))
    return type(one) is type(other) and bool(one == other)
