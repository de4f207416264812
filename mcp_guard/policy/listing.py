"""The input schema that a client sees for a granted tool: the server's own, narrowed to what some grant permits.

A hint that lets a model send fitting calls at once; the call is judged all the same. Every call that is allowed and
that the server's schema accepts fits the narrowed one too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mcp_guard.model import Call, Facts, Json
from mcp_guard.policy.constraints import OrNull, narrow
from mcp_guard.policy.document import Authority
from mcp_guard.policy.matching import applies_now, classes_for
from mcp_guard.policy.rules import Arguments, Limit, Rule

Schema = dict[str, Any]

_ANNOTATIONS = ("title", "description", "default", "deprecated", "examples")


def narrowed_schema(authority: Authority, call: Call, schema: Mapping[str, Any], facts: Facts) -> Schema:
    """`schema` after each layer's grants for the tool of `call`; `schema` isn't changed.

    Never adds `anyOf`, `oneOf` or `allOf` at the top: model APIs refuse those there. A grant with `disclose: false`
    doesn't narrow, since its limits would be read off the schema.
    """
    narrowed: Schema = dict(schema)
    for layer in range(len(authority.layers)):
        narrowed = _for_grants(_grants(authority, layer, call, facts), narrowed)
    return narrowed


def _grants(authority: Authority, layer: int, call: Call, facts: Facts) -> list[Arguments | None]:
    speakers = authority.layers[layer].index.speakers(call.kind, call.server, call.target)
    classes = classes_for(speakers, authority.tools, call, facts)
    rules = [reach.rule for reach in speakers.grants if applies_now(reach, call, classes, facts)]
    return [_disclosed(rule) for rule in rules]


def _disclosed(rule: Rule) -> Arguments | None:
    return rule.arguments if rule.disclose else None


def _for_grants(grants: Sequence[Arguments | None], schema: Schema) -> Schema:
    if any(limits is None for limits in grants):
        return schema  # one of them leaves every argument open
    return _for_limits([limits for limits in grants if limits is not None], schema)


def _for_limits(grants: Sequence[Arguments], schema: Schema) -> Schema:
    given = schema.get("properties")
    properties: Mapping[str, Json] = given if isinstance(given, Mapping) else {}
    closed = not any(limits.others for limits in grants)
    narrowed = dict(schema)
    narrowed["properties"] = _properties(grants, properties, extra=schema.get("additionalProperties", True))
    narrowed["required"] = _required(grants, schema.get("required"), narrowed["properties"])
    if not narrowed["required"]:
        narrowed.pop("required")  # older drafts want at least one entry
    if closed:
        nulls = any(limits.nulls for limits in grants) and schema.get("additionalProperties", True) is not False
        narrowed.pop("patternProperties", None)
        narrowed["additionalProperties"] = {"type": "null"} if nulls else False
    narrowed.setdefault("type", "object")
    return narrowed


def _properties(grants: Sequence[Arguments], properties: Mapping[str, Json], *, extra: Json) -> Schema:
    names = dict.fromkeys(properties)
    if extra is not False:  # a granted argument that the server takes without describing it
        names.update(dict.fromkeys(name for limits in grants for name in (*limits.listed, *limits.optional)))
    narrowed: Schema = {}
    for name in names:
        described = properties.get(name, {})
        permitting = [limits for limits in grants if _permits(limits, name)]
        if permitting:
            narrowed[name] = _either(permitting, name, described)
    return narrowed


def _permits(limits: Arguments, name: str) -> bool:
    return limits.others or limits.nulls or name in limits.listed or name in limits.optional


def _form(limits: Arguments, name: str, described: Json) -> Json:
    """One argument as one grant permits it. `true` and `false` are schemas, too."""
    limit: Limit | None = limits.listed.get(name) or limits.optional.get(name)
    if described is False or (limit is None and limits.others):
        return described
    given = described if isinstance(described, Mapping) else {}
    if limit is None:  # only as null
        return {**{key: given[key] for key in _ANNOTATIONS if key in given}, "type": "null"}
    nullable = limits.nulls and name in limits.optional and name not in limits.listed
    try:
        return narrow(OrNull(limit.constraint) if nullable else limit.constraint, given)
    except Exception:  # the schema is the server's, and may be anything; the hint is lost, the judgement isn't
        return described


def _either(grants: Sequence[Arguments], name: str, described: Json) -> Json:
    """The argument as any of the grants permits it; if they differ, below the annotations that they share."""
    forms = _distinct(_form(limits, name, described) for limits in grants)
    if len(forms) == 1:
        return forms[0]
    if any(form == described for form in forms) or not isinstance(described, Mapping):
        return described  # one of the grants takes whatever the server takes
    shared = {key: described[key] for key in _ANNOTATIONS if key in described}
    bare = {key: value for key, value in described.items() if key not in shared}
    return {**shared, "anyOf": _distinct(_form(limits, name, bare) for limits in grants)}


def _distinct(forms: Iterable[Json]) -> list[Json]:
    found: list[Json] = []
    for form in forms:
        if form not in found:
            found.append(form)
    return found


def _required(grants: Sequence[Arguments], given: Json, properties: Mapping[str, Json]) -> list[str]:
    """What the server requires and what every grant requires, as far as it can be given at all."""
    common = set(grants[0].listed).intersection(*(limits.listed for limits in grants)) if grants else set()
    asked = [name for name in given if isinstance(name, str)] if isinstance(given, list) else []
    return [name for name in dict.fromkeys([*asked, *sorted(common)]) if name in properties]
