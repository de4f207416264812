"""A suggestion never permits more, whatever was recorded, and never refuses what it was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_guard.cli.suggesting import Suggestion, suggestion
from mcp_guard.policy.compare import compare
from mcp_guard.policy.compare_verdicts import Verdict
from mcp_guard.record.was import value_digest
from mcp_guard.report.seen import Event, Loaded, Reported, Seen
from mcp_guard.suggesting.writing import document_text
from tests.suggesting.made_up import FILE, KEY, allowed, present, seen

LIMITS = {
    "path": ["any", "{under: $project}", "{under: /p/a, not_name: [x]}", "{in: [/p/a/x, /p/b]}"],
    "amount": ["any", "{max: 100}", "{above: 0, below: 60}", "{in: [1, 5, 7]}", "5"],
    "to": ["any", "{domain_in: [a.example, .b.example]}", "{max_length: 500}", "{not_in: [q]}", '{matches: ".*"}'],
    "url": ["any", "{host_in: [a.example, .b.example]}"],
    "list": ["any", "{each: {max_length: 900}}", "{max_items: 9}", "{each: any, null: ok}"],
}
VALUES: dict[str, list[Any]] = {
    "path": ["/p/a/x", "/p/a/b/y", "/p/b", "/p/a/$z", "/q", "a", "/p/../q", None, "/p/a"],
    "amount": [1, 5, 7, 47, 59.5, 0, -3, "5", True, 10**30, 0.003],
    "to": ["iris@a.example", "me@x.b.example", "no", "", "ä" * 70, "any", "null", "\u202ex", "$x"],
    "url": ["https://a.example/x", "http://a.example:81", "https://x.b.example", "https://[", "ftp://a.example"],
    "list": [[], ["x"], ["x", "iris@a.example"], [1, None], [["x"]], None, [""]],
}
MORE = ["", ", budget: {calls: 9}", ", others: any", ", nulls: absent", ", ask: true", ", once: true", ", rate: 9/m"]
TARGETS = ["bank/pay", "[bank/pay, bank/read]", '["bank/*", bank/read]']


@st.composite
def policies(draw: st.DrawFn) -> str:
    lines = []
    for number in range(draw(st.integers(1, 3))):
        names = draw(st.lists(st.sampled_from(sorted(LIMITS)), unique=True, max_size=3))
        limits = {name: draw(st.sampled_from(LIMITS[name])) for name in names}
        optional = {name: limits.pop(name) for name in names if draw(st.booleans())}
        more = draw(st.sampled_from(MORE))
        if draw(st.integers(0, 5)) == 0:
            said = "args: any"
            more = "" if "others" in more or "nulls" in more else more
        else:
            said = f"args: {_flow(limits)}" + (f", optional: {_flow(optional)}" if optional else "")
        lines.append(f"  - {{id: g{number}, tool: {draw(st.sampled_from(TARGETS))}, {said}{more}}}")
    deny = "deny: [{id: no, tool: bank/read, args: {amount: {above: 50}}}]\n" if draw(st.booleans()) else ""
    return "tools: {bank/pay: {effect: read}, bank/read: {effect: read}}\ngrants:\n" + "\n".join(lines) + f"\n{deny}"


def _flow(limits: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}: {limit}" for name, limit in limits.items()) + "}"


ARGUMENTS = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in VALUES.items()})
CALLS = st.lists(st.tuples(st.sampled_from(["bank/pay", "bank/read"]), ARGUMENTS, st.booleans()), max_size=12)


def made(text: str, events: Sequence[Event], share: float = 0.0) -> Suggestion:
    return suggestion(
        present(text), events, lambda name, value: value_digest(KEY, name, value), share, lambda path: path
    )


def recorded(text: str, calls: Sequence[tuple[str, Mapping[str, Any], bool]], repeat: int = 1) -> list[Seen]:
    """What a guard would have recorded of these calls: those that the policy doesn't allow, as refused."""
    document, found = present(text).document, []
    for number, (name, arguments, kept) in enumerate(call for call in calls for _ in range(repeat)):
        rules = allowed(document, name, arguments)
        found.append(seen(number, name, arguments, rules, kept=kept, authority=present(text).authority))
    return found


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(policies(), CALLS, st.sampled_from([1, 6]), ARGUMENTS)
def test_a_suggestion_permits_no_more_and_refuses_nothing_that_it_was_made_from(
    text: str, calls: list[tuple[str, dict[str, Any], bool]], repeat: int, other: dict[str, Any]
) -> None:
    """The calls are what an agent may choose: none of them can teach it a grant that a person didn't give."""
    before, events = present(text), recorded(text, calls, repeat)
    found = made(text, events)
    after = found.proved.document
    assert compare((before.document,), (after,)).gained.verdict is Verdict.PROVED
    for name, arguments in [*((name, arguments) for name, arguments, _ in calls), ("bank/pay", other)]:
        assert not allowed(after, name, arguments) or allowed(before.document, name, arguments)
    each = [call for call in calls for _ in range(repeat)]
    for event, (name, arguments, _) in zip(events, each, strict=True):
        assert bool(allowed(after, name, arguments)) == bool(event.rules)
    assert not found.slipped.refused
    written = document_text(("x",), found.proved.plain, found.proved.made)
    assert present(written.partition("version: 1\n")[2]).plain == found.proved.plain


