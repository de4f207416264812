"""The JSON Schema of a written form, made from its models, for editors. What documents mean is judged elsewhere.

Most checks of a form are functions, which pydantic can't see into: `schema_checks.py` says what each demands. A check
that isn't listed there is an error here, so that no key gets into the format past the schema.

Core.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from mcp_guard.policy import schema_limits
from mcp_guard.policy.schema_checks import CHECKS, INSTEAD, PART
from mcp_guard.policy.schema_words import said_of

Schema = dict[str, Any]

DIALECT = "http://json-schema.org/draft-07/schema#"  # the newest one that every editor knows
_PLAIN = (bool, int, float, str)


class _Generator(GenerateJsonSchema):
    """pydantic's, with our checks in place of functions and without titles and defaults that say nothing."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> Schema:
        return self._checked(schema)

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> Schema:
        return self._checked(schema)

    def _checked(self, schema: Any) -> Schema:
        function = schema["function"]["function"]
        name = f"{function.__module__.removeprefix('mcp_guard.')}.{function.__qualname__}"
        if name not in CHECKS:
            raise LookupError(f"the check {name} has no JSON Schema; write it in schema_checks.py")
        return CHECKS[name](self.generate_inner(schema["schema"]))

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Schema:
        inner = self.generate_inner(schema["schema"])
        default = schema.get("default")
        return {**inner, "default": default} if isinstance(default, _PLAIN) and "$ref" not in inner else inner

    def nullable_schema(self, schema: core_schema.NullableSchema) -> Schema:
        return self.generate_inner(schema["schema"])  # a key without a value is refused

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def form_schema(form: type[BaseModel], title: str) -> Schema:
    """The whole schema of the document that `form` is the form of."""
    made = form.model_json_schema(schema_generator=_Generator, ref_template="#/definitions/{model}")
    parts: dict[str, Schema] = made.pop("$defs", {})
    for name, part in [(form.__name__, made), *parts.items()]:
        _describe(name, part)
    made, parts = _referring(made), _referring({**parts, **schema_limits.definitions()})
    whole = {"$schema": DIALECT, **made, "title": title}
    return {**whole, "definitions": _reachable(made, parts)}


def _describe(name: str, part: Schema) -> None:
    part.pop("title", None)
    for key, found in part.get("properties", {}).items():
        schema = found or INSTEAD.get((name, key), {})
        if said := said_of(name, key):
            schema = {**schema, "description": said}
        part["properties"][key] = schema


def _referring(value: Any) -> Any:
    if isinstance(value, list):
        return [_referring(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        **{key: _referring(inner) for key, inner in value.items() if key != PART},
        **({"$ref": f"#/definitions/{value[PART]}"} if PART in value else {}),
    }


def _reachable(whole: Schema, parts: dict[str, Schema]) -> dict[str, Schema]:
    """The definitions that something refers to, sorted."""
    found: dict[str, Schema] = {}
    waiting = [whole]
    while waiting:
        for name in _references(waiting.pop()):
            if name not in found:
                found[name] = parts[name]
                waiting.append(parts[name])
    return dict(sorted(found.items()))


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        here = [value["$ref"].rpartition("/")[2]] if isinstance(value.get("$ref"), str) else []
        return here + [name for inner in value.values() for name in _references(inner)]
    return [name for inner in value for name in _references(inner)] if isinstance(value, list) else []
