"""Budgets, rates, groups, a required mandate, and nulls: how much, for whom, under what, and what counts as nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.model import Call, Decision, Effect, Reason
from mcp_guard.policy.cases_facts import CaseFacts
from mcp_guard.policy.decide import decide, visible
from mcp_guard.policy.document import Authority, Document
from mcp_guard.policy.explain import explain_call
from mcp_guard.policy.sentences import sentence
from tests.policy.scene import NOON, Still, call, mandate, policy, under

EXAMPLES = settings(max_examples=150, deadline=None)
PAY = "tool: bank/pay, args: {amount: any, to: any}"


class History(CaseFacts):
    """What one principal's calls have used, as the record would have it."""

    def __init__(self, now: datetime = NOON) -> None:
        super().__init__(now, "/srv/project", {})

    def make(self, authority: Authority, asked: Call, later: float = 0) -> Decision:
        """Make a call, so many seconds after the one before."""
        self.now += timedelta(seconds=later)
        decision = decide(authority, asked, self)
        if decision.allowed:
            self.charge(decision.charges)
        return decision


def pay(amount: Any = 1, to: Any = "DE1", principal: str = "local") -> Call:
    return call("bank/pay", principal, amount=amount, to=to)


def grant(more: str) -> Authority:
    return under(f"grants: [{{id: pay, {PAY}, {more}}}]")


@pytest.mark.parametrize(("per", "seconds"), [("hour", 3600), ("day", 86_400)])
def test_a_window_rolls_and_a_charge_counts_until_exactly_so_much_time_has_passed(per: str, seconds: int) -> None:
    history, authority = History(), grant(f"budget: {{calls: 2, per: {per}}}")
    assert history.make(authority, pay()).allowed
    assert history.make(authority, pay(), 1).allowed
    last = history.make(authority, pay(), seconds - 1.000001)
    assert (last.effect, last.reason) == (Effect.DENY, Reason.TOO_OFTEN)
    assert history.make(authority, pay(), 0.000001).allowed  # the first one no longer counts
    assert not history.make(authority, pay(), 0.999999).allowed  # the second one does, still
    assert history.make(authority, pay(), 0.000001).allowed


def test_a_rate_has_no_edge_where_twice_as_many_calls_fit() -> None:
    history, authority = History(), grant("rate: 10/m")
    allowed: list[datetime] = []
    for _ in range(400):
        if history.make(authority, pay(), 1).allowed:
            allowed.append(history.now)
    assert len(allowed) == 70
    for start in allowed:
        assert sum(start <= at < start + timedelta(minutes=1) for at in allowed) <= 10


def test_a_call_that_no_window_could_ever_take_is_refused_for_good() -> None:
    authority = grant("budget: {sum: {amount: 100}, per: day}")
    assert decide(authority, pay(101), History()).reason is Reason.BUDGET_SPENT
    history = History()
    assert history.make(authority, pay(60)).allowed
    assert history.make(authority, pay(60)).reason is Reason.TOO_OFTEN


def test_different_values_are_counted_and_a_known_one_is_free() -> None:
    history, authority = History(), grant("budget: {distinct: {to: 2}}")
    said = [history.make(authority, pay(to=to)).allowed for to in ("a", "b", "a", "c", "b", "A", 1, None)]
    assert said == [True, True, True, False, True, False, False, False]
    assert history.make(authority, call("bank/pay", amount=1)).reason is Reason.NO_GRANT


def test_a_window_forgets_values_too() -> None:
    history, authority = History(), grant("budget: {distinct: {to: 1}, per: hour}")
    assert history.make(authority, pay(to="a")).allowed
    assert not history.make(authority, pay(to="b"), 3599).allowed
    assert history.make(authority, pay(to="b"), 1).allowed


def test_an_argument_whose_values_are_counted_has_to_be_given() -> None:
    authority = under("grants: [{id: p, tool: bank/pay, args: {}, optional: {to: any}, budget: {distinct: {to: 3}}}]")
    assert decide(authority, call("bank/pay"), History()).effect is Effect.DENY
    assert decide(authority, call("bank/pay", to="a"), History()).allowed


def test_per_session_per_hour_and_per_mandate_are_counted_in_accounts_of_their_own() -> None:
    text = f"grants: [{{id: pay, {PAY}, budget: {{calls: 1, per: PER}}}}]"
    layers: dict[str, Document] = {per: policy(text.replace("PER", per)) for per in ("session", "hour")}
    layers |= {f"mandate {per}": mandate(text.replace("PER", per)) for per in ("session", "mandate", "hour")}
    counts = {
        (name, who): decide(Authority((layer,)), pay(principal=who), History()).charges[0].count
        for name, layer in layers.items()
        for who in ("ann", "bob")
    }
    assert counts["session", "ann"] == counts["session", "bob"] == ("policy/pay", "", 0)
    assert counts["mandate session", "ann"] == ("mandate/pay", "", 0)
    assert (
        len({counts[name, who][1:] for name in ("hour", "mandate mandate", "mandate hour") for who in ("ann", "bob")})
        == 6
    )
    assert all("ann" not in account for _, account, _ in counts.values())
    other = mandate(text.replace("PER", "mandate") + "\ndeny: [{id: x, tool: s/x}]")
    assert decide(Authority((other,)), pay(principal="ann"), History()).charges[0].account not in {
        account for _, account, _ in counts.values()
    }