PAY = (
    "grants:\n  - {id: pay, tool: [bank/pay, bank/read], args: {to: any, amount: {max: 100}}, optional: {path: any}}\n"
)


def tight(text: str, *calls: Mapping[str, Any], repeat: int = 1, kept: bool = True) -> Any:
    """The first grant that is suggested from these calls."""
    events = recorded(text, [("bank/pay", call, kept) for call in calls], repeat)
    return made(text, events).proved.plain["grants"][0]


@pytest.mark.parametrize(
    ("present_limit", "values", "limit"),
    [
        ("any", ["/p/a/x", "/p/a/y"], {"under": "$project/a"}),
        ("any", ["/srv/a/x", "/srv/b"], {"under": "/srv"}),
        ("{under: $project, not_name: [.env]}", ["/p/a/x", "/p/a"], {"under": "$project/a", "not_name": [".env"]}),
        ("{under: $project}", ["/p/a", "/p/b"], {"under": "$project"}),
        ("{under: $project}", ["/p/a$b/x"], {"under": "$project/a$$b"}),
        ("any", ["https://a.example/x", "http://b.example:81/y"], {"host_in": ["a.example", "http://b.example:81"]}),
        ("{host_in: [.example.com]}", ["https://a.example.com/"], {"host_in": ["a.example.com"]}),
        ("any", ["iris@A.example"], {"domain_in": ["a.example"]}),
        ("any", [47, 12.5], {"min": 10, "max": 50}),
        ("any", [0, -3], {"min": -5, "max": 0}),
        ("{above: 0, max: 60}", [12, 55], {"max": 60, "min": 10}),
        ("any", ["x" * 65], {"max_length": 128}),
        ("{max_length: 64}", ["x"], {"max_length": 64}),
        ("any", [["a@x.example"], ["b@x.example"]], {"max_items": 1, "each": {"domain_in": ["x.example"]}}),
        ("any", ["x", None], {"null": "ok", "max_length": 64}),
        ("any", [{"a": 1}], "any"),
        ("any", ["x", 5], "any"),
        ("{in: [a, b, c]}", ["a", "c"], {"in": ["a", "c"]}),
        ('{matches: "[a-z]"}', ["a"], {"matches": "[a-z]"}),
    ],
)
def test_what_was_used_is_generalised_along_one_of_the_named_shapes(
    present_limit: str, values: Any, limit: Any
) -> None:
    text = f"grants:\n  - {{id: pay, tool: bank/pay, args: {{to: {present_limit}}}}}\n"
    assert tight(text, *({"to": value} for value in values))["args"]["to"] == limit


def test_values_that_recur_are_listed_and_those_that_do_not_are_not() -> None:
    text = "grants:\n  - {id: pay, tool: bank/pay, args: {to: any}}\n"
    assert tight(text, {"to": "a"}, {"to": "b"}, repeat=3)["args"]["to"] == {"in": ["a", "b"]}
    assert tight(text, {"to": "a"}, {"to": "b"}, repeat=2)["args"]["to"] == {"max_length": 64}
    assert tight(text, {"to": True}, repeat=5)["args"]["to"] == {"in": [True]}


