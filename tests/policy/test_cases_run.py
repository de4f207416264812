"""What a case means: one session with its history, its time, its links, judged as the guard would."""

from __future__ import annotations

import pytest

from mcp_guard.errors import InputError
from mcp_guard.model import Effect
from mcp_guard.policy.cases import bind, load_cases
from mcp_guard.policy.cases_run import play, problems
from tests.policy.case_scene import played, suite
from tests.policy.scene import mandate, policy

PAY = """
grants:
  - {id: pay, tool: b/pay, args: {to: {in: [x, y]}, n: {max: 100}}, budget: {calls: 3, sum: {n: 150}}}
  - {id: look, tool: b/look, args: any}
ask: [{id: big, tool: b/pay, args: {n: {above: 50}}}]
deny: [{id: no-y, tool: b/pay, args: {to: y}}]
"""


def said(document: str, case: str) -> list[str]:
    (one,) = played(document, f"  - {{why: w, {case}}}\n")
    return problems(one)


@pytest.mark.parametrize(
    "case",
    [
        "call: b/pay, args: {to: x, n: 5}, expect: allow",
        "call: b/pay, args: {to: x, n: 5}, expect: allow, rule: pay",
        "call: b/pay, args: {to: x, n: 51}, expect: ask, rule: big, reason: needs_approval",
        "call: b/pay, args: {to: y, n: 5}, expect: deny, rule: no-y, reason: denied",
        "call: b/pay, args: {to: z, n: 5}, expect: deny, reason: no_grant",
        "call: b/look, expect: allow",
        "call: b/pay, args: {to: x, n: 5}, after: [{call: b/pay, args: {to: x, n: 5}, times: 2}], expect: allow",
        "call: b/pay, args: {to: x, n: 5}, after: [{call: b/pay, args: {to: x, n: 5}, times: 3}], expect: deny, "
        "reason: budget_spent",
        "call: b/look, after: [{call: b/pay, args: {to: z, n: 1}, expect: deny}], expect: allow",
    ],
)
def test_a_case_that_is_judged_as_it_expects_has_no_problem(case: str) -> None:
    assert said(PAY, case) == []


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        ("call: b/pay, args: {to: x, n: 5}, expect: deny", "expected deny, got allow by `pay`"),
        ("call: b/pay, args: {to: x, n: 5}, expect: ask, rule: big", "expected ask by `big`, got allow by `pay`"),
        ("call: b/pay, args: {to: z, n: 5}, expect: allow, rule: pay", "expected allow by `pay`, got deny (no_grant)"),
        ("call: b/pay, args: {to: y, n: 5}, expect: deny, reason: no_grant", "expected reason no_grant, got denied"),
        ("call: b/pay, args: {to: x, n: 51}, expect: ask, rule: pay", "expected ask by `pay`, got ask by `big`"),
        (
            "call: b/look, after: [{call: b/pay, args: {to: z, n: 1}, expect: allow}], expect: allow",
            "earlier call 1, b/pay",
        ),
        (
            "call: b/look, after: [{call: b/pay, args: {to: x, n: 1}, times: 4, expect: allow}], expect: allow",
            "got deny",
        ),
    ],
)
def test_a_case_that_is_not_says_what_was_expected_and_what_came(case: str, problem: str) -> None:
    assert problem in said(PAY, case)[0]


def test_a_failure_names_the_clause_and_the_line_of_the_rule_that_should_have_spoken() -> None:
    _, missed, detail = said(PAY, "call: b/pay, args: {to: x, n: 101}, expect: allow, rule: pay")
    assert (
        missed
        == "`pay` (policy.yaml:4:5) says nothing: argument `n`: not satisfied: at most 100 (given: a whole number)"
    )
    assert "policy.yaml:4:5" in detail


def test_a_failure_names_the_line_of_the_rule_that_spoke() -> None:
    assert "`pay` (policy.yaml:4:5) allows it" in said(PAY, "call: b/pay, args: {to: x, n: 5}, expect: deny")
    lines = said(PAY, "call: b/pay, args: {to: y, n: 5}, expect: allow")
    assert any("no-y" in line and "policy.yaml:7:" in line for line in lines)


