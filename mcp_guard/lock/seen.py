"""What a reviewer reads of a pinned thing: bounded, and nothing in it that can't be seen.

Core. Whatever a model would read stands here in full where it fits: an instruction hidden in a description has to show
in the diff of `guard.lock`. What doesn't fit is counted, and the digest still holds it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mcp_guard.model import Json

MAX_LINES = 60
MAX_LINE = 400
MAX_TEXT = 12_000
MAX_ARGUMENTS = 100
MAX_VALUE = 800
"""Characters of one argument's schema, or of the annotations."""


def seen_of(descriptor: Mapping[str, Any]) -> dict[str, Json]:
    """The members that matter to a reviewer, by the names that `guard.lock` has for them; none that is empty."""
    found: dict[str, Json] = {
        "title": text_lines(descriptor.get("title")),
        "description": text_lines(descriptor.get("description")),
        "annotations": _bounded(descriptor.get("annotations")),
    }
    schema = descriptor.get("inputSchema")
    if isinstance(schema, Mapping):
        found |= _takes(schema)
    elif isinstance(given := descriptor.get("arguments"), list):  # a prompt's
        named = {str(one.get("name"))[:MAX_LINE]: _bounded(one) for one in given if isinstance(one, Mapping)}
        found["arguments"] = _first(named)
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def text_lines(text: Any) -> list[str]:
    """A text line by line, so that one changed sentence is one changed line of the file."""
    if not isinstance(text, str):
        return []
    lines = [piece for line in text[:MAX_TEXT].splitlines() for piece in _pieces(line)]
    if len(text) <= MAX_TEXT and len(lines) <= MAX_LINES:
        return lines
    return [*lines[:MAX_LINES], f"… {len(text)} characters in all"]


def _pieces(line: str) -> list[str]:
    return [line[at : at + MAX_LINE] for at in range(0, len(line), MAX_LINE)] or [""]


def _takes(schema: Mapping[str, Any]) -> dict[str, Json]:
    """The arguments of a tool, each with its schema; what is required; and whether others are taken."""
    properties = schema.get("properties")
    required = schema.get("required")
    rest = {name: value for name, value in schema.items() if name not in ("properties", "required", "type", "$schema")}
    return {
        "arguments": _first({str(name): _bounded(value) for name, value in properties.items()})
        if isinstance(properties, Mapping)
        else {},
        "required": sorted(str(name)[:MAX_LINE] for name in required[:MAX_ARGUMENTS])
        if isinstance(required, list)
        else [],
        "schema": _bounded(rest) if rest else None,
    }


def _first(arguments: Mapping[str, Json]) -> dict[str, Json]:
    kept = {name: arguments[name] for name in sorted(arguments)[:MAX_ARGUMENTS]}
    return kept | ({"…": len(arguments) - MAX_ARGUMENTS} if len(arguments) > MAX_ARGUMENTS else {})


def _bounded(value: Any) -> Json:
    """A JSON value as it is, or its beginning as text: then nobody can tell from it what is looser."""
    if value is None:
        return None
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return "…"
    return value if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "…"