def test_tools_optional_arguments_and_other_ones_that_nobody_used_go() -> None:
    assert tight(PAY, {"to": "x", "amount": 5}) == {
        "id": "pay",
        "tool": "bank/pay",
        "args": {"to": {"max_length": 64}, "amount": {"max": 5, "min": 5}},
    }
    text = "grants:\n  - {id: pay, tool: bank/pay, args: {to: any}, others: any}\n"
    assert tight(text, {"to": "x"}, {"to": "y", "amount": 5}) == {
        "id": "pay",
        "tool": "bank/pay",
        "args": {"to": {"max_length": 64}},
        "optional": {"amount": {"min": 5, "max": 5}},
    }
    text = "grants:\n  - {id: pay, tool: bank/pay, args: any}\n  - {id: idle, tool: bank/read, args: any}\n"
    found = made(text, recorded(text, [("bank/pay", {"to": "x"}, True)])).proved.plain["grants"]
    assert found == [{"id": "pay", "tool": "bank/pay", "args": {"to": {"max_length": 64}}}]


def test_a_pattern_stays_a_pattern_since_a_name_would_reach_further() -> None:
    text = 'tools: {bank/pay: {effect: read}}\ngrants:\n  - {id: pay, tool: ["bank/*", bank/read], args: {to: any}}\n'
    assert tight(text, {"to": "x"})["tool"] == "bank/*"


def test_without_values_only_names_tools_listed_values_and_numbers_are_told() -> None:
    more = "optional: {path: any}, budget: {calls: 90}"
    args = "{to: {in: [a, b]}, amount: any}"
    text = f"grants:\n  - {{id: pay, tool: [bank/pay, bank/read], args: {args}, {more}}}\n"
    assert tight(text, {"to": "a", "amount": 5}, kept=False) == {
        "id": "pay",
        "tool": "bank/pay",
        "args": {"to": {"in": ["a"]}, "amount": "any"},
        "budget": {"calls": 1},
    }
    found = made(text, recorded(text, [("bank/pay", {"to": "a", "amount": 5}, False)]))
    assert found.observed.without_values == 1


def test_one_call_whose_value_nobody_knows_leaves_its_argument_as_it_is() -> None:
    text = "grants:\n  - {id: pay, tool: bank/pay, args: {to: any}}\n"
    events = recorded(text, [("bank/pay", {"to": "a"}, True), ("bank/pay", {"to": "b" * 70}, False)])
    assert made(text, events).proved.plain["grants"][0]["args"] == {"to": "any"}


def test_calls_like_one_that_was_reported_do_not_count() -> None:
    text = "grants:\n  - {id: pay, tool: bank/pay, args: {to: any}}\n"
    bad = {"to": "https://evil.example/"}
    events = recorded(text, [("bank/pay", {"to": "https://good.example/"}, True), ("bank/pay", bad, True)])
    report = Reported("3f9a1c2e-1", "bank/pay", events[1].values)
    found = made(text, [*events, seen(2, "bank/pay", bad, ["policy/pay"]), report])
    assert found.proved.plain["grants"][0]["args"] == {"to": {"host_in": ["good.example"]}}
    assert [one.entry for one in found.observed.reported] == ["3f9a1c2e-1", "3f9a1c2e-2"]


def test_what_a_person_has_permitted_since_counts_and_what_else_was_denied_does_not() -> None:
    text = "grants:\n  - {id: pay, tool: bank/pay, args: {amount: any}}\n"
    denied = seen(1, "bank/pay", {"amount": 900}, [], reason="no_grant", authority="of another policy")
    events: list[Event] = [*recorded(text, [("bank/pay", {"amount": 3}, True)]), denied]
    assert made(text, events).proved.plain["grants"][0]["args"] == {"amount": {"min": 2, "max": 1000}}
    by_a_report = replace(denied, rules=("local/1",))
    spent = replace(denied, reason="budget_spent")
    never_sent = replace(denied, effect="allow", rules=("policy/pay",), sent=False)
    the_same = replace(denied, authority=present(text).authority)
    under_a_mandate = [Loaded("/m.yaml", (), "mandate", "3f9a1c2e-0"), denied]
    for others in ([by_a_report], [the_same], [spent], [never_sent], under_a_mandate):
        found = made(text, [*recorded(text, [("bank/pay", {"amount": 3}, True)]), *others])
        assert found.proved.plain["grants"][0]["args"] == {"amount": {"min": 2, "max": 5}}


def test_what_a_person_has_taken_away_since_does_not_come_back() -> None:
    text = "grants:\n  - {id: pay, tool: bank/pay, args: {amount: {max: 50}}, budget: {calls: 2}}\n"
    calls = [seen(one, "bank/pay", {"amount": 3 * one}, ["policy/pay", "policy/gone"]) for one in range(1, 31)]
    found = made(text, calls)
    assert (len(found.observed.calls), found.slipped.refused) == (16, ())
    assert found.proved.plain["grants"][0]["args"] == {"amount": {"max": 50, "min": 2}}


