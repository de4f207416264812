"""Coverage: a clause counts once a case passes it and a case fails because of it alone."""

from __future__ import annotations

import pytest

from tests.policy.case_scene import covered, uncovered
from tests.policy.scene import mandate

ONE = "grants: [{id: a, tool: s/t, args: {x: {min: 0, max: 5}}}]"
ALONE, NO_PASS = "no case fails because of it alone", "no case passes it"


def case(args: str, expect: str = "deny", **more: str) -> str:
    extra = "".join(f", {key}: {value}" for key, value in more.items())
    return f"  - {{why: w, call: s/t, args: {args}, expect: {expect}{extra}}}\n"


FULL = case("{x: 1}", "allow") + case("{x: -1}") + case("{x: 6}") + case("{}") + case("{x: 1, y: 1}")


def test_all_clauses_from_both_sides_are_a_hundred_percent() -> None:
    found = covered(ONE, FULL)
    assert (found.total, found.covered, found.percent) == (5, 5, 100.0)
    assert [one.words for one in found.rules[0].clauses] == [
        "s/t",
        "x: given",
        "x: at least 0",
        "x: at most 5",
        "nothing else",
    ]


@pytest.mark.parametrize(
    ("without", "clause", "missing"),
    [
        (case("{x: -1}"), "x: at least 0", ALONE),
        (case("{x: 6}"), "x: at most 5", ALONE),
        (case("{}"), "x: given", ALONE),
        (case("{x: 1, y: 1}"), "nothing else", ALONE),
    ],
)
def test_a_clause_that_no_case_fails_by_is_not_covered(without: str, clause: str, missing: str) -> None:
    assert uncovered(ONE, FULL.replace(without, "")) == {clause: missing}


def test_nothing_is_covered_by_denials_alone() -> None:
    left = uncovered(ONE, FULL.replace(case("{x: 1}", "allow"), ""))
    assert left == dict.fromkeys(["s/t", "x: given", "x: at least 0", "x: at most 5", "nothing else"], NO_PASS)


def test_a_call_that_fails_two_clauses_shows_neither() -> None:
    assert set(uncovered(ONE, case("{x: 1}", "allow") + case("{x: six, y: 1}"))) == {
        "x: given",
        "x: at least 0",
        "x: at most 5",
        "nothing else",
    }


def test_rules_stand_in_the_order_of_the_document_with_their_lines() -> None:
    found = covered("deny:\n  - {id: d, tool: s/u}\ngrants:\n  - {id: a, tool: s/t, args: any}\n", case("{}", "allow"))
    assert [(rule.id, rule.file, rule.place) for rule in found.rules] == [
        ("d", "policy.yaml", (3, 5)),
        ("a", "policy.yaml", (5, 5)),
    ]
    assert (found.covered, found.total) == (1, 2)


def test_every_name_wants_a_case_that_it_carries() -> None:
    two = "grants: [{id: a, tool: [s/t, s/u*], args: any}]"
    assert uncovered(two, case("{}", "allow")) == {"s/u*": NO_PASS}
    assert uncovered(two, case("{}", "allow") + case("{}", "allow").replace("s/t", "s/use")) == {}


@pytest.mark.parametrize(
    ("limit", "passes", "fails", "clauses"),
    [
        ("{not_in: [a, b]}", "x", ["a", "b"], 2),
        ("{under: /srv/p, not_name: [.env, '*.key']}", "/srv/p/a", ["/srv/a", "/srv/p/.env", "/srv/p/a.key"], 3),
        ("{each: {not_in: [a, b]}}", "[x]", ["[x, a]", "[b]"], 2),
        ("{each: any}", "[x]", ["[]"], 1),
        ("{max: 5, null: ok}", "null", ["6"], 1),
        ("{fields: {k: {max: 5}, l: {min: 0}}}", "{k: 1, l: 1}", ["{k: 6, l: 1}", "{k: 1, l: -1}"], 2),
        ("{fields: {k: any}}", "{k: 1}", ["{k: 1, l: 1}"], 1),
        ("{matches: 'a+', max_length: 2}", "a", ["b", "aaa"], 2),
        ("{host_in: [a.example]}", "'https://a.example/'", ["'https://b.example/'"], 1),
    ],
)
def test_each_part_of_a_limit_is_a_clause(limit: str, passes: str, fails: list[str], clauses: int) -> None:
    document = f"grants: [{{id: a, tool: s/t, args: {{}}, optional: {{x: {limit}}}, others: any}}]"
    cases = [case(f"{{x: {passes}}}", "allow"), *(case(f"{{x: {value}}}") for value in fails)]
    assert uncovered(document, "".join(cases)) == {}
    assert covered(document, "".join(cases)).total == 1 + clauses
    for number in range(len(fails)):
        assert len(uncovered(document, "".join(cases[: 1 + number] + cases[2 + number :]))) == 1


