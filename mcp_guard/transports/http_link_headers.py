"""The headers that a message brings along, computed from that message and from nothing else (law 1).

In the modern era what stands between us and a server may route by headers, so method, name and some arguments are
repeated there; the server compares them with the body. Which arguments, a tool's inputSchema says (`x-mcp-header`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mcp_guard.eras import MODERN_REVISIONS, revision_of

MAX_HEADERS = 32 << 10
"""Bytes of all the headers of one request that repeat a part of its body."""
ANNOTATION = "x-mcp-header"
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_PLAIN = re.compile(r"[\x20-\x7e]*")
_SENTINEL = re.compile(r"=\?base64\?.*\?=")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TYPES = ("string", "integer", "boolean")
_SCHEMAS = ("items", "contains", "unevaluatedItems", "additionalProperties", "propertyNames", "unevaluatedProperties",
            "not", "if", "then", "else", "contentSchema")  # fmt: skip
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("patternProperties", "dependentSchemas", "$defs", "definitions")


class Unsayable(Exception):
    """A request that can't be sent with the headers it needs; its text says why, and holds nothing of the request."""


def is_modern(params: Mapping[str, Any] | None) -> bool:
    """Does this request belong to the modern era? Then it says so itself."""
    return revision_of(params) in MODERN_REVISIONS


def message_headers(
    method: str, params: Mapping[str, Any] | None, schema: Mapping[str, Any] | None = None
) -> list[tuple[str, str]]:
    """The headers of a modern request. `schema` is that of the tool which it calls, if it calls one.

    Raises `Unsayable` for a schema whose annotations aren't valid, and for more than `MAX_HEADERS`.
    """
    params = params or {}
    headers = [("MCP-Protocol-Version", str(revision_of(params))), ("Mcp-Method", encoded(method))]
    name = params.get(_NAMED[method]) if method in _NAMED else None
    if isinstance(name, str):
        headers.append(("Mcp-Name", encoded(name)))
    if schema is not None and method == "tools/call":
        headers += _param_headers(schema, params.get("arguments"))
    if sum(len(key) + len(value) for key, value in headers) > MAX_HEADERS:
        raise Unsayable(f"the headers that repeat a part of it would be longer than {MAX_HEADERS} bytes")
    return headers


def encoded(value: str) -> str:
    """Text as it stands in a header: itself where that is plain, else in base64 between marks."""
    if _PLAIN.fullmatch(value) and value == value.strip() and not _SENTINEL.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode('utf-8')).decode('ascii')}?="


def _param_headers(schema: Mapping[str, Any], arguments: Any) -> Iterator[tuple[str, str]]:
    for path, token in bound_headers(schema).items():
        value = arguments
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        text = _scalar(value)
        if text is not None:
            yield f"Mcp-Param-{token}", encoded(text)


def _scalar(value: Any) -> str | None:
    """An argument as its header says it; None for what has no such form: it is then left out, as an absent one is."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case float() if value.is_integer():
            return str(int(value))
        case int() | float():
            return str(value)
        case _:
            return None


def bound_headers(schema: Mapping[str, Any]) -> dict[tuple[str, ...], str]:
    """Which arguments go into which headers: by the path to the argument, the end of the header's name.

    Raises `Unsayable` unless every annotation is one that the specification allows: on a text, a whole number or a
    boolean that only `properties` lead to, with a name of its own. Clients must not use a tool with any other.
    """
    found: dict[tuple[str, ...], str] = {}
    for path, node in _positions(schema):
        if ANNOTATION not in node:
            continue
        token = node[ANNOTATION]
        if not path or not isinstance(token, str) or not _TOKEN.fullmatch(token) or node.get("type") not in _TYPES:
            raise Unsayable(f"the tool's schema has an `{ANNOTATION}` that the specification doesn't allow")
        if token.lower() in {other.lower() for other in found.values()}:
            raise Unsayable(f"the tool's schema names one header twice in `{ANNOTATION}`")
        found[path] = token
    return found


def _positions(root: Any) -> Iterator[tuple[tuple[str, ...] | None, Mapping[str, Any]]]:
    """Every place of a schema, with the properties that lead there, or None where something else does."""
    stack: list[tuple[tuple[str, ...] | None, Any]] = [((), root)]
    while stack:
        path, node = stack.pop()
        if not isinstance(node, Mapping):
            continue
        yield path, node
        properties = node.get("properties")
        if isinstance(properties, Mapping):
            stack += [(None if path is None else (*path, name), inner) for name, inner in properties.items()]
        stack += [(None, node[key]) for key in _SCHEMAS if key in node]
        stack += [(None, inner) for key in _LISTS if isinstance(node.get(key), list) for inner in node[key]]
        stack += [(None, inner) for key in _MAPS if isinstance(node.get(key), Mapping) for inner in node[key].values()]
