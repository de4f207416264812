"""The nearest permitted call: it is permitted, it is near, and there is none where nothing could be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given, settings

from mcp_guard.model import Call, Decision, Effect, Kind
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority
from mcp_guard.policy.explain import explain_call
from mcp_guard.policy.masked import masked
from mcp_guard.policy.nearest import Nearest, nearest_call
from tests.policy.drawn import Written, calls, documents, loaded
from tests.policy.scene import Still, call, mandate, policy, under


def nearest(text: str, asked: Call) -> Nearest | None:
    return _nearest(under(text), asked)


def _nearest(authority: Authority, asked: Call) -> Nearest | None:
    def judge(other: Call) -> Decision:
        return decide(authority, other, Still())

    return nearest_call(authority, asked, Still(), judge)


def test_what_fits_stays_and_what_does_not_becomes_the_nearest_that_does() -> None:
    text = "grants: [{id: a, tool: s/t, args: {path: {under: $project}, n: {min: 1, max: 100}}, optional: {to: any}}]"
    found = nearest(text, call("s/t", path="/etc/hosts", n=500, to="ann", force=True))
    assert found is not None
    assert found.arguments == {"path": "/srv/project/hosts", "n": 100, "to": "ann"}
    assert set(found.changed) == {"path", "n", "force"}


@pytest.mark.parametrize(
    ("limit", "value", "near"),
    [
        ("{above: 0, below: 10}", 12, 9),
        ("{above: 0, below: 1}", -3, 0.01),
        ("{min: 5}", 1, 5),
        ("{in: [open, closed]}", "close", "closed"),
        ("{max_length: 3}", "abcdef", "abc"),
        ("{domain_in: [example.com]}", "ann@example.org", "ann@example.com"),
        ("{each: {domain_in: [example.com]}}", ["a@example.com", "b@evil.example"], ["a@example.com", "b@example.com"]),
        ("{each: any, max_items: 1}", ["a", "b"], ["a"]),
        ("{fields: {x: {max: 5}, y: any}}", {"x": 7, "y": 1, "z": 2}, {"x": 5, "y": 1}),
        ("{under: $project, max_length: 20}", "/etc/a", "/srv/project/a"),
        ("{max: 5, null: ok}", 9, 5),
    ],
)
def test_each_limit_has_its_nearest_value(limit: str, value: Any, near: Any) -> None:
    found = nearest(f"grants: [{{id: a, tool: s/t, args: {{x: {limit}}}}}]", call("s/t", x=value))
    assert found is not None
    assert found.arguments == {"x": near}


def test_a_deny_and_a_mandate_are_heeded() -> None:
    text = "grants: [{id: a, tool: s/t, args: {n: {max: 100}}}]\ndeny: [{id: d, tool: s/t, args: {n: {above: 49}}}]"
    given_task = mandate("grants: [{id: m, tool: s/t, args: {n: {max: 60}}}]")
    found = _nearest(Authority((policy(text), given_task), Still().now), call("s/t", n=500))
    assert found is None or found.arguments["n"] <= 49


def test_a_call_that_is_allowed_beats_one_that_is_asked_about_and_fewer_changes_beat_both() -> None:
    rules = ["{id: a, tool: s/t, args: {n: {max: 9}}, ask: true}", "{id: b, tool: s/t, args: {n: {max: 5}}}"]
    found = nearest(f"grants: [{', '.join(rules)}]", call("s/t", n=20))
    assert found is not None
    assert (found.arguments, found.effect) == ({"n": 5}, Effect.ALLOW)


def test_where_no_argument_would_help_there_is_none() -> None:
    assert nearest("grants: [{id: a, tool: s/u, args: any}]", call("s/t", n=1)) is None
    assert nearest("grants: [{id: a, tool: s/t, args: any}]\ndeny: [{id: d, tool: s/t}]", call("s/t", n=1)) is None


@settings(max_examples=150, deadline=None)
@given(documents(), calls())
def test_what_is_named_as_nearest_is_permitted_and_is_named_only_for_what_is_denied(
    written: Written, asked: Call
) -> None:
    assume(asked.kind is Kind.TOOL)
    authority, facts = Authority((loaded(written),)), Still()

    def judge(other: Call) -> Decision:
        return decide(authority, other, facts)

    found = explain_call(authority, asked, facts, judge).nearest
    if decide(authority, asked, facts).effect is not Effect.DENY:
        assert found is None
    elif found is not None:
        params: Mapping[str, Any] = {**asked.params, "arguments": found.arguments}
        near = Call(asked.principal, asked.method, asked.server, asked.target, params, asked.kind)
        assert judge(near).effect is found.effect is not Effect.DENY
        assert found.changed


def test_a_failed_clause_says_what_it_met_and_never_the_value() -> None:
    text = "grants: [{id: a, tool: s/t, args: {path: {under: $project}, n: {max: 5}}}]"
    (layer,) = explain_call(under(text), call("s/t", path="/etc/passwd", n=7), Still()).layers
    (said,) = layer.rules
    assert "(given: a text of 11 characters)" in said.why and "(given: a whole number)" in said.why
    assert "passwd" not in said.why and "7" not in said.why


def test_every_kind_of_value_has_its_words() -> None:
    values = [None, True, 1, 1.5, "a", ["a"], ["a", "b"], {"a": 1}, object()]
    said = ["null", "true or false", "a whole number", "a number", "a text of 1 character", "a list of 1 entry"]
    assert [masked(one) for one in values] == [*said, "a list of 2 entries", "an object of 1 member", "something else"]
