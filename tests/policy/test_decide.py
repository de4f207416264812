"""How verdicts add up, rule kind by rule kind; `test_decide_properties.py` says what holds for every document."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from mcp_guard.model import Call, Charge, Decision, Effect, EffectClass, Reason, Usage
from mcp_guard.policy.decide import decide, visible
from mcp_guard.policy.document import Authority
from mcp_guard.policy.names import fits
from tests.policy.scene import NOON, Broken, Still, call, mandate, policy, prompt, resource, under

ALLOW, ASK, DENY = Effect.ALLOW, Effect.ASK, Effect.DENY


def judge(text: str, asked: Call, facts: Still | None = None) -> Decision:
    return decide(under(text), asked, facts or Still())


def ids(decision: Decision) -> list[str]:
    return [rule.id for rule in decision.rules]


# --- layers ---


def test_an_empty_stack_denies() -> None:
    decision = decide(Authority(()), call("s/t"), Still())
    assert (decision.effect, decision.reason) == (DENY, Reason.NO_AUTHORITY)


def test_a_call_must_pass_every_layer() -> None:
    wide, narrow = policy("grants: [{id: a, tool: s/*, args: any}]"), mandate("grants: [{id: b, tool: s/t, args: any}]")
    both = Authority((wide, narrow))
    assert decide(both, call("s/t"), Still()).effect is ALLOW
    refused = decide(both, call("s/u"), Still())
    assert (refused.effect, refused.reason) == (DENY, Reason.NO_GRANT)


def test_an_allowed_call_is_charged_to_the_carrying_grants_of_every_layer() -> None:
    both = Authority(
        (policy("grants: [{id: a, tool: s/t, args: any}]"), mandate("grants: [{id: b, tool: s/t, args: any}]"))
    )
    decision = decide(both, call("s/t"), Still())
    assert decision.charges == (
        Charge("policy/a", 0),
        Charge("mandate/b", 0),
    )  # without a budget there is nothing to count
    assert ids(decision) == ["a", "b"]


def test_a_mandate_past_its_end_denies_whatever_it_grants() -> None:
    over = Authority((mandate("grants: [{id: b, tool: s/t, args: any}]", expires="1h"),), NOON - timedelta(hours=1))
    decision = decide(over, call("s/t"), Still())
    assert (decision.effect, decision.reason) == (DENY, Reason.EXPIRED)
    assert decide(over, call("s/t"), Still(now=NOON - timedelta(seconds=1))).effect is ALLOW
    assert not visible(over, call("s/t"), Still())


# --- grants ---


def test_arguments_of_a_grant_are_closed() -> None:
    text = "grants: [{id: a, tool: s/t, args: {x: 1}, optional: {y: {max: 5}}}]"
    assert judge(text, call("s/t", x=1)).effect is ALLOW
    assert judge(text, call("s/t", x=1, y=5)).effect is ALLOW
    assert judge(text, call("s/t", x=1, y=6)).effect is DENY
    assert judge(text, call("s/t", x=1, z=1)).effect is DENY
    assert judge(text, call("s/t", y=1)).effect is DENY
    assert judge(text, call("s/t", x=1, y=None)).effect is DENY


def test_others_frees_what_is_not_listed_and_nothing_else() -> None:
    text = "grants: [{id: a, tool: s/t, args: {x: 1}, others: any}]"
    assert judge(text, call("s/t", x=1, z=[1])).effect is ALLOW
    assert judge(text, call("s/t", x=2, z=[1])).effect is DENY
    assert judge(text, call("s/t", z=[1])).effect is DENY


def test_args_any_wants_nothing_and_empty_args_want_none() -> None:
    assert judge("grants: [{id: a, tool: s/t, args: any}]", call("s/t", x=1)).effect is ALLOW
    assert judge("grants: [{id: a, tool: s/t, args: {}}]", call("s/t", x=1)).effect is DENY
    assert judge("grants: [{id: a, tool: s/t, args: {}}]", call("s/t")).effect is ALLOW


@pytest.mark.parametrize("arguments", [[], ["x"], "x", 7, None, True])
def test_arguments_that_are_no_object_match_no_grant_and_every_deny(arguments: object) -> None:
    odd = Call("local", "tools/call", "s", "t", {"name": "t", "arguments": arguments})
    assert judge("grants: [{id: a, tool: s/t, args: any}]", odd).effect is DENY
    refused = judge("grants: [{id: a, tool: s/t, args: any}]\ndeny: [{id: d, tool: s/t, args: {x: 1}}]", odd)
    assert ids(refused) == ["d"]


def test_the_mildest_of_the_matching_grants_counts_and_each_that_gives_it_is_charged() -> None:
    text = """\