def test_a_budget_and_a_rate_both_have_to_have_room_and_both_are_charged() -> None:
    history, authority = History(), grant("rate: 1/s, budget: {calls: 2}")
    first = history.make(authority, pay())
    assert [charge.count for charge in first.charges] == [("policy/pay", "", 0), ("policy/pay", "", 1)]
    assert history.make(authority, pay()).reason is Reason.TOO_OFTEN
    assert history.make(authority, pay(), 1).allowed
    assert history.make(authority, pay(), 1).reason is Reason.BUDGET_SPENT
    assert history.make(authority, pay()).reason is Reason.BUDGET_SPENT


def test_a_refusal_tells_the_limits_and_never_what_is_left() -> None:
    history = History()
    authority = grant("rate: 2/m, budget: {calls: 9, sum: {amount: 50}, distinct: {to: 3}, per: day}")
    for _ in range(2):
        history.make(authority, pay(7))
    refused = history.make(authority, pay(7))
    assert refused.permitted == (
        "bank/pay: amount: anything; to: anything; nothing else; at most 9 times in any day; up to 50 of amount in any "
        "day; with at most 3 different values of to in any day; at most 2 times in any minute",
    )


def test_limits_stay_secret_where_a_grant_does_not_disclose() -> None:
    history, authority = History(), grant("rate: 1/m, disclose: false")
    history.make(authority, pay())
    assert history.make(authority, pay()).permitted == ()


def test_sentences_say_rates_windows_and_values() -> None:
    said = sentence(grant("rate: 1/h, budget: {distinct: {to: 1}, per: hour}").layers[0])
    assert said == [
        "pay: may call bank/pay with amount: anything; to: anything; nothing else, with at most 1 different value of "
        "to in any hour, at most 1 time in any hour."
    ]


def test_without_a_way_to_tell_values_apart_nothing_is_granted() -> None:
    class Keyless(Still):
        def fingerprint(self, value: Any) -> str:
            raise ValueError("no key")

    assert decide(grant("budget: {distinct: {to: 2}}"), pay(), Keyless()).effect is Effect.DENY


@st.composite
def budgets(draw: st.DrawFn) -> str:
    parts = {
        "calls": draw(st.sampled_from(["", "2", "3"])),
        "sum": draw(st.sampled_from(["", "{amount: 5}"])),
        "distinct": draw(st.sampled_from(["", "{to: 1}", "{to: 2}"])),
    }
    written = [f"{key}: {value}" for key, value in parts.items() if value] or ["calls: 1"]
    return f"budget: {{{', '.join(written)}, per: {draw(st.sampled_from(['session', 'hour', 'day']))}}}"


calls_over_time = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.sampled_from([0, 1, 1799.5, 3600, 43_200])), max_size=14
)


@EXAMPLES
@given(budgets(), st.sampled_from(["", "rate: 2/h, ", "rate: 1/d, "]), calls_over_time)
def test_no_window_of_any_history_holds_more_than_its_budget(
    written: str, rate: str, made: list[tuple[int, str, float]]
) -> None:
    """Looked at from outside: every window that ends with a call, added up by hand."""
    history, authority = History(), grant(rate + written)
    rule = authority.layers[0].rules[0]
    budget = rule.budget
    assert budget is not None
    done: list[tuple[datetime, int, str]] = []
    for amount, to, later in made:
        if history.make(authority, pay(amount, to), later).allowed:
            done.append((history.now, amount, to))
    for end, _, _ in done:
        kept = list(_before(done, end, budget.seconds))
        assert budget.calls is None or len(kept) <= budget.calls
        assert sum(amount for amount, _ in kept) <= budget.sums.get("amount", 10**9)
        assert len({to for _, to in kept}) <= budget.distinct.get("to", 10**9)
        if rule.rate is not None:
            assert len(list(_before(done, end, rule.rate.seconds))) <= rule.rate.calls


def _before(done: list[tuple[datetime, int, str]], end: datetime, seconds: int) -> Iterator[tuple[int, str]]:
    for at, amount, to in done:
        if at <= end and (not seconds or end - at < timedelta(seconds=seconds)):
            yield amount, to


def test_sums_in_a_window_are_exact() -> None:
    history, authority = History(), grant("budget: {sum: {amount: 0.3}, per: hour}")
    assert [history.make(authority, pay(0.1)).allowed for _ in range(4)] == [True, True, True, False]
    assert history.used("policy/pay", history.make(authority, pay(0)).charges[0].account, 3600).sums == {
        "amount": Decimal("0.3")
    }


# --- groups ---

GROUPS = """\
groups: {accountants: [alice, "team-*@example.com"], others: bob}
grants:
  - {id: books, tool: s/read, args: {}, when: {principal: {group: accountants}}}
  - {id: mixed, tool: s/list, args: {}, when: {principal: [carl, {group: others}]}}
deny: [{id: none, tool: s/list, when: {principal: {group: accountants}}}]
"""


