"""What the client sees: narrowed schemas and words."""

from __future__ import annotations

import copy
from typing import Any

import jsonschema_rs
import pytest

from mcp_guard.policy.constraints import Constraint, narrow, parse_constraint, words


def parse(data: object) -> Constraint:
    return parse_constraint(data, in_grant=False, variables={"project": "/srv/project"}, home="/home/ann")


def narrowed(data: object, schema: dict[str, Any]) -> dict[str, Any]:
    """The narrowed schema without its description."""
    before = copy.deepcopy(schema)
    result = narrow(parse(data), schema)
    assert schema == before
    result.pop("description", None)
    return result


@pytest.mark.parametrize(
    ("data", "schema", "expected"),
    [
        ("any", {"type": "string"}, {"type": "string"}),
        ("a", {"type": "string"}, {"type": "string", "const": "a"}),
        ({"in": ["a", "b"]}, {}, {"enum": ["a", "b"]}),
        ({"in": ["a", "b", "c"]}, {"enum": ["b", "c", "d"]}, {"enum": ["b", "c"]}),
        ({"in": ["a", "b"]}, {"const": "b"}, {"const": "b"}),
        ({"in": [1, True]}, {"enum": [1, 2]}, {"const": 1}),
        ({"in": ["a"]}, {"enum": ["b"]}, {"enum": ["b"], "allOf": [{"const": "a"}]}),
        ({"not_in": ["a"]}, {"type": "string"}, {"type": "string", "not": {"enum": ["a"]}}),
        ({"max": 5}, {"type": "integer"}, {"type": "integer", "maximum": 5}),
        ({"max": 5}, {"type": ["integer", "null"]}, {"type": "integer", "maximum": 5}),
        ({"max": 5}, {"type": "number", "maximum": 3}, {"type": "number", "maximum": 3}),
        ({"max": 5}, {"type": "number", "maximum": 9}, {"type": "number", "maximum": 5}),
        ({"min": 5}, {"type": "number", "minimum": 9}, {"type": "number", "minimum": 9}),
        ({"above": 5}, {"exclusiveMinimum": 1}, {"type": "number", "exclusiveMinimum": 5}),
        ({"below": 5}, {"maximum": 9}, {"type": "number", "exclusiveMaximum": 5, "maximum": 9}),
        (
            {"min": 5},
            {"minimum": 0, "exclusiveMinimum": True},
            {"minimum": 0, "exclusiveMinimum": True, "allOf": [{"type": "number", "minimum": 5}]},
        ),
        ({"max": 5}, {"type": "string"}, {"type": "string", "allOf": [{"type": "number", "maximum": 5}]}),
        ({"max_length": 5}, {"maxLength": 3}, {"type": "string", "maxLength": 3}),
        ({"matches": "a|b"}, {}, {"type": "string", "pattern": "^(?:a|b)$"}),
        (
            {"matches": "a"},
            {"pattern": "b"},
            {"pattern": "b", "allOf": [{"type": "string", "pattern": "^(?:a)$"}]},
        ),
        ({"under": "/srv"}, {"type": "string", "minLength": 1}, {"type": "string", "minLength": 1}),
        (
            {"max": 5},
            {"$ref": "#/$defs/n", "title": "N"},
            {"title": "N", "allOf": [{"$ref": "#/$defs/n"}, {"type": "number", "maximum": 5}]},
        ),
        (
            {"each": {"max": 5}, "max_items": 3},
            {"type": "array", "items": {"type": "integer"}, "maxItems": 9},
            {"type": "array", "minItems": 1, "maxItems": 3, "items": {"type": "integer", "maximum": 5}},
        ),
        (
            {"each": {"max": 5}},
            {"prefixItems": [{}]},
            {
                "prefixItems": [{}],
                "allOf": [{"type": "array", "minItems": 1, "items": {"type": "number", "maximum": 5}}],
            },
        ),
        (
            {"fields": {"a": {"max": 5}}},
            {"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}, "required": ["b"]},
            {
                "type": "object",
                "properties": {"a": {"type": "integer", "maximum": 5}},
                "required": ["b", "a"],
                "additionalProperties": False,
            },
        ),
        ({"max": 5, "null": "ok"}, {}, {"anyOf": [{"type": "number", "maximum": 5}, {"type": "null"}]}),
    ],
)
def test_a_schema_is_narrowed_keyword_by_keyword(
    data: object, schema: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert narrowed(data, schema) == expected


@pytest.mark.parametrize(
    ("data", "schema", "value"),
    [
        ({"fields": {"b": "any"}}, {"properties": {"a": {}}, "additionalProperties": False}, {"b": 1}),
        ({"fields": {"b": "any"}}, {"additionalProperties": {"type": "string"}}, {"b": 1}),
        ({"fields": {"b": "any"}}, {"patternProperties": {"^b": {"type": "string"}}}, {"b": 1}),
        ({"fields": {"b": "any"}}, {"unevaluatedProperties": False}, {"b": 1}),
        ({"each": "any"}, {"unevaluatedItems": False}, [1]),
        ({"each": "any"}, {"items": False}, [1]),
        ({"each": "any"}, {"minItems": 2}, [1]),
        ({"max": 5}, {"allOf": [{"minimum": 4}]}, 3),
        ({"max": 5}, {"anyOf": [{"minimum": 4}]}, 3),
        ({"max": 5, "null": "ok"}, {"anyOf": [{"minimum": 4}]}, 3),
        ({"not_in": [3]}, {"not": {"const": 2}}, 2),
        ({"in": [1, 2]}, {"enum": [1, 2], "const": 1}, 2),
        ({"in": [1, 3]}, {"enum": [1, 2], "const": 3}, 3),
        ({"max": 5}, {"type": "string"}, 3),
    ],
)
def test_what_the_server_refuses_stays_refused(data: object, schema: dict[str, Any], value: object) -> None:
    assert not jsonschema_rs.validator_for(schema).is_valid(value)
    assert not jsonschema_rs.validator_for(narrowed(data, schema)).is_valid(value)


def test_the_words_stand_at_the_end_of_the_description() -> None:
    schema = {"type": "string", "description": "Where to write."}
    assert narrow(parse({"under": "$project"}), schema)["description"] == (
        "Where to write. Permitted: an absolute path under /srv/project."
    )
    assert narrow(parse({"max": 5}), {})["description"] == "Permitted: at most 5."
    assert "description" not in narrow(parse("any"), {})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("any", "anything"),
        ("alice", "exactly alice"),
        ("two words", 'exactly "two words"'),
        ({"in": ["a", 1, True]}, "one of a, 1, true"),
        ({"in": list(range(14))}, "one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more"),
        ({"not_in": ["a", "b"]}, "none of a, b"),
        ({"not_in": ["a"]}, "not a"),
        ({"above": 0, "max": 100}, "at most 100 and more than 0"),
        ({"min": 0.5, "below": 2}, "less than 2 and at least 0.5"),
        ({"max_length": 9}, "text of at most 9 characters"),
        ({"matches": "a|b"}, "text that `a|b` matches as a whole"),
        (
            {"under": "$project", "not_name": ["*.env", "*.pem"]},
            "an absolute path under /srv/project, no segment like *.env or *.pem",
        ),
        ({"under": "file:///srv"}, "a file URI under file:///srv"),
        ({"within": "."}, "a relative path that stays within the working directory"),
        ({"domain_in": ["example.com", ".a.example"]}, "one mail address or host at example.com or .a.example"),
        ({"host_in": ["a.example", "http://localhost:8080"]}, "a URL at a.example or http://localhost:8080"),
        ({"each": {"max": 1}, "max_items": 3}, "at least one element, each at most 1, at most 3 elements"),
        ({"some": {"max": 1}}, "a list in which some element is at most 1"),
        ({"fields": {"a": {"max": 1}, "b": "any"}}, "an object with exactly a: at most 1; b: anything"),
        ({"max": 1, "null": "ok"}, "at most 1, or null"),
    ],
)
def test_a_constraint_says_what_it_permits(data: object, said: str) -> None:
    assert words(parse(data)) == said
