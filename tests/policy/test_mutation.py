"""Mutation: each clause weakened once, what the cases notice of it, and what would have noticed the rest."""

from __future__ import annotations

import pytest

from mcp_guard.policy.cases import bind, load_cases
from mcp_guard.policy.cases_run import play
from mcp_guard.policy.document import Document
from mcp_guard.policy.mutation import mutants_of, survivors
from mcp_guard.policy.mutation_hints import suggestion
from tests.policy.case_scene import left, suite
from tests.policy.scene import mandate, policy


def names(document: Document) -> list[str]:
    return [f"{mutant.name}: {mutant.what}" for mutant in mutants_of(document)]


def test_every_clause_of_a_grant_is_weakened() -> None:
    document = policy(
        "grants: [{id: a, tool: s/t, args: {x: a, n: any}, optional: {y: {max: 5}}, ask: true, "
        "until: 2026-06-01T00:00:00Z, budget: {calls: 2, sum: {n: 1.5}}, "
        "when: {principal: 'local:user', time: {days: [fri]}}}]"
    )
    assert names(document) == [
        "a: `x`: any instead of exactly a",
        "a: `y`: at most 6 instead of at most 5",
        "a: `y`: any instead of at most 5",
        "a: `x` need not be given",
        "a: with `others: any`",
        "a: without `ask`",
        "a: without `until`",
        "a: for every principal",
        "a: at every time",
        "a: budget: one call more",
        "a: budget: any number of calls",
        "a: budget: 1.6 of n",
        "a: budget: any sum of n",
    ]


def test_every_ask_and_deny_is_dropped_and_narrowed() -> None:
    document = policy(
        "ask: [{id: k, tool: s/t, args: {n: {above: 5}}}]\n"
        "deny: [{id: d, tool: [s/a, s/b*], args: {x: {in: [a, b]}}}, {id: e, effect: [egress, spend]}]\n"
        "tools: {s/a: {effect: [read, spend]}}"
    )
    assert names(document) == [
        "k: without this ask",
        "k: `n`: more than 6 instead of more than 5",
        "d: without this deny",
        "d: without s/a",
        "d: without s/b*",
        "d: `x`: in without a",
        "d: `x`: in without b",
        "e: without this deny",
        "e: without effect spend",
        "s/a: without effect spend",
    ]


def test_facts_about_tools_are_weakened_where_a_rule_goes_by_them() -> None:
    tools = "tools: {s/t: {effect: [read, egress]}, s/u: {gives: untrusted}}\n"
    assert names(policy(tools + "grants: [{id: a, tool: s/t, args: any}]")) == []
    found = list(mutants_of(policy(tools + "grants: [{id: a, effect: read, args: any}]")))
    assert [(mutant.name, mutant.what, mutant.place) for mutant in found] == [
        ("a", "with every effect", (3, 10)),
        ("s/t", "without effect egress", (2, 9)),
    ]


def test_resources_are_weakened_in_their_uri_and_mandates_in_their_end() -> None:
    document = mandate("grants: [{id: a, resource: {server: s, uri: {under: 'file:///srv/p'}}}]")
    assert names(document) == [
        "a: uri: a file URI under file:///srv instead of a file URI under file:///srv/p",
        "a: uri: any instead of a file URI under file:///srv/p",
        "expires: never ends",
    ]
    assert [mutant.place for mutant in mutants_of(document)][-1] == (3, 1)


PAY = "grants: [{id: pay, tool: b/pay, args: {n: {max: 100}}}]\ndeny: [{id: no, tool: b/pay, args: {n: 13}}]"
CASES = """
  - {why: fits, call: b/pay, args: {n: 5}, expect: allow, rule: pay}
  - {why: too much, call: b/pay, args: {n: 100.5}, expect: deny}
  - {why: no text, call: b/pay, args: {n: "5"}, expect: deny}
  - {why: how much, call: b/pay, args: {}, expect: deny}
  - {why: no more, call: b/pay, args: {n: 5, m: 1}, expect: deny}
  - {why: unlucky, call: b/pay, args: {n: 13}, expect: deny, rule: no}
"""


def test_cases_that_notice_everything_leave_no_mutant() -> None:
    assert left(PAY, CASES) == []


