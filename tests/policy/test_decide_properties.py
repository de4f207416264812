"""What holds for every document, every call and all facts: the laws, each as one property."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema_rs
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.model import Call, Effect, Kind, Reason
from mcp_guard.policy.decide import decide, visible
from mcp_guard.policy.document import Authority
from mcp_guard.policy.examine import examine
from mcp_guard.policy.explain import explain_call
from mcp_guard.policy.listing import narrowed_schema
from mcp_guard.policy.matching import carries, classes_for, given_arguments
from tests.policy.drawn import SECRET, Written, calls, documents, facts, loaded, tightenings, with_ids
from tests.policy.scene import Broken, Still

EXAMPLES = settings(max_examples=200, deadline=None)


# --- the properties ---


@EXAMPLES
@given(documents(), calls(), facts(), st.randoms(use_true_random=False))
def test_the_order_of_rules_does_not_matter(written: Written, call: Call, known: Still, random: Any) -> None:
    named = with_ids(written)
    mixed = {
        key: random.sample(value, len(value)) if isinstance(value, list) else value for key, value in named.items()
    }
    one, other = (decide(Authority((loaded(doc),)), call, known) for doc in (named, mixed))
    assert (one.effect, one.reason) == (other.effect, other.reason)
    assert {rule.id for rule in one.rules} == {rule.id for rule in other.rules}
    assert {charge.rule for charge in one.charges} == {charge.rule for charge in other.charges}


@EXAMPLES
@given(documents(), tightenings(), st.sampled_from(["ask", "deny"]), calls(), facts())
def test_adding_an_ask_or_a_deny_never_loosens(
    written: Written, rule: Written, section: str, call: Call, known: Still
) -> None:
    more = {**written, section: [*written[section], rule]}
    before, after = (decide(Authority((loaded(doc),)), call, known) for doc in (written, more))
    assert after.effect >= before.effect


@EXAMPLES
@given(documents(), documents(), calls(), facts())
def test_adding_a_layer_never_loosens(written: Written, task: Written, call: Call, known: Still) -> None:
    policy, mandate = loaded(written), loaded(task, mandate=True)
    both = decide(Authority((policy, mandate)), call, known)
    assert both.effect >= decide(Authority((policy,)), call, known).effect
    assert not (visible(Authority((policy, mandate)), call, known) and not visible(Authority((policy,)), call, known))


@EXAMPLES
@given(documents(), documents(), calls(), facts())
def test_what_is_allowed_is_listed(written: Written, task: Written, call: Call, known: Still) -> None:
    for authority in (Authority((loaded(written),)), Authority((loaded(written), loaded(task, mandate=True)))):
        if decide(authority, call, known).effect < Effect.DENY:
            assert visible(authority, call, known)


@EXAMPLES
@given(documents(), calls(), facts())
def test_a_listing_depends_on_no_budget_and_no_argument(written: Written, call: Call, known: Still) -> None:
    authority = Authority((loaded(written),))
    unused = replace(known, usage={})
    bare = Call(call.principal, call.method, call.server, call.target, {}, call.kind)
    assert visible(authority, call, known) == visible(authority, bare, unused)


@EXAMPLES
@given(documents(), calls(), facts(), facts())
def test_a_listing_depends_on_nothing_that_the_session_met_or_did(
    written: Written, call: Call, known: Still, other: Still
) -> None:
    authority = Authority((loaded(written),))
    elsewhere = replace(known, exposed=other.exposed, done=other.done)
    assert visible(authority, call, known) == visible(authority, call, elsewhere)
    assert narrowed_schema(authority, call, {}, known) == narrowed_schema(authority, call, {}, elsewhere)


SCHEMAS: list[dict[str, Any]] = [
    {"type": "object"},
    {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"description": "b"}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {}, "b": True}, "additionalProperties": False},
    {"type": "object", "properties": {"a": {"anyOf": [{"type": "integer"}, {"type": "string"}], "default": 1}}},
    {"type": "object", "patternProperties": {"^[aA]$": {}}, "additionalProperties": {"type": ["string", "null"]}},
    {"type": "object", "properties": {"b": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"type": ["array", "string"]}}},
    {"type": "object", "allOf": [{"properties": {"a": {"type": "integer"}}}]},
]


@EXAMPLES
@given(documents(), documents(), calls(), facts(), st.sampled_from(SCHEMAS))
def test_the_narrowed_schema_takes_every_allowed_call_and_nothing_the_server_refuses(
    written: Written, task: Written, call: Call, known: Still, schema: dict[str, Any]
) -> None:
    authority = Authority((loaded(written), loaded(task, mandate=True)))
    before = json.dumps(schema)
    narrowed = narrowed_schema(authority, call, schema, known)
    assert json.dumps(schema) == before
    assert not {"anyOf", "oneOf", "allOf"} & (narrowed.keys() - schema.keys())
    server, client = (jsonschema_rs.validator_for(each) for each in (schema, narrowed))
    arguments = dict(call.arguments)
    if server.is_valid(arguments) and decide(authority, call, known).effect < Effect.DENY:
        assert client.is_valid(arguments), narrowed


@EXAMPLES
@given(documents(), calls(), facts())
def test_facts_that_cant_be_had_never_loosen(written: Written, call: Call, known: Still) -> None:
    authority = Authority((loaded(written),))
    assert decide(authority, call, Broken()).effect >= decide(authority, call, known).effect
    assert not (visible(authority, call, Broken()) and not visible(authority, call, known))


@EXAMPLES
@given(documents(), calls(), st.one_of(facts(), st.just(Broken())))
def test_no_clause_fails_exactly_if_the_grant_carries(written: Written, call: Call, known: Any) -> None:
    authority = Authority((loaded(written),))
    speakers = authority.layers[0].index.speakers(call.kind, call.server, call.target)
    classes, arguments = classes_for(speakers, authority.tools, call, known), given_arguments(call)
    for reach in speakers.grants:
        carried = carries(reach, call, arguments, classes, known) is not None
        assert carried == (not examine(reach, call, arguments, classes, known).failures)


@EXAMPLES
@given(documents(), calls(), st.one_of(facts(), st.just(Broken())))
def test_a_decision_is_whole_and_quotes_no_value(written: Written, call: Call, known: Any) -> None:
    decision = decide(Authority((loaded(written),)), call, known)
    assert (decision.reason is None) == decision.allowed
    assert bool(decision.charges) == (decision.effect < Effect.DENY)
    assert decision.reason is not Reason.INTERNAL
    if not decision.allowed:
        assert decision.detail
    if call.kind is not Kind.RESOURCE:
        assert SECRET not in repr(decision)


@EXAMPLES
@given(documents(), calls(), facts())
def test_permitted_is_only_what_disclosing_grants_say(written: Written, call: Call, known: Still) -> None:
    hidden = {**written, "grants": [{**grant, "disclose": False} for grant in written["grants"]]}
    assert decide(Authority((loaded(hidden),)), call, known).permitted == ()


@EXAMPLES
@given(documents(), calls(), st.one_of(facts(), st.just(Broken())))
def test_an_explanation_says_what_was_decided(written: Written, call: Call, known: Any) -> None:
    authority = Authority((loaded(written),))
    explained = explain_call(authority, call, known)
    assert explained.decision == decide(authority, call, known)
    assert explained.decision.allowed or explained.changes
    json.dumps(explained.to_dict())
