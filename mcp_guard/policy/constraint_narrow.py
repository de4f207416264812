"""The JSON Schema that a client sees for one argument: what the server said, narrowed by what the grant permits.

Core. A client's model reads it and sends fitting calls at once. It is a hint, not the check: every value that the
check permits satisfies it, and it never permits what the server's schema doesn't.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from mcp_guard.policy.constraint_kinds import (
    All,
    Anything,
    Constraint,
    DomainIn,
    Each,
    Fields,
    From,
    HostIn,
    Matches,
    MaxItems,
    MaxLength,
    NoneOf,
    NotFrom,
    NotName,
    OneOf,
    OrNull,
    Range,
    Some,
    Under,
    Within,
    json_types,
)
from mcp_guard.policy.constraint_words import words

Schema = dict[str, Any]

_TIGHTEST = {
    "minimum": max, "exclusiveMinimum": max, "minItems": max,
    "maximum": min, "exclusiveMaximum": min, "maxItems": min, "maxLength": min,
}  # fmt: skip


def narrow(constraint: Constraint, schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` with what `constraint` adds, and its words at the end of `description`; `schema` isn't changed."""
    if isinstance(constraint, Anything):
        return dict(schema)
    narrowed = _merge(schema, _own(constraint))
    said = f"Permitted: {words(constraint)}."
    described = schema.get("description")
    narrowed["description"] = f"{described} {said}" if isinstance(described, str) and described else said
    return narrowed


def _own(constraint: Constraint) -> Schema:
    """What `constraint` says as a schema of its own."""
    match constraint:
        case Anything():
            return {}
        case Some(element):
            return {"type": "array", "minItems": 1, "contains": _own(element)}
        case OneOf():
            values = list(constraint.values)
            return {"const": values[0]} if len(values) == 1 else {"enum": values}
        case NoneOf(listed):
            kinds = sorted(json_types(listed))
            return {"type": kinds[0] if len(kinds) == 1 else kinds, "not": {"enum": list(listed.values)}}
        case Range():
            return _range(constraint)
        case MaxLength(limit):
            return {"type": "string", "maxLength": limit}
        case Matches():
            return {"type": "string", "pattern": constraint.anchored}
        case Under() | Within() | NotName() | DomainIn() | HostIn():
            return {"type": "string"}  # a pattern would say less than the words, and cost the model more
        case From(free=free) | NotFrom(From(free=free)):
            return {"type": "string" if free else ["string", "number"]}
        case Each(element):
            return {"type": "array", "minItems": 1, "items": _own(element)}
        case MaxItems(limit):
            return {"type": "array", "maxItems": limit}
        case Fields(named):
            return {
                "type": "object",
                "properties": {name: _own(part) for name, part in named},
                "required": [name for name, _ in named],
                "additionalProperties": False,
            }
        case All(parts):
            merged: Schema = {}
            for part in parts:
                merged = _merge(merged, _own(part))
            return merged
        case OrNull(other):
            return {"anyOf": [_own(other), {"type": "null"}]}
        case _:
            assert_never(constraint)


def _range(constraint: Range) -> Schema:
    own: Schema = {"type": "number"}
    if constraint.low is not None:
        own["exclusiveMinimum" if constraint.low_open else "minimum"] = constraint.low
    if constraint.high is not None:
        own["exclusiveMaximum" if constraint.high_open else "maximum"] = constraint.high
    return own


class _ClashError(Exception):
    """Two values of one keyword that no single value says both of."""


def _merge(schema: Mapping[str, Any], own: Schema) -> Schema:
    """Both at once: in one schema where its keywords can say that, else `own` as a part of `allOf`."""
    if "unevaluatedItems" in schema or "unevaluatedProperties" in schema:  # `own` beside them would use them up
        described = {"description": schema["description"]} if "description" in schema else {}
        return {"allOf": [{key: value for key, value in schema.items() if key != "description"}, own], **described}
    if "$ref" in schema:  # older drafts ignore what stands beside a `$ref`
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _with_parts(rest, {"$ref": schema["$ref"]}, own)
    try:
        return _merge_keywords(schema, own)
    except _ClashError:
        return _with_parts(dict(schema), own)


def _with_parts(schema: Schema, *parts: Schema) -> Schema:
    given = schema.get("allOf")
    return {**schema, "allOf": [*(given if isinstance(given, list) else []), *parts]}


def _merge_keywords(schema: Mapping[str, Any], own: Schema) -> Schema:
    merged = dict(schema)
    for key, value in own.items():
        match key:
            case "const" | "enum":
                _merge_values(merged, [value] if key == "const" else value)
            case "properties":
                merged[key] = _merge_properties(schema, value)
            case "items":
                merged[key] = _merge_items(schema, value)
            case "additionalProperties":
                merged[key] = False
            case "required":
                merged[key] = list(dict.fromkeys([*_list(schema.get(key, [])), *value]))
            case _:
                merged[key] = _both(key, schema[key], value) if key in schema else value
    if any(isinstance(merged.get(key), bool) for key in ("exclusiveMinimum", "exclusiveMaximum")):
        raise _ClashError  # draft 4, where they change what `minimum` and `maximum` mean
    return merged


def _both(key: str, given: Any, own: Any) -> Any:
    if given == own and type(given) is type(own):
        return own
    if key == "type":
        return _both_types(given, own)
    if key not in _TIGHTEST or isinstance(given, bool) or not isinstance(given, (int, float)):
        raise _ClashError
    return _TIGHTEST[key](given, own)


def _both_types(given: Any, own: Any) -> Any:
    permitted = {own} if isinstance(own, str) else set(own)
    kept = [
        kind
        for kind in ([given] if isinstance(given, str) else _list(given))
        if kind in permitted or (kind == "integer" and "number" in permitted)
    ]
    if not kept:
        raise _ClashError
    return kept[0] if len(kept) == 1 else kept


def _merge_values(merged: Schema, values: list[Any]) -> None:
    if "enum" in merged or "const" in merged:
        given = [merged["const"]] if "const" in merged else _list(merged["enum"])
        if "const" in merged and "enum" in merged:
            raise _ClashError
        values = [value for value in values if any(_same(value, one) for one in given)]
    if not values:
        raise _ClashError
    merged.pop("const", None)
    merged.pop("enum", None)
    merged.update({"const": values[0]} if len(values) == 1 else {"enum": values})


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _merge_items(schema: Mapping[str, Any], own: Schema) -> Schema:
    given = schema.get("items", True)
    if "prefixItems" in schema or not (given is True or isinstance(given, Mapping)):
        raise _ClashError
    return own if given is True else _merge(given, own)


def _merge_properties(schema: Mapping[str, Any], own: Mapping[str, Schema]) -> Schema:
    given = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    if not isinstance(given, Mapping):
        raise _ClashError
    merged: Schema = {}
    for name, part in own.items():
        stated = given.get(name, others)  # a name that the server didn't list falls under `additionalProperties`
        if not (stated is True or isinstance(stated, Mapping)):
            raise _ClashError
        merged[name] = part if stated is True else _merge(stated, part)
    return merged


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _ClashError
    return value