def test_a_rule_that_does_not_exist_is_said_to_be_misspelt() -> None:
    lines = said(PAY, "call: b/pay, args: {to: x, n: 5}, expect: allow, rule: pya")
    assert "there is no rule `pya`; did you mean `pay`?" in lines
    lines = said(PAY, "call: b/look, expect: deny, rule: no-y")
    assert "`no-y` (policy.yaml:7:8) isn't about b/look" in lines


def test_refused_calls_cost_nothing_and_asked_ones_count_as_approved() -> None:
    refused = "{call: b/pay, args: {to: y, n: 100}, times: 5}"
    asked = "{call: b/pay, args: {to: x, n: 100}, expect: ask}"
    assert said(PAY, f"after: [{refused}], call: b/pay, args: {{to: x, n: 50}}, expect: allow") == []
    assert said(PAY, f"after: [{asked}], call: b/pay, args: {{to: x, n: 50}}, expect: allow") == []
    assert said(PAY, f"after: [{asked}], call: b/pay, args: {{to: x, n: 50.01}}, expect: deny") == []


def test_each_case_is_a_session_of_its_own() -> None:
    call = "call: b/pay, args: {to: x, n: 5}"
    spent = f"  - {{why: a, {call}, after: [{{{call}, times: 2}}], expect: allow}}\n"
    assert [one.passed for one in played(PAY, spent * 3)] == [True, True, True]


def test_lists_of_calls_and_arguments_are_a_case_for_each() -> None:
    cases = "  - {why: w, call: [b/pay, b/look], args: [{to: x, n: 1}, {to: z, n: 1}], expect: allow}\n"
    found = played(PAY, cases)
    assert [(one.case.call.name, one.passed) for one in found] == [
        ("b/pay", True),
        ("b/pay", False),
        ("b/look", True),
        ("b/look", True),
    ]
    assert [one.case.why for one in found][:2] == ["w (1 of 4)", "w (2 of 4)"]


def test_long_text_is_given_by_its_length() -> None:
    grant = "grants: [{id: a, tool: s/t, args: {x: {max_length: 100}}}]"
    assert said(grant, "call: s/t, long: {x: 100}, expect: allow") == []
    assert said(grant, "call: s/t, args: {}, long: {x: 101}, expect: deny") == []


def test_time_is_what_the_case_says_and_2026_01_02_at_ten_where_it_says_nothing() -> None:
    until = "grants: [{id: a, tool: s/t, args: any, until: '2026-01-02T10:00:01Z'}]"
    assert said(until, "call: s/t, expect: allow") == []
    assert said(until, "call: s/t, at: 2026-01-02T10:00:01Z, expect: deny, reason: expired") == []
    friday = "grants: [{id: a, tool: s/t, args: any, when: {time: {days: [fri], after: '10:00', before: '10:01'}}}]"
    assert said(friday, "call: s/t, expect: allow") == []
    assert said(friday, "call: s/t, at: 2026-01-03T10:00:00Z, expect: deny") == []


def test_the_principal_is_who_the_case_says() -> None:
    grant = "grants: [{id: a, tool: s/t, args: any, when: {principal: 'local:iris'}}]"
    assert said(grant, "call: s/t, principal: 'local:iris', expect: allow") == []
    assert said(grant, "call: s/t, expect: deny") == []


def test_a_span_of_a_mandate_runs_from_the_first_call_of_the_case() -> None:
    found = mandate("grants: [{id: m, tool: b/look, args: any}]", expires="30m")
    first = "{call: b/look, at: 2026-01-02T10:00:00Z}"
    cases = (
        f"  - {{why: in time, mandate: m.yaml, after: [{first}], call: b/look, at: 2026-01-02T10:29:59Z, "
        "expect: allow}\n"
        f"  - {{why: over, mandate: m.yaml, after: [{first}], call: b/look, at: 2026-01-02T10:30:00Z, expect: deny, "
        "reason: expired}\n"
        "  - {why: begins late, mandate: m.yaml, call: b/look, at: 2027-01-02T10:30:00Z, expect: allow}\n"
    )
    assert [problems(one) for one in played(PAY, cases, {"m.yaml": found})] == [[], [], []]