@pytest.mark.parametrize(
    ("why", "what"),
    [
        ("too much", ["`n`: at most 101 instead of at most 100", "`n`: any instead of at most 100"]),
        ("how much", ["`n` need not be given"]),
        ("no more", ["with `others: any`"]),
        ("unlucky", ["without this deny"]),
    ],
)
def test_a_mutant_that_no_case_notices_is_left(why: str, what: list[str]) -> None:
    cases = "\n".join(line for line in CASES.splitlines() if f"why: {why}," not in line)
    assert [mutant.what for mutant in left(PAY, cases)] == what


def test_a_case_that_fails_notices_nothing() -> None:
    """Or a wrong expectation would pass for a sharp one."""
    wrong = CASES.replace("args: {n: 5, m: 1}, expect: deny", "args: {n: 5, m: 1}, expect: allow")
    assert [mutant.what for mutant in left(PAY, wrong)] == ["with `others: any`"]


def test_mutants_are_counted_and_each_is_reported() -> None:
    found = suite(PAY, CASES)
    seen: list[int] = []
    count, _ = survivors(found, [play(found, case) for case in found.cases], lambda: seen.append(1))
    assert count == len(seen) == len(names(found.document)) == 5


DOCUMENT = """
grants:
  - {id: pay, tool: b/pay, args: {n: {above: 0, max: 100}, to: {in: [x, y]}}, budget: {calls: 3, sum: {n: 150}}}
  - id: read
    tool: [f/read, f/head]
    args: {path: {under: $project, not_name: ["*.env", .git]}}
    optional: {n: {min: 1}}
  - {id: many, tool: f/many, args: {paths: {each: {under: $project, not_name: [.env]}}}}
  - {id: write, tool: f/write, args: {path: {under: $project, not_name: [.git]}, text: {max_length: 100}}}
  - {id: mail, tool: m/send, args: {to: {each: {domain_in: [example.com]}}, body: {max_length: 1000}}, ask: true}
  - {id: page, tool: w/get, args: {url: {host_in: [example.com, .example.org]}}, until: 2026-06-01T00:00:00Z}
  - {id: office, tool: o/open, args: {}, when: {principal: "local:user", time: {after: "09:00", before: "17:00"}}}
  - {id: git, tool: g/log, args: {repo: $project, opts: {fields: {a: {max: 5}}}, tags: {max_items: 2, each: any}}}
  - {id: file, resource: {server: s, uri: {under: "file:///srv/project"}}}
  - {id: greet, prompt: s/greet, args: {name: {not_in: [root, admin], max_length: 20}}}
ask: [{id: big, tool: b/pay, args: {n: {above: 50}}}]
deny:
  - {id: no-git, tool: [f/write, f/append], args: {path: {matches: ".*/[.]git(/.*)?"}}}
  - {id: no-y, tool: b/pay, args: {to: {in: [y, z]}}}
"""
# Without a case every suggestion is made up; with these, each starts from a call that a person wrote.
SOME = """
  - {why: pays, call: b/pay, args: {n: 20, to: x}, expect: allow, rule: pay}
  - {why: asks, call: b/pay, args: {n: 60, to: x}, expect: ask, rule: big}
  - {why: reads, call: f/read, args: {path: /srv/project/src/a.md}, expect: allow, rule: read}
  - {why: writes, call: f/write, args: {path: /srv/project/src/a.md, text: x}, expect: allow, rule: write}
  - {why: git, call: f/write, args: {path: /srv/project/.git/x, text: x}, expect: deny, rule: no-git}
  - {why: greets, prompt: s/greet, args: {name: iris}, expect: allow, rule: greet}
"""


@pytest.mark.parametrize("cases", [SOME, "  - {why: nothing, call: x/y, expect: deny}\n"], ids=["cases", "none"])
def test_a_suggestion_passes_as_it_stands_and_notices_its_mutant(cases: str) -> None:
    found = suite(DOCUMENT, cases)
    played = [play(found, case) for case in found.cases]
    count, mutants = survivors(found, played)
    assert count > 60
    assert len(mutants) > 40
    hopeless = []
    for mutant in mutants:
        line = suggestion(found, mutant, played)
        if not line:
            hopeless.append(f"{mutant.name}: {mutant.what}")
            continue
        pasted = bind(load_cases(f"cases:\n  {line}\n".encode(), "pasted"), found.document, {})
        for case in pasted.cases:
            assert play(pasted, case).passed, line
            assert not play(pasted, case, mutant.document).passed, line
    assert hopeless == []


