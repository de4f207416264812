"""What a client is shown of a granted tool: whether at all, and with which input schema."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_guard.model import Usage
from mcp_guard.policy.decide import visible
from mcp_guard.policy.document import Authority
from mcp_guard.policy.listing import narrowed_schema
from tests.policy.scene import Still, call, mandate, policy, under

SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "T",
    "properties": {"a": {"type": "integer", "description": "An a."}, "b": {"type": "string"}, "c": {}},
    "required": ["a"],
}


def shown(text: str) -> dict[str, Any]:
    return narrowed_schema(under(text), call("s/t"), SCHEMA, Still())


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("grants: [{id: g, tool: s/t, args: {x: 1}}]", True),
        ("grants: [{id: g, tool: s/u, args: any}]", False),
        ("ask: [{id: q, tool: s/t}]", False),
        ("grants: [{id: g, tool: s/t, args: any, ask: true}]", True),
        ("grants: [{id: g, tool: s/t, args: any, until: 2026-01-01T00:00:00Z}]", False),
        ("grants: [{id: g, tool: s/t, args: any, when: {principal: ann}}]", False),
        ("grants: [{id: g, tool: s/t, args: any}]\ndeny: [{id: d, tool: S/T}]", False),
        ("grants: [{id: g, tool: s/t, args: any}]\ndeny: [{id: d, tool: s/t, args: {}}]", False),
        ("grants: [{id: g, tool: s/t, args: any}]\ndeny: [{id: d, tool: s/t, args: {x: any}}]", True),
        ("grants: [{id: g, tool: s/t, args: any}]\ndeny: [{id: d, tool: s/t, when: {principal: ann}}]", True),
        ("grants: [{id: g, tool: s/t, args: any}]\ndeny: [{id: d, tool: s/t, when: {principal: local}}]", False),
        ("grants: [{id: g, tool: s/t, args: any}]\nask: [{id: q, tool: s/t}]", True),
    ],
)
def test_a_tool_is_shown_if_some_call_to_it_could_pass_now(text: str, seen: bool) -> None:
    assert visible(under(text), call("s/t"), Still()) is seen


def test_nothing_is_shown_without_authority() -> None:
    assert not visible(Authority(()), call("s/t"), Still())


def test_every_layer_has_to_show_it() -> None:
    wide = policy("grants: [{id: g, tool: 's/*', args: any}]")
    both = Authority((wide, mandate("grants: [{id: g, tool: s/t, args: any}]")))
    assert visible(both, call("s/t"), Still())
    assert not visible(both, call("s/u"), Still())


def test_a_spent_budget_does_not_hide_a_tool() -> None:
    text = "grants: [{id: g, tool: s/t, args: any, budget: {calls: 1}}]"
    assert visible(under(text), call("s/t"), Still(usage={"policy/g": Usage(1)}))


def test_an_open_grant_leaves_the_schema_as_it_is() -> None:
    assert shown("grants: [{id: g, tool: s/t, args: any}, {id: h, tool: s/t, args: {a: 1}}]") == SCHEMA


def test_a_closed_grant_removes_narrows_requires_and_closes() -> None:
    narrowed = shown("grants: [{id: g, tool: s/t, args: {b: {in: [x, y]}}, optional: {a: {max: 5}}}]")
    assert list(narrowed["properties"]) == ["a", "b"]
    assert narrowed["properties"]["a"]["maximum"] == 5
    assert narrowed["properties"]["a"]["description"].startswith("An a.")
    assert narrowed["properties"]["b"]["enum"] == ["x", "y"]
    assert narrowed["required"] == ["a", "b"]
    assert narrowed["additionalProperties"] is False
    assert narrowed["title"] == "T"


def test_a_closed_grant_leaves_no_way_in_by_pattern() -> None:
    patterned = {**SCHEMA, "patternProperties": {"^z": {}}}
    narrowed = narrowed_schema(under("grants: [{id: g, tool: s/t, args: {a: any}}]"), call("s/t"), patterned, Still())
    assert "patternProperties" not in narrowed


def test_others_leave_the_rest_open() -> None:
    narrowed = shown("grants: [{id: g, tool: s/t, args: {a: {max: 5}}, others: any}]")
    assert narrowed["properties"]["b"] == SCHEMA["properties"]["b"]
    assert "additionalProperties" not in narrowed


def test_several_grants_are_alternatives_argument_by_argument_and_never_at_the_top() -> None:
    narrowed = shown("grants: [{id: g, tool: s/t, args: {a: {max: 5}}}, {id: h, tool: s/t, args: {a: 9, b: any}}]")
    either = narrowed["properties"]["a"]
    assert either["description"] == "An a."
    assert [form.get("maximum", form.get("const")) for form in either["anyOf"]] == [5, 9]
    assert narrowed["properties"]["b"] == {"type": "string"}
    assert narrowed["required"] == ["a"]
    assert not {"anyOf", "oneOf", "allOf"} & narrowed.keys()


def test_the_same_limit_twice_is_said_once() -> None:
    text = "grants: [{id: g, tool: s/t, args: {a: {max: 5}}}, {id: h, tool: s/t, args: {a: {max: 5}, b: any}}]"
    assert shown(text)["properties"]["a"]["maximum"] == 5


def test_a_grant_that_is_over_or_for_others_does_not_widen_the_schema() -> None:
    text = """\
grants:
  - {id: g, tool: s/t, args: {a: 1}}
  - {id: h, tool: s/t, args: any, until: 2026-01-01T00:00:00Z}
  - {id: i, tool: s/t, args: any, when: {principal: ann}}
"""
    assert list(shown(text)["properties"]) == ["a"]


def test_limits_that_arent_disclosed_cant_be_read_off_the_schema() -> None:
    assert shown("grants: [{id: g, tool: s/t, args: {a: {max: 4711}}, disclose: false}]") == SCHEMA


def test_layers_narrow_one_after_another() -> None:
    both = Authority(
        (
            policy("grants: [{id: g, tool: s/t, args: {a: {max: 9}, b: any}}]"),
            mandate("grants: [{id: g, tool: s/t, args: {a: {min: 3}}, others: any}]"),
        )
    )
    narrowed = narrowed_schema(both, call("s/t"), SCHEMA, Still())
    assert (narrowed["properties"]["a"]["maximum"], narrowed["properties"]["a"]["minimum"]) == (9, 3)
    assert narrowed["additionalProperties"] is False


def test_a_granted_argument_that_the_server_takes_undescribed_is_shown() -> None:
    text = "grants: [{id: g, tool: s/t, args: {z: {max: 3}}}]"
    assert shown(text)["properties"]["z"]["maximum"] == 3
    closed = {**SCHEMA, "additionalProperties": False}
    assert narrowed_schema(under(text), call("s/t"), closed, Still())["properties"] == {}


@pytest.mark.parametrize(
    "odd", [{}, {"properties": []}, {"properties": {"a": True}}, {"properties": {"a": False}, "required": 5}]
)
def test_an_odd_schema_of_a_server_raises_nothing(odd: dict[str, Any]) -> None:
    narrowed = narrowed_schema(under("grants: [{id: g, tool: s/t, args: {a: {max: 5}}}]"), call("s/t"), odd, Still())
    assert narrowed["additionalProperties"] is False
