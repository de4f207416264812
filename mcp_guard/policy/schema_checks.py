"""What each check of the forms demands, as JSON Schema: by the name of the function that checks.

Never stricter than the check itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp_guard.model import EffectClass
from mcp_guard.policy.cases_form import EFFECTS, MAX_LONG, MAX_TIMES, REASONS
from mcp_guard.policy.cases_form import TARGETS as CALLED
from mcp_guard.policy.form import ASKED_OF, SERVER_REQUESTS, GrantForm
from mcp_guard.policy.times import DAYS

Schema = dict[str, Any]
Check = Callable[[Schema], Schema]

PART = "$part"
"""Refers to one of `schema_limits.definitions()`; a `$ref` would be looked up before they are there."""
_ID = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_TOOL = r"^[^/$ ,]+/[^$ ,]+$"
_MOMENT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)$"
_SPAN = r"^[1-9]\d{0,3}[smhd]$"
_CLOCK = r"^([01]\d|2[0-3]):[0-5]\d(Z|[+-]\d\d:[0-5]\d)?$"
_TEXT: Schema = {"type": "string"}


def _instead(schema: Schema) -> Check:
    return lambda _: schema


def _also(**more: Any) -> Check:
    return lambda schema: {**schema, **more}


def _pattern(pattern: str) -> Check:
    return _also(pattern=pattern)


def _as_it_is(schema: Schema) -> Schema:
    return schema


def _one_or_more(schema: Schema) -> Schema:
    """A list, or its only entry without the brackets."""
    return {"anyOf": [schema["items"], schema]}


def _not_empty(schema: Schema) -> Schema:
    if "anyOf" in schema:
        return {"anyOf": [_not_empty(one) if one.get("type") == "array" else one for one in schema["anyOf"]]}
    return {**schema, "minItems": 1}


def _some(schema: Schema) -> Schema:
    return {**schema, "minProperties": 1}


def _one_of_these(targets: frozenset[str]) -> Check:
    """Exactly one of the keys that say what a rule or a case is about, of those that stand here."""

    def check(schema: Schema) -> Schema:
        here = sorted(targets & schema["properties"].keys())
        return {**schema, "oneOf": [{"required": [name]} for name in here]}

    return check


def _gives(schema: Schema) -> Schema:
    one = {"anyOf": [{"type": "string", "pattern": _ID}, schema["items"]]}
    return {"anyOf": [one, {"type": "array", "items": one}]}


_EFFECT: Schema = {"enum": [one.value for one in EffectClass]}
_RESULT: Schema = {PART: "Result"}
_WHO: Schema = {
    "anyOf": [
        _TEXT,
        {
            "type": "object",
            "properties": {"group": {**_TEXT, "description": "A group of this policy's `groups`."}},
            "required": ["group"],
            "additionalProperties": False,
        },
    ]
}
_MAPPING: Schema = {"type": "object"}
_REASONS = sorted({str(reason) for reasons in REASONS.values() for reason in reasons})

_OF_DOCUMENTS: dict[str, Check] = {
    "rule_id": _pattern(_ID),
    "_version": _instead({"const": 1}),
    "_one_or_more": _one_or_more,
    "_not_empty": _not_empty,
    "_target": _pattern(r"^[^/$ ]+/[^$]+$"),
    "_tool": _pattern(_TOOL),
    "_server": _pattern(r"^[^/$ ]+$"),
    "_one_server": _pattern(r"^[^/$ *]+$"),
    "asked_of": _instead({"enum": list(ASKED_OF)}),
    "_asked_kind": _instead({"enum": list(SERVER_REQUESTS)}),
    "_extension": _pattern(r"^[^*$ ]+$"),
    "_effect": _instead(_EFFECT),
    "_moment": _pattern(_MOMENT),
    "_expires": _pattern(f"{_SPAN}|{_MOMENT}"),
    "_clock": _pattern(_CLOCK),
    "_day": _instead({"enum": list(DAYS)}),
    "_words": _pattern(r"\S"),
    "_arguments": _instead({PART: "Limits"}),
    "_limits": _instead({"type": "object", "additionalProperties": {PART: "Limit"}, "minProperties": 1}),
    "_absent": _instead({"const": "absent"}),
    "_came_first": _pattern(f"{_ID}|{_TOOL}"),
    "_true": _instead({"const": True}),
    "_any": _instead({"const": "any"}),
    "_required": _instead({"const": "required"}),
    "_ask": lambda schema: {"anyOf": [{"type": "boolean"}, schema]},
    "_gives": _gives,
    "TimeForm._says_something": _some,
    "WhenForm._says_something": _some,
    "RuleForm._one_target": _one_of_these(GrantForm.targets),
    "TighteningForm._counts_something": _also(dependencies={"times": ["after"]}),
    "GrantForm._arguments_are_said": _also(
        anyOf=[{"required": [name]} for name in ("args", "resource", "server_requests", "extensions")]
    ),
}
_OF_BUDGETS: dict[str, Check] = {
    "a_count": _instead({"type": "integer", "minimum": 1}),
    "_amount": _instead({"type": "number", "exclusiveMinimum": 0}),
    "_some_sums": _some,
    "_several": _instead({"type": "integer", "minimum": 1}),
    "_some_distinct": _some,
    "_rate": _pattern(r"^[1-9]\d{0,5}/[smhd]$"),
    "_who": _instead(_WHO),
    "_name": _pattern(r"\S"),
    "_members": _not_empty,
    "_groups": _also(propertyNames={"pattern": _ID}),
    "_one_or_more": _one_or_more,
    "_somebody": _not_empty,
    "BudgetForm._limits_something": _also(anyOf=[{"required": [name]} for name in ("calls", "sum", "distinct")]),
}
_OF_RESULTS: dict[str, Check] = {
    "obligations": _instead({"anyOf": [_RESULT, {"type": "array", "items": _RESULT, "minItems": 1}]}),
    "only_true": _instead({"const": True}),
}
_OF_CASES: dict[str, Check] = {
    "_name": _pattern(r"^[^/*]+/[^*]+$"),
    "_asked": _pattern(f"^[^/*]+/({'|'.join(SERVER_REQUESTS)})$"),
    "_one_or_more": _one_or_more,
    "_some": _not_empty,
    "_arguments": _instead(_MAPPING),
    "_expected": _instead({"enum": list(EFFECTS)}),
    "_reason": _instead({"enum": _REASONS}),
    "_times": _instead({"type": "integer", "minimum": 1, "maximum": MAX_TIMES}),
    "_length": _instead({"type": "integer", "minimum": 0, "maximum": MAX_LONG}),
    "_year": _as_it_is,
    "_path": _as_it_is,
    "_links": _some,
    "_some_of": _some,
    "_tools": _some,
    "CallForm._one_target": _one_of_these(CALLED),
    "StepForm._is_one_call": _as_it_is,
    "CaseForm._has_an_answer": _as_it_is,
    "CaseForm._reason_fits": _as_it_is,
}
_OF_CONFIG: dict[str, Check] = {
    "_by_name": lambda schema: {"anyOf": [{"type": "array", "items": _TEXT}, schema]},
}
_OF_CONTAINMENT: dict[str, Check] = {
    "short_form": lambda schema: {"anyOf": [{"type": "boolean"}, schema]},
}

CHECKS: dict[str, Check] = {
    f"{module}.{name}": check
    for module, checks in {
        "policy.form": _OF_DOCUMENTS,
        "policy.form_budgets": _OF_BUDGETS,
        "policy.form_results": _OF_RESULTS,
        "policy.cases_form": _OF_CASES,
        "config": _OF_CONFIG,
        "containment.form": _OF_CONTAINMENT,
    }.items()
    for name, check in checks.items()
}
"""By `module.function`, without the package."""

INSTEAD: dict[tuple[str, str], Schema] = {
    ("ResourceForm", "uri"): {PART: "Limit"},
    ("CaseForm", "mandate"): {"type": ["string", "object"]},
}
"""By model and key: what a model leaves open, since those that come after it judge it."""
