"""Grants that don't fit the tools' own schemas: an argument that no call may leave out, limits of another type, values
that the schema refuses.

Only what is certain from plain `type`, `enum` and `required`; references and combinations are left alone.

Core.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mcp_guard.model import Kind
from mcp_guard.policy.constraint_kinds import Constraint, OneOf, json_types
from mcp_guard.policy.document import Authority
from mcp_guard.policy.oddities import Oddity, oddity
from mcp_guard.policy.rules import Arguments, Rule

Schemas = Mapping[str, Mapping[str, Any]]
"""Input schemas by `server/tool`."""

_COMBINED = frozenset({"$ref", "$dynamicRef", "anyOf", "oneOf", "allOf", "not", "if"})


def misfits(authority: Authority, schemas: Schemas) -> list[Oddity]:
    """What the grants of all documents say against these schemas."""
    rules = [rule for layer in authority.layers for rule in layer.rules if rule.is_grant and rule.kind is Kind.TOOL]
    return [one for rule in rules for one in _of(rule, schemas)]


def _of(rule: Rule, schemas: Schemas) -> Iterator[Oddity]:
    if rule.arguments is None:
        return
    for tool, schema in schemas.items():
        server, _, name = tool.partition("/")
        if rule.names_exactly(server, name) and not _COMBINED & schema.keys():
            yield from _lacking(rule, rule.arguments, tool, schema)
            yield from _limits(rule, rule.arguments, tool, schema)


def _lacking(rule: Rule, arguments: Arguments, tool: str, schema: Mapping[str, Any]) -> Iterator[Oddity]:
    required = schema.get("required")
    for name in required if isinstance(required, list) and not arguments.others else ():
        if name not in arguments.listed and name not in arguments.optional:
            said = f"`{tool}` requires the argument `{name}`, which this grant doesn't list: no such call can be made"
            yield oddity(rule, said, "lacks-argument")


def _limits(rule: Rule, arguments: Arguments, tool: str, schema: Mapping[str, Any]) -> Iterator[Oddity]:
    properties = schema.get("properties")
    for name, limit in {**arguments.listed, **arguments.optional}.items():
        described = properties.get(name) if isinstance(properties, Mapping) else None
        if not isinstance(described, Mapping) or _COMBINED & described.keys():
            continue
        if _other_type(limit.constraint, described):
            said = f"`{name}` of `{tool}` is of type {_types_in_words(described)}, which no value of this limit is"
            yield oddity(rule, said, "other-type")
        elif beyond := _beyond(limit.constraint, described):
            said = f"`{name}` of `{tool}` is never {beyond}: the tool's schema doesn't have it"
            yield oddity(rule, said, "beyond-schema")


def _other_type(constraint: Constraint, described: Mapping[str, Any]) -> bool:
    written = described.get("type")
    types = {written} if isinstance(written, str) else set(written) if isinstance(written, list) else set()
    if not types or not all(isinstance(one, str) for one in types):
        return False
    wide = types | ({"integer"} if "number" in types else set()) | ({"number"} if "integer" in types else set())
    return not wide & set(json_types(constraint))


def _types_in_words(described: Mapping[str, Any]) -> str:
    written = described["type"]
    return str(written) if isinstance(written, str) else " or ".join(map(str, written))


def _beyond(constraint: Constraint, described: Mapping[str, Any]) -> str:
    """The first value that the grant lists and the schema's `enum` doesn't have."""
    listed = described.get("enum")
    if not isinstance(constraint, OneOf) or not isinstance(listed, list):
        return ""
    return next((repr(one) for one in constraint.values if not any(_same(one, other) for other in listed)), "")


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