def test_a_suggestion_names_the_call_the_expectation_and_the_rule() -> None:
    found = suite(PAY, "  - {why: fits, call: b/pay, args: {n: 5}, expect: allow, rule: pay}\n")
    played = [play(found, case) for case in found.cases]
    lines = {mutant.what: suggestion(found, mutant, played) for mutant in survivors(found, played)[1]}
    assert lines["with `others: any`"] == (
        '- {why: "notices pay: with others: any", call: b/pay, args: {n: 5, unlisted: true}, '
        "expect: deny, reason: no_grant}"
    )
    assert lines["without this deny"] == (
        '- {why: "notices no: without this deny", call: b/pay, args: {n: 13}, expect: deny, rule: no}'
    )


def test_a_document_that_says_a_thing_twice_gets_no_suggestion_for_it() -> None:
    twice = "grants: [{id: a, tool: s/t, args: any}, {id: b, tool: s/t, args: {x: {max: 5}}}]"
    found = suite(twice, "  - {why: w, call: s/t, args: {x: 1}, expect: allow, rule: a}\n")
    played = [play(found, case) for case in found.cases]
    mutants = survivors(found, played)[1]
    assert mutants
    assert {suggestion(found, mutant, played) for mutant in mutants} == {""}


@pytest.mark.parametrize(
    "rule",
    [
        "args: {x: {max_length: 99999999999999}}",
        "args: {x: {max_items: 99999999999999}}",
        "args: {x: {min: 1e300, max: 1e301}}",
        "args: {x: {above: 9007199254740993, below: 9007199254740995}}",
        "args: {x: any}, budget: {sum: {x: 1e60}}",
        "args: {x: any}, budget: {sum: {x: 0.0000001}}",
        "args: any, until: 9999-12-31T23:59:59Z",
        "args: any, until: 0001-01-01T00:00:00Z",
    ],
)
def test_limits_at_the_end_of_what_can_be_said_are_weakened_and_told_without_an_error(rule: str) -> None:
    found = suite(f"grants: [{{id: a, tool: s/t, {rule}}}]", "  - {why: w, call: s/t, args: {x: 1}, expect: deny}\n")
    played = [play(found, case) for case in found.cases]
    mutants = list(mutants_of(found.document))
    assert mutants
    for mutant in mutants:
        assert mutant.document != found.document
        assert isinstance(suggestion(found, mutant, played), str)


ORDERS = """mandate: required
grants:
  - {id: look, tool: shop/order, args: {number: {matches: 'O-[0-9]{8}'}}, result: redact}
  - {id: some, tool: shop/find, args: {limit: {max: 50}}, budget: {calls: 2}}
  - {id: page, resource: {server: shop, uri: {under: 'file:///srv/p'}}}
ask: [{id: many, tool: shop/find, args: {limit: {above: 40}}}]
"""


def test_what_a_policy_permits_under_a_mandate_only_is_shown_under_one_that_leaves_all_to_it() -> None:
    """With no case at all, and with cases under a narrow mandate: each weaker document gets a case that notices it."""
    narrow = "{version: 1, task: x, expires: 2h, grants: [{id: o, tool: shop/order, args: {number: O-12345678}}]}"
    case = f"  - {{why: look, mandate: {narrow}, call: shop/order, args: {{number: O-12345678}}, expect: allow}}"
    for cases in ("  - {why: nothing, call: x/y, expect: deny}", case):
        found = suite(ORDERS, cases)
        runs = [play(found, one) for one in found.cases]
        lines = [f"  {suggestion(found, mutant, runs)}" for mutant in survivors(found, runs)[1]]
        pasted = suite(ORDERS, "\n".join([case, *lines]))
        assert all(play(pasted, one).passed for one in pasted.cases)
        assert left(pasted.document, "\n".join([case, *lines])) == []


def test_what_was_answered_before_stands_in_a_proposed_case() -> None:
    """Or a limit with `from` would fit nothing in it, and no call would show what else was weakened."""
    pay = "{id: pay, tool: b/pay, args: {to: {from: [b/list]}}, budget: {calls: 2, per: hour}}"
    document = f"grants: [{{id: list, tool: b/list, args: {{}}}}, {pay}]"
    cases = "  - {why: x, after: [{call: b/list, result: [DE1, 'a: b']}], call: b/pay, args: {to: DE1}, expect: allow}"
    found = suite(document, cases)
    runs = [play(found, one) for one in found.cases]
    lines = {
        mutant.what: suggestion(found, mutant, runs) for mutant in survivors(found, runs)[1] if mutant.name == "pay"
    }
    assert 'result: [DE1, "a: b"]}' in lines["with `others: any`"]
