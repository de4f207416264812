"""Explanations and sentences: what a person reads about a decision, and about a document before agreeing to it."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given, settings

from mcp_guard.model import Call, Effect, Kind, Reason, Usage
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority
from mcp_guard.policy.explain import explain_call
from mcp_guard.policy.sentences import sentence
from mcp_guard.policy.suggest import granting_line
from tests.policy.drawn import calls
from tests.policy.scene import Still, call, mandate, policy, prompt, resource, under

POLICY = """\
grants:
  - {id: pay, tool: bank/pay, args: {amount: {max: 100}, to: any}, budget: {calls: 3}}
  - {id: read, tool: files/read, args: {path: {under: $project}}}
ask:
  - {id: big, tool: bank/pay, args: {amount: {above: 50}}}
deny:
  - {id: no-eve, tool: bank/pay, args: {to: eve}}
"""


def verdicts(asked: Call, facts: Still | None = None) -> dict[str, str]:
    layers = explain_call(under(POLICY), asked, facts or Still()).layers
    return {said.rule.id: said.verdict for layer in layers for said in layer.rules}


def changes(authority: Authority, asked: Call, facts: Still | None = None) -> list[tuple[str, str]]:
    return [(change.words, change.line) for change in explain_call(authority, asked, facts or Still()).changes]


def test_every_rule_about_the_tool_is_there_with_what_it_says() -> None:
    assert verdicts(call("bank/pay", amount=10, to="ann")) == {
        "pay": "allows",
        "big": "says nothing",
        "no-eve": "says nothing",
    }
    assert verdicts(call("bank/pay", amount=60, to="eve")) == {"pay": "allows", "big": "asks", "no-eve": "denies"}
    assert verdicts(call("files/read", path="/etc/x")) == {"read": "says nothing"}


def test_the_clause_that_failed_is_named_and_its_place() -> None:
    [layer] = explain_call(under(POLICY), call("files/read", path="/etc/x"), Still()).layers
    [said] = layer.rules
    assert "`path`" in said.why
    assert "/srv/project" in said.why
    assert "/etc/x" not in said.why
    assert (said.rule.file, said.rule.line) == ("policy.yaml", 4)


def test_why_an_ask_kept_quiet_is_said() -> None:
    [layer] = explain_call(under(POLICY), call("bank/pay", amount=10), Still()).layers
    whys = {said.rule.id: said.why for said in layer.rules}
    assert whys["big"] == "argument `amount` clearly doesn't fit"
    assert whys["no-eve"] == "argument `to` isn't given"


def test_an_allowed_call_needs_no_change() -> None:
    assert changes(under(POLICY), call("bank/pay", amount=10, to="ann")) == []


def test_a_call_without_a_grant_gets_one_to_paste() -> None:
    [(words, line)] = changes(under(POLICY), call("files/read", path="/etc/hosts"))
    assert words == "add this grant"
    assert line == '- {id: allow-read, tool: files/read, args: {path: "/etc/hosts"}}'
    assert decide(under(f"grants:\n  {line}"), call("files/read", path="/etc/hosts"), Still()).effect is Effect.ALLOW


def test_a_pasted_grant_has_an_id_that_is_free() -> None:
    text = "grants:\n  - {id: allow-t, tool: s/x, args: {}}\n"
    [(_, line)] = changes(under(text), call("s/t", x=1))
    assert "id: allow-t-2," in line
    assert decide(under(f"{text}  {line}"), call("s/t", x=1), Still()).allowed


def test_each_obstacle_has_its_own_way_out() -> None:
    said = [words for words, _ in changes(under(POLICY), call("bank/pay", amount=500, to="eve"))]
    assert said[0].startswith("narrow or remove ask `big` (policy.yaml:6:5)")
    assert said[1].startswith("narrow or remove deny `no-eve` (policy.yaml:8:5)")
    assert said[2] == "add this grant"


def test_a_spent_budget_an_end_and_an_ask_are_named_as_what_to_change() -> None:
    spent = Still(usage={"policy/pay": Usage(3)})
    assert changes(under(POLICY), call("bank/pay", amount=10, to="ann"), spent)[0][0].startswith(
        "raise the budget of grant"
    )
    over = under("grants: [{id: a, tool: s/t, args: any, until: 2026-01-01T00:00:00Z}]")
    assert changes(over, call("s/t"))[0][0].startswith("move the end of grant `a`")
    asks = under("grants: [{id: a, tool: s/t, args: any, ask: true}]")
    assert changes(asks, call("s/t"))[0][0].startswith("take `ask: true` out of grant `a`")


def test_every_refusing_layer_has_its_own_changes() -> None:
    both = Authority((policy("grants: []"), mandate("grants: []")))
    assert [change.file for change in explain_call(both, call("s/t"), Still()).changes] == [
        "policy.yaml",
        "mandate.yaml",
    ]
    over = Authority((policy("grants: []"), mandate("", expires="2026-01-01T00:00:00Z")))
    assert explain_call(over, call("s/t"), Still()).changes[1].words == "the mandate is over: give a new one"


def test_an_explanation_is_plain_data() -> None:
    plain = json.loads(json.dumps(explain_call(under(POLICY), call("bank/pay", amount=60, to="x"), Still()).to_dict()))
    assert (plain["call"], plain["effect"], plain["reason"]) == ("bank/pay", "ask", Reason.NEEDS_APPROVAL.value)
    assert plain["layers"][0]["rules"][1] == {
        "id": "big",
        "kind": "ask",
        "file": "policy.yaml",
        "line": 6,
        "column": 5,
        "verdict": "asks",
        "why": "everything fits",
    }
    assert plain["changes"][0]["words"].startswith("narrow or remove ask `big`")


ODD = [
    call("s/t", x="$home", y="~/x", z="no", n="null", f="1e3", q='a"b', star="*.env", any="any"),
    call("s/t", "ann", **{"true": 1, "a b": True, "é": 0.1, "5": None, "": "x", "x:": [1]}),
    call("s/t", x="a\nb", long="x" * 500, emoji="😀", sep="\u2028", zero="\u200b"),
    call("s/t", number=10**30, big=1e300, neg=-5),
    prompt("s/p", style="short"),
    resource("s", "file:///srv/project/x"),
    resource("s", "db://users?x=$1"),
    call("s/odd,name"),
]


@pytest.mark.parametrize("asked", ODD[:-1], ids=range(len(ODD) - 1))
def test_a_suggested_line_allows_its_call_whatever_is_in_it(asked: Call) -> None:
    line = granting_line(asked, Still())
    assert "\n" not in line
    assert decide(under(f"grants:\n  {line}"), asked, Still()).allowed, line


def test_a_name_that_no_document_can_write_gets_no_line() -> None:
    assert granting_line(ODD[-1], Still()) == ""


def test_a_suggested_line_is_as_narrow_as_the_call() -> None:
    line = granting_line(call("s/t", to="ann", amount=5, body="x" * 500), Still())
    assert line == "- {id: allow-t, tool: s/t, args: {to: ann, amount: 5, body: any}}"


@settings(max_examples=200, deadline=None)
@given(calls())
def test_every_writable_call_gets_a_line_that_allows_it(asked: Call) -> None:
    line = granting_line(asked, Still())
    assume(line or asked.kind is Kind.RESOURCE or "\u200b" in asked.target)
    if line:
        assert decide(under(f"grants:\n  {line}"), asked, Still()).allowed, line


def test_each_rule_is_one_plain_sentence() -> None:
    assert sentence(policy(POLICY)) == [
        "pay: may call bank/pay with amount: at most 100; to: anything; nothing else, at most 3 times a session.",
        "read: may call files/read with path: an absolute path under /srv/project; nothing else.",
        "big: only if a person agrees, each time, it may call bank/pay with amount: more than 50.",
        "no-eve: never call bank/pay with to: exactly eve.",
    ]


def test_conditions_of_a_rule_are_in_its_sentence() -> None:
    text = """\
