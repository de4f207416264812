"""What the probe server says: every kind of thing that a proxy with typed models could drop, by name. Data only."""

from __future__ import annotations

from typing import Any

MANY = 10**30
"""More than 64 bits hold."""
VENDOR = "example.com/vendor"
INSTRUCTIONS = "Ask for the odd things one by one."
ICON = {"src": "data:image/png;base64,AAAA", "mimeType": "image/png", "sizes": ["48x48"], "theme": "dark"}
ANNOTATIONS = {"title": "Odd", "readOnlyHint": True, "openWorldHint": False, "x-hint": 1}
OUTPUT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
INPUT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"word": {"$anchor": "word", "type": "string", "x-vendor": 1}},
    "properties": {"word": {"$ref": "#/$defs/word"}},
    "if": {"required": ["word"]},
    "then": {"minProperties": 1},
}
OPEN: dict[str, Any] = {"type": "object"}

RESULTS: dict[str, dict[str, Any]] = {
    "structured": {"content": [{"type": "text", "text": '{"n":1}'}], "structuredContent": {"n": 1, "extra": [None]}},
    "structured-list": {"content": [], "structuredContent": [1, {"two": None}]},
    "hologram": {"content": [{"type": "hologram", "depth": 3, "rays": [1, 2]}]},
    "block-members": {"content": [{"type": "text", "text": "x", "x-mark": {"a": 1}, "_meta": {VENDOR: 1}}]},
    "block-annotations": {
        "content": [{"type": "text", "text": "x", "annotations": {"audience": ["user"], "priority": 0.5, "x-more": 1}}]
    },
    "link": {
        "content": [
            {"type": "resource_link", "uri": "odd://one", "name": "one", "title": "One", "size": 3, "icons": [ICON]}
        ]
    },
    "result-members": {"content": [], "x-top": {"deep": [1, {"a": "b"}]}},
    "result-meta": {"content": [], "_meta": {VENDOR: {"a": [1]}}},
    "nulls": {"content": [], "x-null": None, "_meta": {VENDOR: {"gone": None}}},
    "numbers": {"content": [], "structuredContent": {"many": MANY, "small": 0.1, "whole": 1.0, "negative": -0.0}},
    "text": {"content": [{"type": "text", "text": "\u2028 \U0001f600 \x00 e\u0301"}]},
    "failure": {"content": [{"type": "text", "text": "no"}], "isError": True, "x-why": "because"},
}
ERROR = {"code": -31999, "message": "this always fails", "data": {"x-detail": [1, None], "uri": "odd://one"}}

RESOURCE = {"uri": "odd://one", "name": "one", "title": "One", "mimeType": "text/odd", "size": 3, "x-vendor": 1}
TEMPLATE = {"uriTemplate": "odd://{name}", "name": "any", "title": "Any", "x-vendor": 1}
CONTENT = {"uri": "odd://one", "mimeType": "text/odd", "text": "one", "x-vendor": 1, "_meta": {VENDOR: 1}}
PROMPT = {"name": "ask", "title": "Ask", "arguments": [{"name": "who", "required": True, "x-vendor": 1}], "x-vendor": 1}
MESSAGE = {"role": "user", "content": {"type": "text", "text": "Who?", "x-mark": 1}, "x-vendor": 1}
COMPLETION = {"values": ["one", "two"], "total": 7, "hasMore": True, "x-vendor": 1}

PROGRESS: list[dict[str, Any]] = [
    {"progress": 1, "total": 3, "message": "one"},
    {"progress": 2.5, "total": 3, "x-vendor": 1},
    {"progress": 3, "total": 3, "_meta": {VENDOR: 1}},
]
LOG = {"level": "warning", "logger": "odd", "data": {"a": [None, 1]}, "x-vendor": 1}
QUESTIONS: dict[str, dict[str, Any]] = {
    "elicitation/create": {
        "message": "Who are you?",
        "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
        "x-vendor": 1,
    },
    "sampling/createMessage": {
        "messages": [{"role": "user", "content": {"type": "text", "text": "Say something"}}],
        "maxTokens": 10,
        "x-vendor": 1,
    },
    "roots/list": {},
}
ANSWERS: dict[str, dict[str, Any]] = {
    "elicitation/create": {"action": "accept", "content": {"name": "iris"}},
    "sampling/createMessage": {"role": "assistant", "content": {"type": "text", "text": "hi"}, "model": "none"},
    "roots/list": {"roots": [{"uri": "file:///odd", "name": "odd"}]},
}
STATE = 'opaque "state" \u00e9'
ASKS = {"who": {"method": "elicitation/create", "params": QUESTIONS["elicitation/create"]}}

NAMES = (*RESULTS, "error", "echo", "steps", "hang", "hung", "log", "change", "ask", "rounds")


def descriptor(name: str) -> dict[str, Any]:
    """A tool as it is listed; the first has everything that a descriptor can have, and more."""
    plain = {"name": name, "description": f"The odd thing called {name}", "inputSchema": OPEN}
    if name != "structured":
        return plain
    rich = {
        "title": "Odd",
        "annotations": ANNOTATIONS,
        "icons": [ICON],
        "outputSchema": OUTPUT,
        "x-vendor": {"a": None},
    }
    return {**plain, **rich, "inputSchema": INPUT, "_meta": {VENDOR: [1]}}