grants:
  - {id: a, tool: s/t, args: any, ask: true}
  - {id: b, tool: s/t, args: {x: any}}
  - {id: c, tool: s/*, args: any}
"""
    decision = judge(text, call("s/t", x=1))
    assert decision.effect is ALLOW
    assert [charge.rule for charge in decision.charges] == ["policy/b", "policy/c"]


def test_a_grant_that_asks_asks_and_is_charged() -> None:
    decision = judge("grants: [{id: a, tool: s/t, args: any, ask: true, advice: Say why.}]", call("s/t"))
    assert (decision.effect, decision.reason) == (ASK, Reason.NEEDS_APPROVAL)
    assert decision.charges == (Charge("policy/a", 0),)
    assert decision.advice == ("Say why.",)


def test_a_grant_names_its_tools_to_the_letter() -> None:
    text = "grants: [{id: a, tool: s/Read, args: any}]"
    assert judge(text, call("s/Read")).effect is ALLOW
    assert judge(text, call("s/read")).effect is DENY
    assert judge(text, call("S/Read")).effect is DENY
    assert judge(text, call("s/ReadAll")).effect is DENY


def test_a_pattern_in_a_grant_reaches_only_what_was_known_at_first_sight() -> None:
    text = "grants: [{id: a, tool: 's/get_*', args: any}, {id: b, tool: s/put, args: any}]"
    assert judge(text, call("s/get_x")).effect is ALLOW
    assert judge(text, call("s/get_x"), Still(new=frozenset({"s/get_x"}))).effect is DENY
    assert judge(text, call("s/put"), Still(new=frozenset({"s/put"}))).effect is ALLOW
    assert judge(text, call("s/forget_x")).effect is DENY


@pytest.mark.parametrize("has", ["destructive", "egress", "spend", "[read, spend]"])
def test_without_a_lock_a_pattern_does_not_reach_what_destroys_sends_or_spends(has: str) -> None:
    entry = f"tools: {{s/do: {{effect: {has}}}, s/see: {{effect: read}}}}\n"
    grants = "grants: [{id: a, tool: 's/*', args: any}]"
    unlocked = Still(unlocked=frozenset({"s/do", "s/see", "s/unknown"}))
    assert judge(entry + grants, call("s/do")).effect is ALLOW
    assert judge(entry + grants, call("s/do"), unlocked).effect is DENY
    assert judge(entry + grants, call("s/see"), unlocked).effect is ALLOW
    assert judge(entry + grants, call("s/unknown"), unlocked).effect is DENY  # nobody said what it does
    exactly = grants.replace("s/*", "s/do")
    assert judge(entry + exactly, call("s/do"), unlocked).effect is ALLOW
    by_effect = "grants: [{id: a, effect: [read, write, destructive, egress, spend], args: any}]"
    assert judge(entry + by_effect, call("s/do"), unlocked).effect is DENY


def test_an_effect_in_a_grant_takes_tools_that_have_nothing_else() -> None:
    text = """\
tools: {s/r: {effect: read}, s/rw: {effect: [read, write]}}
grants: [{id: a, effect: read, args: any}]
"""
    assert judge(text, call("s/r")).effect is ALLOW
    assert judge(text, call("s/rw")).effect is DENY
    assert judge(text, call("s/undescribed")).effect is DENY
    annotated = Still(added={"s/r": frozenset({EffectClass.DESTRUCTIVE})})
    assert judge(text, call("s/r"), annotated).effect is DENY
    assert judge(text, call("s/r"), Still(new=frozenset({"s/r"}))).effect is DENY


def test_a_grant_is_absent_from_its_until_on() -> None:
    text = "grants: [{id: a, tool: s/t, args: any, until: 2026-11-20T12:00:00Z}]"
    decision = judge(text, call("s/t"))
    assert (decision.effect, decision.reason, ids(decision)) == (DENY, Reason.EXPIRED, ["a"])
    assert judge(text, call("s/t"), Still(now=NOON - timedelta(seconds=1))).effect is ALLOW


def test_an_until_that_the_arguments_would_have_failed_anyway_is_not_the_reason() -> None:
    text = "grants: [{id: a, tool: s/t, args: {x: 1}, until: 2026-11-20T12:00:00Z}]"
    assert judge(text, call("s/t", x=2)).reason is Reason.NO_GRANT


def test_when_limits_a_grant_to_principals_and_hours() -> None:
    text = """\
grants:
  - id: a
    tool: s/t
    args: any
    when: {principal: [ann, "team-*"], time: {after: "09:00", before: "17:00", days: [fri]}}
"""
    assert judge(text, call("s/t", "ann")).effect is ALLOW
    assert judge(text, call("s/t", "team-x")).effect is ALLOW
    assert judge(text, call("s/t", "Ann")).effect is DENY
    assert judge(text, call("s/t", "ann"), Still(now=NOON.replace(hour=17))).effect is DENY
    assert judge(text, call("s/t", "ann"), Still(now=NOON + timedelta(days=1))).effect is DENY


@pytest.mark.parametrize(
    ("window", "hour", "holds"),
    [
        ("{after: '22:00', before: '06:00'}", 23, True),
        ("{after: '22:00', before: '06:00'}", 5, True),
        ("{after: '22:00', before: '06:00'}", 6, False),
        ("{after: '22:00', before: '06:00'}", 21, False),
        ("{after: '09:00+02:00', before: '10:00+02:00'}", 7, True),
        ("{after: '09:00+02:00'}", 6, False),
        ("{before: '09:00-05:00'}", 13, True),
        ("{days: [fri]}", 0, True),
        ("{days: [thu]}", 0, False),
        ("{after: '00:00-02:00', days: [thu]}", 1, True),
    ],
)
def test_a_window_may_be_overnight_and_have_an_offset(window: str, hour: int, holds: bool) -> None:
    text = f"grants: [{{id: a, tool: s/t, args: any, when: {{time: {window}}}}}]"
    now = datetime(2026, 11, 20, hour, tzinfo=UTC)
    assert (judge(text, call("s/t"), Still(now=now)).effect is ALLOW) is holds


# --- budgets ---

BUDGET = "grants: [{id: a, tool: s/t, args: {n: any}, budget: {calls: 3, sum: {n: 200}}}]"


def spent(calls: int = 0, n: str = "0") -> Still:
    return Still(usage={"policy/a": Usage(calls, {"n": Decimal(n)})})


def test_a_budget_charges_calls_and_exact_sums() -> None:
    assert judge(BUDGET, call("s/t", n=0.1)).charges == (Charge("policy/a", 1, {"n": Decimal("0.1")}),)
    assert judge(BUDGET, call("s/t", n=5), spent(2, "195")).effect is ALLOW


@pytest.mark.parametrize(("facts", "n"), [(spent(3), 5), (spent(0, "195.01"), 5), (spent(0, "0"), 200.01)])
def test_a_grant_whose_budget_would_be_exceeded_is_absent(facts: Still, n: float) -> None:
    decision = judge(BUDGET, call("s/t", n=n), facts)
    assert (decision.effect, decision.reason, ids(decision)) == (DENY, Reason.BUDGET_SPENT, ["a"])
    assert decision.permitted == ()


def test_when_the_budget_is_spent_another_grant_may_still_carry_the_call() -> None:
    text = "grants: [{id: a, tool: s/t, args: any, budget: {calls: 1}}, {id: b, tool: s/t, args: any, ask: true}]"
    assert judge(text, call("s/t")).effect is ALLOW
    later = judge(text, call("s/t"), spent(1))
    assert (later.effect, [charge.rule for charge in later.charges]) == (ASK, ["policy/b"])


@pytest.mark.parametrize("n", [-1, -0.5, True, "5", None, [5], float("nan"), float("inf"), 10**200 + 1])
def test_a_summed_argument_must_be_an_exact_number_not_negative(n: object) -> None:
    assert judge(BUDGET, call("s/t", n=n), spent(0, "0.5")).effect is DENY


def test_a_summed_argument_must_be_given() -> None:
    text = "grants: [{id: a, tool: s/t, args: any, budget: {sum: {n: 200}}}]"
    assert judge(text, call("s/t", n=1)).effect is ALLOW
    assert judge(text, call("s/t")).reason is Reason.NO_GRANT


def test_many_small_amounts_are_not_rounded_away() -> None:
    nearly = Still(usage={"policy/a": Usage(0, {"n": Decimal("199." + "9" * 60)})})
    assert judge(BUDGET, call("s/t", n=1e-60), nearly).effect is ALLOW
    assert judge(BUDGET, call("s/t", n=2e-60), nearly).effect is DENY
    crumbs = Still(usage={"policy/a": Usage(0, {"n": Decimal("1." + "0" * 59 + "1")})})
    assert judge(BUDGET, call("s/t", n=1e-60), crumbs).effect is ALLOW


# --- asks and denies ---

OPEN = "grants: [{id: a, tool: 's/*', args: any}]\n"


def test_deny_beats_ask_beats_allow() -> None:
    text = OPEN + "ask: [{id: q, tool: s/t}]\n"
    assert judge(text, call("s/t")).effect is ASK
    assert ids(judge(text + "deny: [{id: d, tool: s/t}]", call("s/t"))) == ["d"]


def test_an_ask_grants_nothing() -> None:
    assert judge("ask: [{id: q, tool: s/t}]", call("s/t")).reason is Reason.NO_GRANT


def test_an_ask_that_fires_says_which_grants_will_be_charged() -> None:
    decision = judge(OPEN + "ask: [{id: q, tool: s/t, args: {n: {above: 50}}, advice: Big.}]", call("s/t", n=51))
    assert (ids(decision), decision.charges, decision.advice) == (["q"], (Charge("policy/a", 0),), ("Big.",))


def test_an_ask_or_deny_fires_unless_an_argument_is_a_clear_no() -> None:
    text = OPEN + "deny: [{id: d, tool: s/t, args: {n: {above: 50}}}]"
    assert judge(text, call("s/t", n=50)).effect is ALLOW
    assert judge(text, call("s/t", n=51)).effect is DENY
    assert judge(text, call("s/t", n="50")).effect is DENY
    assert judge(text, call("s/t", n=None)).effect is DENY
    assert judge(text, call("s/t", n=51, other=1)).effect is DENY


def test_an_argument_that_is_not_given_is_a_clear_no_unless_another_looks_like_it() -> None:
    text = OPEN + "deny: [{id: d, tool: s/t, args: {force: true}}]"
    assert judge(text, call("s/t")).effect is ALLOW
    assert judge(text, call("s/t", force=False)).effect is ALLOW
    assert judge(text, call("s/t", force=True)).effect is DENY
    assert judge(text, call("s/t", Force=True)).effect is DENY


def test_of_several_listed_arguments_one_clear_no_is_enough() -> None:
    text = OPEN + "deny: [{id: d, tool: s/t, args: {a: 1, b: 2}}]"
    assert judge(text, call("s/t", a=1, b=3)).effect is ALLOW
    assert judge(text, call("s/t", a=1, b=2)).effect is DENY


@pytest.mark.parametrize("name", ["s/send", "S/SEND", "s/Send", "s/\uff53end", "s/se\u200bnd"])
def test_a_deny_covers_whatever_looks_like_the_name(name: str) -> None:
    text = "grants: [{id: a, tool: '*/*', args: any}]\ndeny: [{id: d, tool: s/sEnd}]"
    assert ids(judge(text, call(name))) == ["d"]


def test_a_deny_by_pattern_covers_future_names() -> None:
    text = OPEN + "deny: [{id: d, tool: 's/del*'}]"
    assert judge(text, call("s/DELETE_all"), Still(new=frozenset({"s/DELETE_all"}))).reason is Reason.DENIED
    assert judge(text, call("s/undelete")).effect is ALLOW


def test_an_effect_in_a_deny_takes_every_tool_that_has_one_of_them() -> None:
    text = """\
tools: {s/r: {effect: read}, s/re: {effect: [read, egress]}}
grants: [{id: a, tool: 's/*', args: any}]
deny: [{id: d, effect: [egress, spend]}]
"""
    assert judge(text, call("s/r")).effect is ALLOW
    assert judge(text, call("s/re")).effect is DENY
    assert judge(text, call("s/undescribed")).effect is DENY
    assert judge(text, call("s/r"), Still(added={"s/r": frozenset({EffectClass.EGRESS})})).effect is DENY


def test_a_deny_for_some_principals_lets_the_others_through() -> None:
    text = OPEN + "deny: [{id: d, tool: s/t, when: {principal: Eve}}]"
    assert judge(text, call("s/t", "eve")).effect is DENY
    assert judge(text, call("s/t", "ann")).effect is ALLOW


def test_a_deny_at_certain_hours_holds_when_the_time_cant_be_told() -> None:
    text = "grants: [{id: a, tool: s/t, args: any}]\ndeny: [{id: d, tool: s/t, when: {time: {after: '20:00'}}}]"
    assert judge(text, call("s/t")).effect is ALLOW
    assert ids(decide(under(text), call("s/t"), Broken())) == ["d"]


# --- prompts and resources ---


def test_prompts_are_granted_by_their_own_key_with_arguments_like_tools() -> None:
    text = "grants: [{id: a, prompt: s/p, args: {style: short}}, {id: b, tool: s/q, args: any}]"
    assert judge(text, prompt("s/p", style="short")).effect is ALLOW
    assert judge(text, prompt("s/p", style="long")).effect is DENY
    assert judge(text, prompt("s/q")).effect is DENY
    assert judge(text, call("s/p", style="short")).effect is DENY


def test_resources_are_granted_by_server_and_uri() -> None:
    text = """\
grants: [{id: a, resource: {server: s, uri: {under: "file:///srv/project"}}}]
deny: [{id: d, resource: {server: s, uri: "file:///srv/project/secret"}}]
"""
    assert judge(text, resource("s", "file:///srv/project/a.txt")).effect is ALLOW
    assert judge(text, resource("s", "file:///etc/passwd")).effect is DENY
    assert judge(text, resource("t", "file:///srv/project/a.txt")).effect is DENY
    assert ids(judge(text, resource("s", "file:///srv/project/secret"))) == ["d"]
    assert not visible(under(text), resource("s", "file:///srv/project/secret"), Still())
    assert visible(under(text), resource("s", "file:///srv/project/a.txt"), Still())
    assert not visible(under(text), resource("s", "file:///etc/passwd"), Still())


def test_a_deny_of_resources_fires_unless_the_uri_is_a_clear_no() -> None:
    text = """\
grants: [{id: a, resource: {server: s, uri: any}}]
deny: [{id: d, resource: {server: S, uri: {under: "file:///srv/secret"}}}]
"""
    assert judge(text, resource("s", "file:///srv/open")).effect is ALLOW
    assert judge(text, resource("s", "file:///srv/open/../secret/x")).effect is DENY
    assert judge(text, resource("s", "file:///srv/%73ecret/x")).effect is DENY


# --- names ---


@pytest.mark.parametrize(
    ("pattern", "name", "fit"),
    [
        ("ab*b", "ab", False),
        ("ab*b", "abb", True),
        ("a*b*c", "a-b-c", True),
        ("a*b*c", "acb", False),
        ("a*bc*c", "abc", False),
        ("*", "", True),
        ("a**b", "ab", True),
        ("*a*", "banana", True),
        ("a?c", "abc", False),
        ("*" * 50 + "x", "y" * 10_000, False),
    ],
)
def test_a_star_stands_for_any_run_of_characters_and_nothing_else_does(pattern: str, name: str, fit: bool) -> None:
    assert fits(pattern, name) is fit


# --- what a refusal says ---

PROJECT = """\
grants:
  - {id: write, tool: s/w, args: {path: {under: $project}}, advice: Only in the project.}
  - {id: other, tool: s/w, args: {path: /tmp/x, mode: {max: 3}}}
"""


def test_a_refusal_names_the_nearest_grant_its_limits_and_its_advice() -> None:
    decision = judge(PROJECT, call("s/w", path="/etc/passwd"))
    assert (decision.reason, ids(decision)) == (Reason.NO_GRANT, ["write"])
    assert decision.permitted == ("s/w: path: an absolute path under /srv/project; nothing else",)
    assert decision.advice == ("Only in the project.",)
    assert "policy.yaml:3:5" in decision.detail
    assert "/etc/passwd" not in decision.detail


@pytest.mark.parametrize("path", ["/srv/project/../x", "/srv/project//x", "/srv/project/%2e%2e/x", "/srv/project/a\\b"])
def test_what_two_readers_would_read_differently_is_said_as_such(path: str) -> None:
    assert judge(PROJECT, call("s/w", path=path)).reason is Reason.NOT_CANONICAL
    assert judge(PROJECT, call("s/w", path=path, extra=1)).reason is Reason.NO_GRANT


def test_disclose_false_keeps_the_limits_of_that_grant_to_itself() -> None:
    text = "grants: [{id: a, tool: s/t, args: {x: 4711}, disclose: false}, {id: b, tool: s/t, args: {x: 12}}]"
    decision = judge(text, call("s/t", x=5))
    assert decision.permitted == ("s/t: x: exactly 12; nothing else",)


def test_a_refusal_discloses_no_limit_of_asks_and_denies() -> None:
    text = OPEN + "ask: [{id: q, tool: s/t, args: {n: {above: 4711}}}]\ndeny: [{id: d, tool: s/u, args: {n: 4711}}]"
    for decision in (judge(text, call("s/t", n=9999)), judge(text, call("s/u", n=4711))):
        assert decision.effect > ALLOW
        assert not any("4711" in line for line in (*decision.permitted, *decision.advice))


def test_a_grant_for_somebody_else_is_not_named_to_this_principal() -> None:
    decision = judge("grants: [{id: a, tool: s/t, args: {x: 4711}, when: {principal: ann}}]", call("s/t", x=1))
    assert (decision.reason, decision.rules, decision.permitted) == (Reason.NO_GRANT, (), ())


def test_without_any_grant_no_rule_is_named() -> None:
    decision = judge(OPEN, call("other/t"))
    assert (decision.reason, decision.rules, decision.permitted) == (Reason.NO_GRANT, (), ())


# --- totality and cost ---


class Bomb(Mapping[str, object]):
    """Arguments that blow up whoever looks at them."""

    def __getitem__(self, key: str) -> object:
        raise RuntimeError("boom")

    def __iter__(self):  # type: ignore[no-untyped-def]
        raise RuntimeError("boom")

    def __len__(self) -> int:
        raise RuntimeError("boom")


def test_arguments_that_raise_end_in_a_refusal() -> None:
    odd = Call("local", "tools/call", "s", "t", {"arguments": Bomb()})
    assert judge("grants: [{id: a, tool: s/t, args: {x: any}}]", odd).effect is DENY
    assert judge(OPEN + "deny: [{id: d, tool: s/t, args: {x: 1}}]", odd).reason is Reason.DENIED


def test_rules_about_other_tools_cost_nothing() -> None:
    rule = "  - {{id: r{0}, tool: s/t{0}, args: {{x: {{max: 5}}}}}}\n"
    few, many = under("grants:\n" + rule.format(0)), under("grants:\n" + "".join(rule.format(n) for n in range(1000)))
    assert fastest(many) < 100 * fastest(few)  # read one by one, they would cost a thousand times as much


def fastest(authority: Authority) -> float:
    asked, facts, times = call("s/t0", x=1), Still(), []
    for _ in range(50):
        start = time.perf_counter()
        for _ in range(20):
            assert decide(authority, asked, facts).allowed
        times.append(time.perf_counter() - start)
    return min(times)


def test_asking_for_ever_new_names_does_not_fill_the_memory() -> None:
    authority = under(OPEN)
    for number in range(5000):
        decide(authority, call(f"x/{number}"), Still())
    assert len(authority.layers[0].index._known) <= 4096
    assert decide(authority, call("s/t"), Still()).allowed