def test_a_directory_that_is_written_out_is_made_closer_by_a_variable_only() -> None:
    """A link in it may lead anywhere; below a variable it has to lead below that."""
    text = "grants:\n  - {id: pay, tool: bank/pay, args: {path: {under: %s}}}\n"
    assert tight(text % "/p", {"path": "/p/a/x"})["args"]["path"] == {"under": "$project/a"}
    assert tight(text % "/q", {"path": "/q/a/x"})["args"]["path"] == {"under": "/q"}


def test_a_grant_that_a_person_added_meanwhile_stays_until_it_was_used() -> None:
    text = "grants:\n  - {id: pay, tool: bank/pay, args: {}}\n  - {id: new, tool: bank/read, args: any}\n"
    loaded: list[Event] = [Loaded(str(FILE), ("policy/pay",)), Loaded(str(FILE), ("policy/pay", "policy/new"))]
    calls = recorded(text, [("bank/pay", {}, True)])
    assert [one["id"] for one in made(text, [*loaded, *calls]).proved.plain["grants"]] == ["pay", "new"]
    assert [one["id"] for one in made(text, [loaded[1], *calls]).proved.plain["grants"]] == ["pay"]


def test_a_budget_is_set_in_round_numbers_once_some_sessions_are_known() -> None:
    text = "grants:\n  - {id: pay, tool: bank/pay, args: {}}\n"
    three = [seen(number, "bank/pay", {}, ["policy/pay"], session=str(number % 3)) for number in range(8)]
    assert made(text, three).proved.plain["grants"][0]["budget"] == {"calls": 5}
    two = [seen(number, "bank/pay", {}, ["policy/pay"], session=str(number % 2)) for number in range(8)]
    assert "budget" not in made(text, two).proved.plain["grants"][0]


def test_a_sum_is_lowered_to_what_a_session_used_and_a_trial_counts_it() -> None:
    text = "grants:\n  - {id: pay, tool: bank/pay, args: {amount: any}, budget: {sum: {amount: 900}}}\n"
    calls = [seen(one, "bank/pay", {"amount": 12.5}, ["policy/pay"], session=str(one % 2)) for one in range(7)]
    assert made(text, calls).proved.plain["grants"][0]["budget"] == {"sum": {"amount": 50}}
    held = made(text, [*calls[:4], *(replace(one, session="one") for one in calls)], 0.5).held_out
    assert (held.calls, len(held.refused)) == (5, 3)  # 2 of 4 were used


def test_a_trial_on_newer_calls_says_which_of_them_would_be_refused() -> None:
    text = "grants:\n  - {id: pay, tool: bank/pay, args: {amount: any}}\n"
    calls = [("bank/pay", {"amount": amount}, True) for amount in (12, 30, 14, 18, 15, 11, 19, 40, 17, 700)]
    found = made(text, recorded(text, calls), 0.2)
    held = found.held_out
    assert (found.learned_from, held.calls, [one.entry for one in held.refused]) == (8, 2, ["3f9a1c2e-9"])
    assert held.over_block == 0.5
    assert found.proved.plain["grants"][0]["args"] == {"amount": {"min": 10, "max": 1000}}  # of all of them
    unknown = recorded(text, [*calls[:8], ("bank/pay", {"amount": 12}, False), calls[9]])
    assert len(made(text, unknown, 0.2).held_out.untold) == 1


def test_a_rule_that_another_one_waits_for_is_not_taken_out() -> None:
    first = "grants:\n  - {id: first, tool: bank/read, args: any}\n"
    text = f"{first}  - {{id: pay, tool: bank/pay, args: {{}}, after: [first]}}\n"
    found = made(text, [seen(1, "bank/pay", {}, ["policy/pay"])])
    assert [one["id"] for one in found.proved.plain["grants"]] == ["first", "pay"]
    assert [edit.rule for edit in found.proved.left] == ["first"]


def test_what_a_comment_quotes_cannot_end_its_line() -> None:
    text = 'grants:\n  - {id: pay, tool: bank/pay, args: {}, optional: {"to\\nx": any}}\n'
    found = made(text, [seen(1, "bank/pay", {}, ["policy/pay"])])
    written = document_text(("a\nb: c",), found.proved.plain, found.proved.made)
    assert all(line.lstrip().startswith("#") for line in written.splitlines() if "left out" in line or "b: c" in line)
