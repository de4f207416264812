"""The JSON Schema of what limits a value, for editors. `constraint_parse.py` judges.

Never stricter than the parser: what an editor marks as wrong is wrong. It may be milder.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

LIMIT = {"$ref": "#/definitions/Limit"}
_SCALAR = {"type": ["string", "number", "boolean"]}
_WORDS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_LISTED = {"type": "array", "items": _SCALAR, "minItems": 1}
_COUNT = {"type": "integer", "minimum": 0}
_SOURCES = {"type": "array", "items": {"$ref": "#/definitions/Source"}, "minItems": 1}

_KEYS: dict[str, tuple[Schema, str]] = {
    "in": (_LISTED, "One of these values."),
    "not_in": (_LISTED, "None of these values."),
    "min": ({"type": "number"}, "A number that is at least this."),
    "max": ({"type": "number"}, "A number that is at most this."),
    "above": ({"type": "number"}, "A number greater than this."),
    "below": ({"type": "number"}, "A number less than this."),
    "max_length": (_COUNT, "A text of at most so many characters."),
    "matches": ({"type": "string"}, "A text that the whole of this pattern describes (linear time, anchored)."),
    "under": (
        {"type": "string"},
        "An absolute path at or below this directory, links followed: `$project`, `~/x`, `/x`.",
    ),
    "within": ({"const": "."}, "A relative path that stays below where it starts, without a leading `-`."),
    "not_name": (_WORDS, 'A path in which no part has a name like these: `["*.env", .git]`.'),
    "domain_in": (_WORDS, "A mail address or host of these domains; a leading dot means their sub-domains."),
    "host_in": (_WORDS, "An http(s) URL on these hosts; a leading dot means their sub-domains."),
    "each": (LIMIT, "A list of at least one element, each of which fits."),
    "some": (LIMIT, "A list with an element that fits. Only in asks and denies."),
    "fields": (
        {"type": "object", "additionalProperties": LIMIT, "minProperties": 1},
        "An object with exactly these members, each of which fits.",
    ),
    "max_items": (_COUNT, "A list of at most so many elements."),
    "from": (_SOURCES, "A whole value that one of these said: `task`, `policy`, `trusted`, `untrusted` or a tool."),
    "not_from": (_SOURCES, "A value that none of these said."),
    "null": ({"const": "ok"}, "Null fits, too."),
    "text": ({"const": "free"}, "Beside `from`: the value is prose, and the addresses in it are judged."),
}


def definitions() -> dict[str, Schema]:
    """What the schemas of policy and mandate refer to."""
    return {
        "Limit": {
            "description": "What a value must be: `any`, exactly this value, or all of these.",
            "anyOf": [
                _SCALAR,
                {
                    "type": "object",
                    "properties": {name: {**schema, "description": said} for name, (schema, said) in _KEYS.items()},
                    "additionalProperties": False,
                    "minProperties": 1,
                },
            ],
        },
        "Limits": {
            "description": "`any`, or what each argument must be.",
            "anyOf": [{"const": "any"}, {"type": "object", "additionalProperties": LIMIT}],
        },
        "Source": {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {
                        "tool": {"type": "string", "description": "One tool, `server/tool`."},
                        "field": {
                            "type": "string",
                            "description": "A member of what it answered: `iban`, `payee.iban`.",
                        },
                    },
                    "required": ["tool"],
                    "additionalProperties": False,
                },
            ],
        },
        "Result": {
            "anyOf": [
                {"enum": ["redact", "strip_hidden", "quarantine"]},
                *(
                    {"type": "object", "properties": {name: schema}, "required": [name], "additionalProperties": False}
                    for name, schema in _WITH_VALUE.items()
                ),
            ],
        },
    }


_WITH_VALUE: dict[str, Schema] = {
    "redact": {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1},
    "truncate": {"type": "integer", "minimum": 1},
    "max_size": {"type": "integer", "minimum": 1},
    "types": {"anyOf": [{"type": "string"}, _WORDS]},
}