def test_an_end_a_principal_a_time_and_an_ask_are_clauses() -> None:
    document = (
        "grants: [{id: a, tool: s/t, args: any, ask: true, until: 2026-06-01T00:00:00Z, "
        "when: {principal: 'local:user', time: {days: [fri]}}}]"
    )
    asked = case("{}", "ask")
    assert set(uncovered(document, asked).values()) == {ALONE}
    cases = [
        asked,
        case("{}", at="2026-06-05T00:00:00Z"),
        case("{}", at="2026-01-03T00:00:00Z"),
        case("{}", principal="'local:other'"),
    ]
    assert uncovered(document, "".join(cases)) == {}
    assert uncovered(document, "".join(cases[1:])) == dict.fromkeys(
        ["s/t", "when: principal local:user", "when: time on fri", "until 2026-06-01T00:00:00Z", "ask"], NO_PASS
    )


def test_each_end_of_a_budget_is_a_clause_of_its_own() -> None:
    document = "grants: [{id: a, tool: s/t, args: {n: any}, budget: {calls: 2, sum: {n: 10}}}]"
    one, nine = "{call: s/t, args: {n: 1}, times: 2}", "{call: s/t, args: {n: 9}}"
    cases = [
        case("{n: 1}", "allow"),
        case("{n: 1}", after=f"[{one}]"),
        case("{n: 2}", after=f"[{nine}]"),
        case("{n: 1, m: 1}"),
    ]
    assert uncovered(document, "".join(cases)) == {}
    assert uncovered(document, "".join([cases[0], *cases[2:]])) == {"budget: 2 calls": ALONE}
    assert uncovered(document, "".join([*cases[:2], cases[3]])) == {"budget: 10 of n": ALONE}


def test_a_deny_is_covered_by_what_it_denies_and_by_what_it_lets_through() -> None:
    document = "grants: [{id: a, tool: s/t, args: any}]\ndeny: [{id: d, tool: s/t, args: {x: {in: [a]}, f: any}}]"
    fires = case("{x: a, f: 1}", rule="d")
    assert uncovered(document, fires + case("{x: b, f: 1}", "allow")) == {"f: given": ALONE}
    assert uncovered(document, fires + case("{x: b, f: 1}", "allow") + case("{x: a}", "allow")) == {}


def test_a_rule_by_effect_is_covered_from_both_sides() -> None:
    document = "tools: {s/t: {effect: read}, s/u: {effect: [read, write]}}\ngrants: [{id: a, effect: read, args: any}]"
    assert uncovered(document, case("{}", "allow")) == {"effect: read": ALONE}
    assert uncovered(document, case("{}", "allow") + case("{}").replace("s/t", "s/u")) == {}


def test_resources_are_covered_by_their_uri() -> None:
    document = "grants: [{id: a, resource: {server: s, uri: {under: 'file:///srv/p'}}}]"
    read = "  - {{why: w, resource: {{server: s, uri: 'file://{}'}}, expect: {}}}\n"
    assert uncovered(document, read.format("/srv/p/a", "allow") + read.format("/etc/a", "deny")) == {}
    assert list(uncovered(document, read.format("/srv/p/a", "allow"))) == ["uri: a file URI under file:///srv/p"]


def test_a_mandate_is_covered_once_it_has_ended_in_a_case() -> None:
    document = mandate("grants: [{id: a, tool: s/t, args: any}]", expires="30m")
    over = case("{}", after="[{call: s/t, at: 2026-01-02T09:00:00Z}]")
    assert uncovered(document, case("{}", "allow")) == {"expires": ALONE}
    assert uncovered(document, case("{}", "allow") + over) == {}
    assert covered(document, case("{}", "allow")).rules[0].place == (3, 1)


def test_earlier_calls_cover_nothing() -> None:
    assert "s/t" in uncovered(ONE, case("{x: 6}", after="[{call: s/t, args: {x: 1}}]"))