@pytest.mark.parametrize(
    ("who", "read", "listed"),
    [
        ("alice", True, False),
        ("team-a@example.com", True, False),
        ("bob", False, True),
        ("carl", False, True),
        ("accountants", False, False),
        ("@accountants", False, False),
        ("{group: accountants}", False, False),
        ("Alice", False, False),
    ],
)
def test_a_group_is_those_who_are_in_it_and_nobody_by_its_name(who: str, read: bool, listed: bool) -> None:
    authority = under(GROUPS)
    assert decide(authority, call("s/read", who), Still()).allowed is read
    assert decide(authority, call("s/list", who), Still()).allowed is listed
    assert visible(authority, call("s/read", who), Still()) is read


def test_a_deny_for_a_group_is_as_loose_as_one_for_a_name() -> None:
    authority = under(
        "groups: {g: [ann]}\ngrants: [{id: a, tool: s/t, args: {}}]\n"
        "deny: [{id: d, tool: s/t, when: {principal: {group: g}}}]"
    )
    assert [decide(authority, call("s/t", who), Still()).allowed for who in ("ann", "ANN", "bob")] == [
        False,
        False,
        True,
    ]


# --- a required mandate ---

ALONE = "mandate: required\ngrants: [{id: a, tool: s/t, args: {}}]"


def test_a_policy_that_wants_a_mandate_permits_and_shows_nothing_without_one() -> None:
    decision = decide(under(ALONE), call("s/t"), Still())
    assert (decision.effect, decision.reason) == (Effect.DENY, Reason.NO_MANDATE)
    assert not visible(under(ALONE), call("s/t"), Still())
    explained = explain_call(under(ALONE), call("s/t"), Still())
    assert [change.words for change in explained.changes] == ["give a mandate: this policy permits nothing without one"]
    assert "Without a mandate" in sentence(policy(ALONE))[0]


def test_with_a_mandate_both_count_and_a_mandate_that_is_over_is_none() -> None:
    task = mandate("grants: [{id: m, tool: s/t, args: {}}, {id: n, tool: s/u, args: {}}]")
    both = Authority((policy(ALONE), task))
    assert decide(both, call("s/t"), Still()).allowed
    assert visible(both, call("s/t"), Still())
    assert not decide(both, call("s/u"), Still()).allowed
    over = Still(now=NOON + timedelta(days=365))
    assert decide(both, call("s/t"), over).reason is Reason.EXPIRED


# --- nulls ---

STRICT = "grants: [{id: a, tool: s/t, args: {path: any}, optional: {head: {min: 1}}, NULLS}]"
NULLS = under(STRICT.replace("NULLS", "nulls: absent"))


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        ({"path": "a"}, True),
        ({"path": "a", "head": None}, True),
        ({"path": "a", "head": None, "tail": None}, True),
        ({"path": "a", "head": 0}, False),
        ({"path": "a", "tail": 1}, False),
        ({"path": "a", "tail": False}, False),
        ({"path": "a", "tail": ""}, False),
        ({"head": None}, False),
        ({"path": None}, True),  # the limit itself takes it
    ],
)
def test_null_counts_as_not_given_where_nothing_has_to_be_given(arguments: dict[str, Any], allowed: bool) -> None:
    assert decide(NULLS, call("s/t", **arguments), Still()).allowed is allowed


def test_a_required_argument_is_not_given_as_null() -> None:
    authority = under("grants: [{id: a, tool: s/t, args: {path: {under: $project}}, nulls: absent}]")
    assert not decide(authority, call("s/t", path=None), Still()).allowed


def test_what_is_judged_is_sent_so_denies_see_the_null() -> None:
    text = STRICT.replace("NULLS", "nulls: absent") + "\ndeny: [{id: d, tool: s/t, args: {tail: any}}]"
    assert decide(under(text), call("s/t", path="a", tail=None), Still()).reason is Reason.DENIED


values = st.sampled_from([None, None, 0, 1, 2, "x", [], [None]])


@EXAMPLES
@given(st.dictionaries(st.sampled_from(["path", "head", "tail"]), values, max_size=3))
def test_nulls_are_the_same_as_leaving_them_out_for_a_grant_and_only_widen_it(arguments: dict[str, Any]) -> None:
    plain = under(STRICT.replace(", NULLS", ""))
    without = {name: value for name, value in arguments.items() if value is not None or name == "path"}
    lenient = decide(NULLS, call("s/t", **arguments), Still()).effect
    assert lenient is decide(plain, call("s/t", **without), Still()).effect
    assert lenient <= decide(plain, call("s/t", **arguments), Still()).effect


def test_explain_says_what_is_left_of_a_budget_over_sessions_and_a_refusal_does_not() -> None:
    history, authority = History(), grant("budget: {calls: 3, sum: {amount: 10}, per: day}")
    history.make(authority, pay(4))
    (said,) = explain_call(authority, pay(2), history).layers[0].rules
    assert said.why == "everything fits; 2 of 3 calls left in any day; 6 of 10 of amount left in any day"
    refused = history.make(authority, pay(7))
    assert "left" not in f"{refused.permitted} {refused.advice}"
