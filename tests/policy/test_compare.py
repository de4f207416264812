"""Comparing documents: each kind of clause narrowed is proved, and widened is shown by a call."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_guard.model import Effect, EffectClass
from mcp_guard.policy.budgets import Budget
from mcp_guard.policy.compare import compare
from mcp_guard.policy.compare_rules import KNOWN
from mcp_guard.policy.compare_scenes import possible
from mcp_guard.policy.compare_sides import KNOWN as KNOWN_OF_DOCUMENTS
from mcp_guard.policy.compare_sides import Side, class_sets
from mcp_guard.policy.compare_verdicts import Comparison, Verdict
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, Document, load_policy
from mcp_guard.policy.mutation import mutants_of
from mcp_guard.policy.rules import Arguments, Rule, When
from tests.policy.scene import mandate, policy

PROVED, WITNESS, UNKNOWN = Verdict.PROVED, Verdict.WITNESS, Verdict.UNKNOWN


def found(old: str, new: str) -> Comparison:
    return compare((policy(old),), (policy(new),))


def verdicts(old: str, new: str) -> tuple[Verdict, Verdict]:
    answer = found(old, new)
    return answer.gained.verdict, answer.lost.verdict


def grant(rest: str) -> str:
    return f"grants: [{{id: g, tool: s/t, {rest}}}]"


NARROWER = [  # each second one permits less
    ("args: any", "args: {a: any}"),
    ("args: any", "args: {}"),
    ("args: {a: any}, others: any", "args: {a: any}"),
    ("args: {a: any}, optional: {b: any}", "args: {a: any}"),
    ("args: {}, optional: {b: any}", "args: {}, optional: {b: {max: 3}}"),
    ("args: {}, optional: {b: any}", "args: {b: any}"),
    ("args: {a: {in: [x, y]}}", "args: {a: x}"),
    ("args: {a: {in: [x, 1, true]}}", "args: {a: {in: [1, true]}}"),
    ("args: {a: {not_in: [x]}}", "args: {a: {not_in: [x, y]}}"),
    ("args: {a: {max: 100}}", "args: {a: {max: 99.99}}"),
    ("args: {a: {min: 0}}", "args: {a: {above: 0}}"),
    ("args: {a: {min: 1, max: 3}}", "args: {a: {in: [1, 3]}}"),
    ("args: {a: {max_length: 10}}", "args: {a: {max_length: 9}}"),
    ("args: {a: {max_length: 3}}", "args: {a: {matches: '[a-z]{1,3}'}}"),
    ("args: {a: {matches: '[a-z]+'}}", "args: {a: {matches: '[a-f]+x?'}}"),
    ("args: {a: {matches: '[a-z]+'}}", "args: {a: {in: [abc, def]}}"),
    ("args: {a: {under: $project}}", "args: {a: {under: $project/notes}}"),
    ("args: {a: {under: $project}}", "args: {a: {under: $project, not_name: ['*.env']}}"),
    ("args: {a: {under: $project}}", "args: {a: $project/README.md}"),
    ("args: {a: {under: $project, not_name: [x.env]}}", "args: {a: {under: $project, not_name: ['*.ENV']}}"),
    ("args: {a: {under: /}}", "args: {a: {under: /srv}}"),
    ("args: {a: {within: .}}", "args: {a: {within: ., not_name: [x]}}"),
    ("args: {a: {domain_in: [.example.com]}}", "args: {a: {domain_in: [a.example.com, .b.example.com]}}"),
    ("args: {a: {host_in: [a.org, b.org]}}", "args: {a: {host_in: [b.org]}}"),
    ("args: {a: {each: {in: [x, y]}}}", "args: {a: {each: {in: [x]}}}"),
    ("args: {a: {each: {max: 3}}}", "args: {a: {each: {max: 3}, max_items: 2}}"),
    ("args: {a: {each: any, max_items: 3}}", "args: {a: {each: any, max_items: 2}}"),
    ("args: {a: {fields: {b: {max: 3}, c: any}}}", "args: {a: {fields: {b: {max: 2}, c: any}}}"),
    ("args: {a: {max: 3, null: ok}}", "args: {a: {max: 3}}"),
    ("args: {a: any}", "args: {a: any}, ask: true"),
    ("args: {a: any}", "args: {a: any}, budget: {calls: 2}"),
    ("args: {a: any}, budget: {calls: 3}", "args: {a: any}, budget: {calls: 2}"),
    ("args: {a: any}, budget: {sum: {a: 3}}", "args: {a: any}, budget: {sum: {a: 2.5}}"),
    ("args: {a: any}, budget: {sum: {a: 3}}", "args: {a: any}, budget: {calls: 9, sum: {a: 2.5}}"),
    ("args: {a: any}", "args: {a: any}, budget: {distinct: {a: 2}}"),
    ("args: {a: any}, budget: {distinct: {a: 3}}", "args: {a: any}, budget: {distinct: {a: 2}, calls: 9}"),
    ("args: {a: any}, budget: {calls: 3, per: hour}", "args: {a: any}, budget: {calls: 2, per: hour}"),
    ("args: {a: any}, budget: {calls: 3, per: day}", "args: {a: any}, budget: {calls: 2, distinct: {a: 1}, per: day}"),
    ("args: {a: any}", "args: {a: any}, rate: 10/m"),
    ("args: {a: any}, rate: 10/m", "args: {a: any}, rate: 9/m"),
    ("args: {a: any}, rate: 10/m", "args: {a: any}, rate: 9/m, budget: {calls: 3}"),
    ("args: {}, optional: {b: {max: 3}}, nulls: absent", "args: {}, optional: {b: {max: 3}}"),
    ("args: {}, optional: {b: {max: 3}}, nulls: absent", "args: {}, optional: {b: {max: 2}}, nulls: absent"),
    ("args: {a: any}, others: any", "args: {a: any}, nulls: absent"),
    ("args: {a: any}, optional: {b: any}, nulls: absent", "args: {a: any}, nulls: absent"),
    ("args: {a: any}, nulls: absent", "args: {a: any}"),
    ("args: {a: any}", "args: {a: any}, until: 2027-01-01T00:00:00Z"),
    ("args: {a: any}, until: 2027-01-01T00:00:00Z", "args: {a: any}, until: 2026-12-31T23:59:59Z"),
    ("args: {a: any}", "args: {a: any}, when: {principal: ann}"),
    ("args: {a: any}, when: {principal: ['a*', bob]}", "args: {a: any}, when: {principal: [ann, bob]}"),
    (
        "args: {a: any}, when: {time: {after: '09:00', before: '17:00'}}",
        "args: {a: any}, when: {time: {after: '11:00+01:00', before: '17:00+01:00', days: [mon, tue]}}",
    ),
]


@pytest.mark.parametrize(("old", "new"), NARROWER)
def test_a_narrowed_clause_is_proved_and_its_reverse_is_shown_by_a_call(old: str, new: str) -> None:
    assert verdicts(grant(old), grant(new)) == (PROVED, WITNESS)


OTHER_COUNTS = [  # each counted by itself, so that neither says what the other has left
    ("budget: {calls: 3}", "budget: {calls: 2, per: hour}"),
    ("budget: {calls: 3, per: day}", "budget: {calls: 3}"),
    ("budget: {calls: 3, per: hour}", "rate: 2/h"),
    ("rate: 60/h", "rate: 1/m"),
]


@pytest.mark.parametrize(("old", "new"), OTHER_COUNTS)
def test_budgets_that_are_counted_over_something_else_are_never_proved_narrower(old: str, new: str) -> None:
    for one, other in ((old, new), (new, old)):
        assert PROVED not in verdicts(grant(f"args: {{a: any}}, {one}"), grant(f"args: {{a: any}}, {other}"))[:1]


@pytest.mark.parametrize(
    ("old", "new"), [("budget: {calls: 3, per: hour}", "budget: {calls: 3, per: day}"), ("rate: 3/m", "rate: 3/h")]
)
def test_a_longer_window_with_the_same_limit_is_narrower(old: str, new: str) -> None:
    gained, lost = verdicts(grant(f"args: {{a: any}}, {old}"), grant(f"args: {{a: any}}, {new}"))
    assert gained is PROVED
    assert lost is not PROVED


def test_a_mandate_that_is_no_longer_required_is_wider_and_rules_are_compared_beside_any_mandate() -> None:
    alone, wider = grant("args: {a: 1}"), grant("args: {a: any}")
    assert verdicts(f"mandate: required\n{alone}", alone) == (UNKNOWN, PROVED)
    assert verdicts(alone, f"mandate: required\n{alone}") == (PROVED, UNKNOWN)
    assert verdicts(f"mandate: required\n{alone}", f"mandate: required\n{wider}") == (WITNESS, PROVED)
    assert verdicts(f"mandate: required\n{alone}", f"mandate: required\n{alone}") == (PROVED, PROVED)


def test_who_is_in_a_group_is_compared_and_what_it_is_called_is_not() -> None:
    def of(name: str, members: str) -> str:
        rule = grant(f"args: any, when: {{principal: {{group: {name}}}}}")
        return f"groups: {{{name}: [{members}]}}\n{rule}"

    assert verdicts(of("a", "ann, bob"), of("b", "bob, ann")) == (PROVED, PROVED)
    assert verdicts(of("a", "ann, 'b*'"), of("a", "ann, bob")) == (PROVED, WITNESS)


def test_grants_that_differ_in_nulls_alone_are_not_the_same() -> None:
    assert verdicts(grant("args: {a: any}, nulls: absent"), grant("args: {a: any}, others: any")) == (WITNESS, PROVED)


ALL = "grants: [{id: g, tool: 's/*', args: any}]\n"
REACH = [  # each second one reaches less
    ("deny: [{id: d, tool: s/t}]", "deny: [{id: d, tool: s/t, args: {a: any}}]"),
    ("deny: [{id: d, tool: s/t}]", "deny: []"),
    ("deny: [{id: d, tool: 's/t*'}]", "deny: [{id: d, tool: s/tx}]"),
    ("deny: [{id: d, tool: 's/*', args: {a: {above: 5}}}]", "deny: [{id: d, tool: 's/*', args: {a: {above: 6}}}]"),
    (
        "deny: [{id: d, tool: 's/*', args: {a: {matches: '[a-z]+'}}}]",
        "deny: [{id: d, tool: 's/*', args: {a: {matches: '[a-y]+'}}}]",
    ),
    (
        "deny: [{id: d, tool: 's/*', args: {a: {some: {in: [x, y]}}}}]",
        "deny: [{id: d, tool: 's/*', args: {a: {some: {in: [x]}}}}]",
    ),
    (
        "deny: [{id: d, tool: 's/*', args: {a: {host_in: [.a.org]}}}]",
        "deny: [{id: d, tool: 's/*', args: {a: {host_in: [b.a.org]}}}]",
    ),
    ("deny: [{id: d, effect: egress}]", "deny: [{id: d, effect: egress, when: {principal: ann}}]"),
    ("ask: [{id: d, tool: s/t}]", "ask: [{id: d, tool: s/t, args: {b: any}}]"),
    ("deny: [{id: d, tool: s/t}]", "ask: [{id: d, tool: s/t}]"),
]


@pytest.mark.parametrize(("old", "new"), REACH)
def test_a_weakened_deny_or_ask_is_shown_by_a_call_and_its_reverse_is_proved(old: str, new: str) -> None:
    assert verdicts(ALL + old, ALL + new) == (WITNESS, PROVED)


def test_a_grant_may_be_covered_by_several_together() -> None:
    old = "grants: [{id: a, tool: s/t, args: {a: {max: 5}}}, {id: b, tool: s/t, args: {a: {above: 4}}}]"
    assert verdicts(old, grant("args: {a: {min: 1, max: 9}}")) == (PROVED, WITNESS)


def test_a_deny_that_no_grant_meets_changes_nothing() -> None:
    assert verdicts(grant("args: any"), grant("args: any") + "\ndeny: [{id: d, tool: x/y}]") == (PROVED, PROVED)


def test_order_ids_and_advice_change_nothing_where_nothing_is_counted() -> None:
    old = "grants: [{id: a, tool: s/t, args: any}, {id: b, tool: s/u, args: {x: 1}}]"
    new = "grants: [{id: c, tool: s/u, args: {x: 1.0}, advice: hm}, {id: d, tool: [s/t], args: any}]"
    assert verdicts(old, new) == (PROVED, PROVED)


def test_a_budget_under_another_name_starts_anew() -> None:
    old, new = (f"grants: [{{id: {name}, tool: s/t, args: any, budget: {{calls: 3}}}}]" for name in ("a", "b"))
    answer = found(old, new)
    (finding,) = answer.gained.findings
    assert finding.witness is not None and set(finding.witness.supposed.usage) == {"policy/a"}


def test_a_directory_that_a_document_names_itself_may_be_a_link() -> None:
    answer = found(grant("args: {a: {under: /srv}}"), grant("args: {a: {under: /srv/notes}}"))
    (finding,) = answer.gained.findings
    assert finding.witness is not None and finding.witness.supposed.links == {"/srv/notes": "/elsewhere"}


def test_a_pattern_reaches_tools_that_no_rule_names() -> None:
    (finding,) = found(grant("args: any"), ALL).gained.findings
    assert finding.target == "any other tool"
    assert finding.witness is not None and finding.witness.call.name not in ("s/t", "s/*")


def test_an_effect_said_of_a_tool_widens_what_goes_by_effect() -> None:
    grants = "grants: [{id: look, effect: read, args: any}]"
    assert verdicts(grants, f"tools: {{s/t: {{effect: read}}}}\n{grants}") == (WITNESS, PROVED)


def test_a_widening_names_what_stood_in_the_way_each_time() -> None:
    old = grant("args: {a: {max: 5}}") + "\ndeny: [{id: d, tool: s/t, args: {a: 3}}]"
    answer = found(old, grant("args: {a: {max: 9}}"))
    refused = [one.witness.old.rules[0].id for one in answer.gained.findings if one.witness is not None]
    assert refused == ["g", "d"]


def test_two_mandates_are_compared_beside_any_policy() -> None:
    old, new = (
        mandate("grants: [{id: look, effect: read, args: any}]"),
        mandate("grants: [{id: look, effect: [read, egress], args: any}]"),
    )
    answer = compare((old,), (new,))
    assert (answer.gained.verdict, answer.lost.verdict) == (WITNESS, PROVED)
    (finding,) = answer.gained.findings
    assert finding.witness is not None and EffectClass.EGRESS in finding.witness.supposed.classes


@pytest.mark.parametrize(("old", "new"), [("1h", "2h"), ("2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z")])
def test_a_mandate_that_ends_later_permits_more(old: str, new: str) -> None:
    first, second = (mandate("grants: [{id: g, tool: s/t, args: any}]", end) for end in (old, new))
    answer = compare((first,), (second,))
    assert (answer.gained.verdict, answer.lost.verdict) == (WITNESS, PROVED)


def test_a_mandate_beside_a_policy_permits_no_more_than_the_policy() -> None:
    beside = policy("grants: [{id: p, tool: s/t, args: {a: {max: 9}}}]")
    task = mandate("grants: [{id: m, tool: s/t, args: {a: any}}]")
    answer = compare((beside,), (beside, task))
    assert (answer.gained.verdict, answer.lost.verdict) == (PROVED, WITNESS)


def test_what_can_be_read_in_two_ways_is_not_proved() -> None:
    old = grant(r"args: {a: {matches: '\p{L}+'}}")
    assert verdicts(old, old) == (PROVED, PROVED)
    assert verdicts(old, grant(r"args: {a: {matches: '\p{Lu}+'}}"))[0] is UNKNOWN


def test_numbers_that_python_holds_equal_are_told_apart() -> None:
    assert verdicts(grant("args: {a: 1.0e+23}"), grant("args: {a: 99999999999999991611392}"))[0] is WITNESS


def test_too_many_combinations_are_unknown_and_said() -> None:
    grants = ", ".join(f"{{id: g{i}, tool: s/t, args: {{a{i}: any}}}}" for i in range(30))
    two = policy(f"grants: [{grants}]"), mandate(f"grants: [{grants}]")
    answer = compare((policy(grant("args: {}")),), two)
    assert answer.wider
    assert [one.why for one in answer.gained.findings] == ["more than 600 combinations of grants"]


def test_many_rules_on_one_tool_are_told_apart_by_few_of_them() -> None:
    """With every rule taken into account at once, this would take minutes."""
    limits = "args: {{path: {{under: $project/d{0}, not_name: ['*.env']}}, n: {{max: {1}}}}}"

    def many(more: int) -> str:
        return "grants:\n" + "".join(f"  - {{id: g{i}, tool: s/t, {limits.format(i, i + more)}}}\n" for i in range(200))

    answer = found(many(1), many(0))
    assert (answer.gained.verdict, answer.lost.verdict) == (PROVED, WITNESS)
    *shown, last = answer.lost.findings
    assert [one.verdict for one in shown] == [WITNESS] * 10
    assert last.why == "after 10 calls that show a difference, the other grants are not looked at"


def test_a_hostile_document_ends_in_unknown_and_not_in_an_endless_search() -> None:
    deep = "{max: 3}"
    for _ in range(15):
        deep = f"{{each: {deep}, max_items: 2}}"
    old, new = grant(f"args: {{a: {deep}}}"), grant(f"args: {{a: {deep.replace('max: 3', 'max: 4')}}}")
    assert verdicts(old, new) == (UNKNOWN, PROVED)


@pytest.mark.parametrize("described", [(True, True), (True, False), (False, True), (False, False)])
def test_whatever_server_and_catalogue_say_of_a_tool_is_looked_at(described: tuple[bool, bool]) -> None:
    entry, other = policy("tools: {s/t: {effect: read}}\ngrants: []"), policy("grants: []")
    old, new = (Side((entry if there else other,)) for there in described)
    seen = {tuple(side.classes("s/t", *facts) for side in (old, new)) for facts in possible(True, "s/t", old, new)}
    for added in class_sets():
        for catalogued in class_sets()[1:]:  # every tool does something
            assert tuple(side.classes("s/t", added, catalogued) for side in (old, new)) in seen


def test_every_field_of_a_rule_is_one_that_a_comparison_knows() -> None:
    """A new one is compared for equality until it is put here and into the atoms."""
    for kind in (Rule, Budget, When, Arguments):
        assert set(kind.__dataclass_fields__) == KNOWN[kind.__name__]
    assert set(Document.__dataclass_fields__) == KNOWN_OF_DOCUMENTS


POLICIES = Path(__file__).parents[2] / "policies"
NAMES = ("project", "payments", "demo", "mail-calendar", "service-desk")


VARIABLES = {"project": "/srv/project", "domain": "example.com"}
READY = [load_policy(POLICIES / f"{name}.yaml", variables=VARIABLES, home="/home/user") for name in NAMES]
WEAKENED = [
    (f"{layer.file.rpartition('/')[2]} {mutant.name}: {mutant.what}", layer, mutant.document)
    for layer in READY
    for mutant in mutants_of(layer)
    if mutant.rule is not None and mutant.rule.is_grant  # a deny may only say better why nothing grants the call
]


@pytest.mark.parametrize(("what", "old", "new"), WEAKENED, ids=[what for what, _, _ in WEAKENED])
def test_a_ready_policy_with_a_clause_less_is_never_proved_and_the_reverse_is(
    what: str, old: Document, new: Document
) -> None:
    answer = compare((old,), (new,))
    assert answer.gained.verdict is not PROVED
    assert answer.lost.verdict is PROVED or "an absolute path under" in what  # a link may lead out of the wider one


def test_of_single_clause_edits_to_ready_policies_few_are_unknown() -> None:
    edits = [(old, new) for _, old, new in WEAKENED]
    answers = [compare((old,), (new,)) for old, new in edits]
    unknown = [one for one in answers if UNKNOWN in (one.gained.verdict, one.lost.verdict)]
    assert len(edits) > 300
    assert len(unknown) <= len(edits) // 8  # the most are names in `not_name` that a deny refuses, too


def test_a_witness_is_a_call_that_the_judge_decides_so() -> None:
    old, new = policy(grant("args: {a: {max: 5}}")), policy(grant("args: {a: {max: 9}}"))
    (finding,) = compare((old,), (new,)).gained.findings
    assert finding.witness is not None
    call, facts = finding.witness.call, finding.witness.supposed
    effects = [decide(Authority((layer,)), call, facts).effect for layer in (old, new)]
    assert effects == [Effect.DENY, Effect.ALLOW]


@pytest.mark.parametrize(("old", "new"), [("spend", "read"), ("[read, egress]", "read"), ("destructive", "write")])
def test_calling_a_tool_harmless_widens_what_a_pattern_reaches_without_a_lock(old: str, new: str) -> None:
    text = "tools: {{s/t: {{effect: {}}}}}\ngrants: [{{id: g, tool: 's/*', args: any}}]"
    assert verdicts(text.format(old), text.format(new)) == (WITNESS, PROVED)
    found_ = found(text.format(old), text.format(new)).gained.findings
    assert any(one.witness is not None and not one.witness.supposed.lock for one in found_)


def test_naming_a_tool_that_only_a_pattern_reached_widens() -> None:
    """It is reached without a lock, too; the pattern reached it only under one."""
    pattern = "grants: [{id: g, tool: 's/*', args: any}]"
    assert verdicts(pattern, "grants: [{id: g, tool: ['s/*', s/t], args: any}]") == (WITNESS, PROVED)
    assert verdicts(pattern, pattern) == (PROVED, PROVED)


def test_a_deny_that_only_an_imitation_of_its_argument_meets_is_not_proved_to_be_needless() -> None:
    """With `a` at most 5, `{a: 3, A: 99}` alone meets the deny above 10; nothing does where no more may be given."""
    deny = "\ndeny: [{id: d, tool: s/t, args: {a: {above: 10}}}]\n"
    freed, closed = grant("args: {a: {max: 5}}, others: any"), grant("args: {a: {max: 5}}")
    assert verdicts(f"{freed.rstrip()}{deny}", freed)[0] is not PROVED
    assert verdicts(f"{closed.rstrip()}{deny}", closed) == (PROVED, PROVED)
