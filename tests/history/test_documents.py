"""Sources in documents: case files, comparing, words, `explain`, and what a person who is asked is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.history.sources import describe
from mcp_guard.history.trust import is_untrusted
from mcp_guard.model import Origin
from mcp_guard.policy.cases_facts import CaseFacts
from mcp_guard.policy.compare import compare
from mcp_guard.policy.compare_sides import Side
from mcp_guard.policy.compare_supposed import PLAIN, Supposed
from mcp_guard.policy.compare_verdicts import Verdict
from mcp_guard.policy.compare_words import as_data, sections
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, Document
from mcp_guard.policy.explain import explain_call
from mcp_guard.policy.limits import limits_in_words
from tests.approvals.test_passage import Agreeing
from tests.history.live import EVIL, GOOD, POLICY, town
from tests.policy.case_scene import covered, left, played
from tests.policy.scene import NOON, Still, call, mandate, policy

GRANT = "grants: [{id: pay, tool: bank/pay, args: {to: {from: [%s]}}}]"
TOOLS = "tools: {bank/list: {effect: read}, mail/read: {effect: read, gives: untrusted}, bank/pay: {effect: spend}}\n"
LOOK = "  - {id: look, tool: [bank/list, mail/read], args: any}\n"
ITEMS = ("task", "policy", "trusted", "untrusted", "bank/list", "mail/read", "{tool: bank/list, field: iban}")


def paying(*items: str) -> Document:
    return policy(TOOLS + GRANT % ", ".join(items))


def paid(why: str, to: object, expect: str, *before: str, more: str = "") -> str:
    """One case: a payment after these calls."""
    after = f"after: [{', '.join(before)}], " if before else ""
    return f"  - {{why: {why}, {after}call: bank/pay, args: {{to: {to}}}, expect: {expect}{more}}}\n"


LISTED = "{call: bank/list, result: {iban: DE1}}"
MAILED = "{call: mail/read, result: DE1}"
ECHOED = "{call: bank/list, args: {q: DE1}, result: {iban: DE1}}"


def test_cases_play_the_results_of_earlier_calls() -> None:
    pay = "  - {id: pay, tool: bank/pay, args: {to: {from: [{tool: bank/list, field: iban}]}}}\n"
    document = TOOLS + "grants:\n" + LOOK + pay
    cases = "".join(
        [
            paid("listed", "DE1", "allow", LISTED, more=", rule: pay"),
            paid("another", "DE2", "deny", LISTED),
            paid("from a mail", "DE1", "deny", MAILED),
            paid("its own words", "DE1", "deny", ECHOED),
            paid("listed once its own words", "DE1", "allow", ECHOED, LISTED),
            "  - {why: without, call: bank/pay, expect: deny}\n",
        ]
    )
    assert [one.passed for one in played(document, cases)] == [True] * 6
    found = [clause for rule in covered(document, cases).rules for clause in rule.clauses if "from" in clause.words]
    assert found and all(clause.covered for clause in found)
    assert not any("from" in mutant.what and "any instead" in mutant.what for mutant in left(document, cases))
    assert any("from" in mutant.what for mutant in left(document, paid("listed", "DE1", "allow", LISTED)))


def test_a_label_of_a_tool_whose_results_are_asked_about_has_its_case() -> None:
    pay = "  - {id: pay, tool: bank/pay, args: {to: {from: [trusted]}}}\n"
    document = TOOLS + "grants:\n" + LOOK + pay
    listed, mailed = paid("listed", "DE1", "allow", LISTED), paid("mailed", "DE1", "deny", MAILED)
    label = "doesn't give untrusted"
    assert label in {mutant.what for mutant in left(document, listed)}
    assert label not in {mutant.what for mutant in left(document, listed + mailed)}
    task_alone = document.replace("[trusted]", "[task]")
    assert label not in {mutant.what for mutant in left(task_alone, listed)}


@pytest.mark.parametrize(
    ("name", "path", "untrusted"),
    [
        ("bank/list", "/in/a", False),
        ("mail/read", "/out/a", True),
        ("nobody/said", "/out/a", True),
        ("files/read", "/in/a", True),
        ("files/read", "/in/../out/a", True),
        ("files/read", "/out/a", False),
    ],
)
def test_a_result_is_untrusted_exactly_where_its_call_gives_that_label(name: str, path: str, untrusted: bool) -> None:
    gives = "files/read: {effect: read, gives: [{label: untrusted, args: {path: {under: /in}}}]}"
    known = policy(TOOLS.replace("}}", f"}}, {gives}}}") + "grants: [{id: a, tool: '*/*', args: any}]")
    authority, one, facts = Authority((known,), NOON), call(name, path=path), Still()
    assert is_untrusted(authority.tools, one, facts) is untrusted
    assert ("untrusted" in decide(authority, one, facts).gives) is untrusted


def test_an_ask_about_strangers_fires_unless_the_value_clearly_comes_from_somewhere() -> None:
    pay = "  - {id: pay, tool: bank/pay, args: any}\n"
    ask = "ask: [{id: stranger, tool: bank/pay, args: {to: {not_from: [task, trusted]}}}]\n"
    task = f"task: pay {GOOD}, expires: 1h, grants: [{{id: a, tool: bank/pay, args: any}}]"
    cases = "".join(
        [
            paid("listed", "DE1", "allow", LISTED),
            paid("a list is none", "[DE1]", "ask", LISTED),
            paid("from a mail", "DE1", "ask", MAILED, more=", rule: stranger"),
            paid("from nowhere", "DE1", "ask"),
            paid("from the task", GOOD, "allow", more=f", mandate: {{version: 1, {task}}}"),
        ]
    )
    assert [one.passed for one in played(TOOLS + "grants:\n" + LOOK + pay + ask, cases)] == [True] * 5


def test_lists_and_fields_are_judged_part_by_part() -> None:
    both = "{to: {each: {from: [policy]}}, who: {fields: {x: {from: [policy]}}}}"
    document = f"grants: [{{id: a, tool: s/t, args: {both}}}, {{id: b, tool: s/u, args: {{x: {{in: [DE1, DE2]}}}}}}]\n"
    cases = """  - {why: listed, call: s/t, args: {to: [DE1, DE2], who: {x: DE1}}, expect: allow}
  - {why: one isn't, call: s/t, args: {to: [DE1, DE3], who: {x: DE1}}, expect: deny}
  - {why: none, call: s/t, args: {to: [], who: {x: DE1}}, expect: deny}
  - {why: field isn't, call: s/t, args: {to: [DE1], who: {x: DE3}}, expect: deny}
"""
    assert [one.passed for one in played(document, cases)] == [True] * 4


def verdict(old: Document, new: Document) -> Verdict:
    return compare((old,), (new,)).gained.verdict


def test_fewer_sources_are_proved_narrower_and_one_more_is_shown_with_what_it_supposes() -> None:
    few, many = paying("task"), paying("trusted", "task", "{tool: bank/list, field: iban}")
    assert verdict(many, few) is Verdict.PROVED
    found = compare((few,), (many,))
    assert found.gained.verdict is Verdict.WITNESS
    said = str(list(sections(found)))
    assert "its values come from" in said
    assert as_data(found)["gained"]["findings"][0]["witness"]["supposing"]["from"]


def test_what_a_source_means_has_to_be_the_same_for_a_proof() -> None:
    text = "grants: [{id: pay, tool: bank/pay, args: {to: {from: [task]}}}]"
    one, other = mandate(text), mandate(text)
    assert compare((one,), (other,)).gained.verdict is Verdict.PROVED
    changed = Document(
        **{**{name: getattr(one, name) for name in ("file", "digest", "kind", "rules", "expires")}, "task": "pay DE2"}
    )
    assert compare((one,), (changed,)).gained.verdict is Verdict.UNKNOWN
    trusting = policy(TOOLS.replace(", gives: untrusted", "") + GRANT % "trusted")
    assert verdict(paying("trusted"), trusting) is not Verdict.PROVED
    assert verdict(paying("trusted"), paying("trusted")) is Verdict.PROVED


@settings(max_examples=40)
@given(
    old=st.lists(st.sampled_from(ITEMS), min_size=1, max_size=3, unique=True),
    new=st.lists(st.sampled_from(ITEMS), min_size=1, max_size=3, unique=True),
    value=st.sampled_from(["x", 1]),
)
def test_a_proof_holds_wherever_a_value_comes_from(old: list[str], new: list[str], value: object) -> None:
    before, after = paying(*old), paying(*new)
    found = compare((before,), (after,)).gained.verdict
    if found is not Verdict.PROVED:
        assert not set(new) <= set(old)
        return
    places = [
        Origin("task"),
        Origin("policy"),
        *(
            Origin(trust, tool, field)
            for trust in ("trusted", "untrusted")
            for tool in ("bank/list", "mail/read", "a/b")
            for field in ("", "iban")
        ),
    ]
    for origin in (None, *places):
        facts, made = Supposed(origin=origin), call("bank/pay", to=value)
        assert Side((after,)).judge(made, facts).effect >= Side((before,)).judge(made, facts).effect


def test_the_limits_say_where_a_value_has_to_come_from() -> None:
    (rule,) = paying("task", "{tool: bank/list, field: iban}").rules
    assert limits_in_words(rule) == "to: from the task or from bank/list (iban); nothing else"
    (rule,) = policy("grants: [{id: a, tool: s/t, args: {body: {from: [trusted], text: free}}}]").rules
    assert limits_in_words(rule).startswith("body: text whose addresses, URLs and accounts come from a trusted result")


def test_explain_says_the_source_of_each_judged_value_and_never_the_value() -> None:
    layers = (paying("task", "trusted"), mandate("grants: [{id: all, tool: bank/pay, args: any}]"))
    authority = Authority(layers)
    facts = CaseFacts(NOON, "/", {}, {}, authority)
    facts.happened(call("bank/list"), {"iban": GOOD})
    assert describe(authority, call("bank/pay", to=GOOD), facts) == {"to": "from bank/list"}
    made = call("bank/pay", to=EVIL)
    explained = explain_call(authority, made, facts)
    assert explained.sources["to"].startswith("from nowhere that is known")
    assert EVIL not in str(explained.sources) and explained.to_dict()["sources"] == dict(explained.sources)
    assert not decide(authority, made, PLAIN).allowed


async def test_who_is_asked_is_told_where_each_value_comes_from(tmp_path: Path) -> None:
    asking = POLICY.replace("args: {recipient: {from: [task, {tool: bank/payees, field: iban}]}}", "args: any") + (
        "ask: [{id: stranger, tool: bank/pay, args: {recipient: {not_from: [trusted]}}}]\n"
    )
    with town(tmp_path, asking) as scene:
        scene.guard.approver = Agreeing()
        scene.bank.says["payees"], scene.mail.says["read"] = {"iban": GOOD}, EVIL
        await scene.call("bank__payees")
        await scene.call("mail__read")
        assert await scene.pay(GOOD) and scene.guard.approver.questions == []
        assert await scene.pay(EVIL)
        (question,) = scene.guard.approver.questions
    assert question.sources == {"recipient": "from mail/read, which anybody may have written"}


async def test_a_refusal_tells_the_client_what_would_be_permitted(tmp_path: Path) -> None:
    with town(tmp_path) as scene:
        refused = (await scene.call("bank__pay", {"recipient": EVIL}))["result"]
    assert refused["isError"] is True
    assert "recipient: from the task or from bank/payees (iban)" in str(refused)