grants:
  - id: a
    tool: [s/t, s/u]
    args: {}
    optional: {n: {max: 5}}
    others: any
    ask: true
    budget: {calls: 1, sum: {n: 10}}
    until: 2027-01-01T01:00:00+01:00
    when: {principal: [ann, bob], time: {after: "09:00", before: "17:00", days: [mon, fri]}}
  - {id: b, resource: {server: s, uri: any}}
  - {id: c, effect: [read, write], args: any}
deny:
  - {id: d, effect: [egress], when: {time: {days: sun}}}
  - {id: e, prompt: s/*}
"""
    assert sentence(policy(text)) == [
        "a: may, each time a person agrees, "
        "call s/t or s/u with optionally n: at most 5; any others, "
        "only for ann or bob, only from 09:00 until 17:00 on mon, fri, at most 1 time a session, "
        "up to 10 of n a session, "
        "until 2027-01-01T00:00:00Z.",
        "b: may read a resource of s with uri: anything.",
        "c: may call any tool that has no other effect than read or write with any arguments.",
        "d: never call any tool that has the effect egress with any arguments, only on sun.",
        "e: never use the prompt s/* with any arguments.",
    ]


@pytest.mark.parametrize(
    ("expires", "end"),
    [
        ("90m", "ends 90 minutes after it starts"),
        ("2h", "ends 2 hours after it starts"),
        ("1d", "ends 1 day after it starts"),
        ("45s", "ends 45 seconds after it starts"),
        ("2026-12-31T01:00:00+01:00", "ends at 2026-12-31T00:00:00Z"),
    ],
)
def test_a_mandate_begins_with_its_task_and_its_end(expires: str, end: str) -> None:
    lines = sentence(mandate("grants: [{id: a, tool: s/t, args: {}}]", expires=expires))
    assert lines == [f"For this task, which {end}: a task", "a: may call s/t with no arguments."]


def test_why_a_deny_fired_tells_a_clear_yes_from_what_could_not_be_told() -> None:
    document = """
deny:
  - {id: sure, tool: s/t, args: {x: {max: 5}}}
  - {id: unsure, tool: s/t, args: {x: {max: 5}, y: any}}
  - {id: wide, effect: [write, spend]}
  - {id: always, tool: s/t}
"""
    [layer] = explain_call(under(document), call("s/t", x=3, y=1), Still()).layers
    whys = {said.rule.id: said.why for said in layer.rules}
    assert whys["sure"] == whys["always"] == "everything fits"
    assert whys["wide"] == "the tool counts as spend, write"
    [layer] = explain_call(under(document), call("s/t", x="three", y=1), Still()).layers
    assert {said.rule.id: said.why for said in layer.rules}["sure"] == "nothing in it is a clear no"
