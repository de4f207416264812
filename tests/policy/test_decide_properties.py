"""What holds for every document, every call and all facts: the laws, each as one property."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import jsonschema_rs
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.model import EVERY_EFFECT, Answer, Call, Effect, EffectClass, Kind, Reason
from mcp_guard.policy.canonical import loose
from mcp_guard.policy.constraints import compile_check, parse_constraint
from mcp_guard.policy.decide import decide, visible
from mcp_guard.policy.document import Authority
from mcp_guard.policy.examine import examine
from mcp_guard.policy.explain import explain_call
from mcp_guard.policy.listing import narrowed_schema
from mcp_guard.policy.matching import carries, classes_for, given_arguments
from mcp_guard.policy.names import fits
from mcp_guard.policy.times import parse_moment
from tests.policy.drawn import SECRET, Written, calls, documents, facts, loaded, tightenings, with_ids
from tests.policy.scene import Broken, Still

EXAMPLES = settings(max_examples=200, deadline=None)


# --- a second judge, as naive as can be: one rule at a time, straight from the written document ---


def naive(written: Written, call: Call, facts: Still) -> Effect:
    named = [grant for grant in with_ids(written)["grants"] if grant_says_yes(grant, written, call, facts)]
    if any(fires(rule, written, call, facts) for rule in written["deny"]) or not named:
        return Effect.DENY
    asked = any(fires(rule, written, call, facts) for rule in written["ask"]) or all(g.get("ask") for g in named)
    return Effect.ASK if asked else Effect.ALLOW


def about(rule: Written, written: Written, call: Call, facts: Still, *, grant: bool) -> bool:
    if "effect" in rule and call.kind is Kind.TOOL:
        entry = written["tools"].get(call.name)
        has = (
            EVERY_EFFECT
            if entry is None
            else {EffectClass(e) for e in entry["effect"]} | facts.added_effects(*halves(call))
        )
        given = {EffectClass(effect) for effect in rule["effect"]}
        return has <= given and facts.known_at_first_sight(*halves(call)) if grant else bool(has & given)
    if "resource" in rule and call.kind is Kind.RESOURCE:
        answer = says(rule["resource"].get("uri", "any"), call.target, facts, grant=grant)
        return rule["resource"]["server"] == call.server and (
            answer is Answer.YES if grant else answer is not Answer.NO
        )
    names = rule.get("tool" if call.kind is Kind.TOOL else "prompt", []) if call.kind is not Kind.RESOURCE else []
    if not grant:
        return any(fits(loose(name), loose(call.name)) for name in names)
    return call.name in names or (any(fits(n, call.name) for n in names) and facts.known_at_first_sight(*halves(call)))


def halves(call: Call) -> tuple[str, str]:
    return call.server, call.target


def says(constraint: Any, value: Any, facts: Still, *, grant: bool) -> Answer:
    return compile_check(parse_constraint(constraint, in_grant=grant, variables={}, home="/home/u"))(value, facts)


def now_for(rule: Written, call: Call, facts: Still, *, grant: bool) -> bool:
    when, same = rule.get("when", {}), (lambda text: text) if grant else loose
    who = when.get("principal", "*")
    named = any(fits(same(name), same(call.principal)) for name in (who if isinstance(who, list) else [who]))
    late = "after" not in when.get("time", {}) or facts.now.hour >= 12
    fit = set(when.get("labels", [])) <= facts.exposed and not set(when.get("no_labels", [])) & facts.exposed
    return named and late and fit and ("days" not in when.get("time", {}) or facts.now.weekday() == 4)


def grant_says_yes(grant: Written, written: Written, call: Call, facts: Still) -> bool:
    if not about(grant, written, call, facts, grant=True) or not now_for(grant, call, facts, grant=True):
        return False
    called = [tool for tool, times in facts.done.tools.items() if times]
    if not all(any(fits(name, tool) for tool in called) for name in grant.get("after", [])):
        return False
    if grant.get("once") and facts.done.grants.get(f"policy/{grant['id']}"):
        return False
    end, arguments = parse_moment(grant["until"]) if "until" in grant else None, call.arguments
    if end is not None and facts.now >= end:
        return False
    args = grant.get("args", "any")
    if args != "any":
        known = {**args, **grant.get("optional", {})}
        if not args.keys() <= arguments.keys() or ("others" not in grant and not arguments.keys() <= known.keys()):
            return False
        if any(says(known[n], v, facts, grant=True) is not Answer.YES for n, v in arguments.items() if n in known):
            return False
    budget, used = grant.get("budget", {}), facts.used(f"policy/{grant['id']}")
    for name, limit in budget.get("sum", {}).items():
        value = arguments.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            return False
        if used.sums.get(name, Decimal(0)) + Decimal(str(value)) > Decimal(str(limit)):
            return False
    return "calls" not in budget or used.calls < budget["calls"]


def fires(rule: Written, written: Written, call: Call, facts: Still) -> bool:
    if not about(rule, written, call, facts, grant=False) or not now_for(rule, call, facts, grant=False):
        return False
    named = [name for name in facts.done.tools if any(fits(loose(one), loose(name)) for one in rule.get("after", []))]
    if "after" in rule and sum(facts.done.tools[name] for name in named) < rule.get("times", 1):
        return False
    given = call.arguments
    for name, constraint in rule.get("args", {}).items():
        alike = any(loose(other) == loose(name) for other in given)
        if says(constraint, given[name], facts, grant=False) is Answer.NO if name in given else not alike:
            return False
    return True


# --- the properties ---


@EXAMPLES
@given(documents(), calls(), facts())
def test_a_naive_judge_agrees(written: Written, call: Call, known: Still) -> None:
    assert decide(Authority((loaded(written),)), call, known).effect is naive(written, call, known)


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