def test_a_mandate_can_stand_in_the_case_itself_and_only_narrows() -> None:
    inline = "{version: 1, task: t, expires: 30m, grants: [{id: m, tool: b/*, args: any}]}"
    assert said(PAY, f"mandate: {inline}, call: b/look, expect: allow, rule: m") == []
    assert said(PAY, f"mandate: {inline}, call: b/steal, expect: deny") == []
    assert said(PAY, f"mandate: {inline}, call: b/pay, args: {{to: y, n: 1}}, expect: deny, rule: no-y") == []


def test_a_mandate_in_a_case_is_read_as_strictly_as_in_a_file_and_errors_have_their_place() -> None:
    bad = (
        "  - why: w\n    call: b/look\n    expect: allow\n    mandate: {version: 1, task: t, expires: 30m, tools: {}}\n"
    )
    with pytest.raises(InputError, match=r"unknown key `tools` \(p\.cases\.yaml:5:50\); facts about tools"):
        suite(PAY, bad)


def test_a_mandate_alone_can_be_tested_but_takes_no_second_one() -> None:
    alone = mandate("grants: [{id: m, tool: b/look, args: any}]")
    assert [one.passed for one in played(alone, "  - {why: w, call: b/look, expect: allow, rule: m}\n")] == [True]
    with pytest.raises(InputError, match=r"can't name another one \(p\.cases\.yaml:2:5\)"):
        suite(alone, "  - {why: w, call: b/look, expect: allow, mandate: m.yaml}\n", {"m.yaml": alone})


FILES = """
grants:
  - {id: read, tool: f/read, args: {path: {under: $project, not_name: [.env]}}}
  - {id: home, tool: f/home, args: {path: {under: ~/docs}}}
  - {id: near, tool: f/near, args: {path: {within: .}}}
"""


@pytest.mark.parametrize(
    ("path", "links", "effect"),
    [
        ("/srv/project/a", "{/srv/other: /etc}", Effect.ALLOW),
        ("/srv/project/out/a", "{/srv/project/out: /etc}", Effect.DENY),
        ("/srv/project/in/a", "{/srv/project/in: /srv/project/b}", Effect.ALLOW),
        ("/srv/project/in/a", "{/srv/project/in/: /srv/project/b/}", Effect.ALLOW),
        ("/srv/project/secret", "{/srv/project/secret: /srv/project/.env}", Effect.DENY),
        ("/srv/project/a/x", "{/srv/project/a: /srv/project/b, /srv/project/b: /etc}", Effect.DENY),
        ("/srv/project/a", "{/srv/project/a: /srv/project/a}", Effect.DENY),
        ("/srv/project/around", "{/srv/project/around: /srv/project/aroundabout}", Effect.ALLOW),
    ],
)
def test_a_path_leads_to_itself_unless_the_case_names_a_link(path: str, links: str, effect: Effect) -> None:
    (one,) = played(FILES, f"  - {{why: w, call: f/read, args: {{path: {path}}}, links: {links}, expect: allow}}\n")
    assert one.decision.effect is effect


def test_relative_paths_start_in_the_project_and_the_home_is_nobodys() -> None:
    assert said(FILES, "call: f/near, args: {path: a.md}, expect: allow") == []
    assert said(FILES, "call: f/near, args: {path: out/a.md}, links: {/srv/project/out: /etc}, expect: deny") == []
    home = policy(FILES)  # its `~` is what the loader was told: the command tells it HOME
    (one,) = played(home, "  - {why: w, call: f/home, args: {path: /home/u/docs/a}, expect: allow}\n")
    assert one.passed


def test_prompts_and_resources_have_cases_too() -> None:
    document = """
grants:
  - {id: ask-it, prompt: s/p, args: {x: {in: [a]}}}
  - {id: page, resource: {server: s, uri: {under: "file:///srv/project"}}}
"""
    assert said(document, "prompt: s/p, args: {x: a}, expect: allow, rule: ask-it") == []
    assert said(document, "prompt: s/p, args: {x: b}, expect: deny") == []
    assert said(document, "resource: {server: s, uri: 'file:///srv/project/a'}, expect: allow, rule: page") == []
    assert said(document, "resource: {server: s, uri: 'file:///etc/a'}, expect: deny") == []


def test_a_pattern_in_a_grant_reaches_the_tools_that_a_case_names() -> None:
    assert said("grants: [{id: a, tool: s/*, args: any}]", "call: s/anything, expect: allow") == []


def test_what_an_earlier_call_answered_is_kept_with_it() -> None:
    found = suite(PAY, "  - {why: w, after: [{call: b/look, result: {iban: DE1}}], call: b/look, expect: allow}\n")
    assert found.cases[0].before[0].result == {"iban": "DE1"}


def test_variables_of_the_file_are_read_as_text() -> None:
    found = load_cases(b"set: {project: /srv/x, who: iris}\ncases: [{why: w, call: s/t, expect: deny}]", "f")
    assert found.variables == {"project": "/srv/x", "who": "iris"}


def test_a_sum_that_the_record_could_not_keep_is_no_call() -> None:
    """Exact sums have 64 digits there; what doesn't fit isn't recorded, so it didn't happen."""
    grant = "grants: [{id: a, tool: s/t, args: {n: any}, budget: {sum: {n: 1e60}}}]"
    big, small = "{call: s/t, args: {n: 1e59}, expect: allow}", "{call: s/t, args: {n: 1e-9}, expect: deny}"
    assert said(grant, f"after: [{big}, {small}], call: s/t, args: {{n: 1}}, expect: allow") == []


GOES_BY_EFFECT = """
grants: [{id: look, tool: b/look, args: any}, {id: pay, tool: b/pay, args: any}]
deny: [{id: only-reading, effect: [write, spend]}]
"""


def with_effects(case: str, effects: str, document: str = GOES_BY_EFFECT) -> list[str]:
    cases = load_cases(f"cases:\n  - {{why: w, {case}}}\neffects: {effects}\n".encode(), "p.cases.yaml")
    found = bind(cases, policy(document), {})
    return [line for one in found.cases for line in problems(play(found, one))]


def test_a_case_file_says_what_tools_do_where_the_policy_goes_by_it() -> None:
    assert with_effects("call: b/look, expect: allow, rule: look", "{b/look: read}") == []
    assert with_effects("call: b/pay, expect: deny, rule: only-reading", "{b/pay: [read, spend]}") == []
    assert with_effects("call: b/pay, expect: allow", "{b/look: read}")[0] == (
        "expected allow, got deny by `only-reading` (denied)"
    )


def test_what_the_policy_says_of_a_tool_stands_before_what_its_cases_say() -> None:
    document = "tools: {b/look: {effect: write}}" + GOES_BY_EFFECT
    assert with_effects("call: b/look, expect: deny, rule: only-reading", "{b/look: read}", document) == []


def test_a_failing_case_tells_that_nobody_said_what_the_tool_does_if_a_rule_goes_by_it() -> None:
    hint = "nothing here says what b/look does"
    assert any(hint in line for line in said(GOES_BY_EFFECT, "call: b/look, expect: allow"))
    assert not any(hint in line for line in said(PAY, "call: b/look, expect: deny"))
    known = "tools: {b/look: {effect: read}}" + GOES_BY_EFFECT
    assert not any(hint in line for line in said(known, "call: b/look, expect: deny"))
    assert not any(hint in line for line in with_effects("call: b/look, expect: deny", "{b/look: read}"))
