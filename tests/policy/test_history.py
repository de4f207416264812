"""Labels, order and once in documents: how lists are read, what is said of them, what a comparison finds."""

from __future__ import annotations

import pytest

from mcp_guard.model import Admitted, Call, Described, Effect, EffectClass, Reason
from mcp_guard.policy.compare import compare
from mcp_guard.policy.compare_verdicts import Verdict
from mcp_guard.policy.compare_words import sections
from mcp_guard.policy.decide import decide, visible
from mcp_guard.policy.document import Authority
from mcp_guard.policy.explain import explain_call
from mcp_guard.policy.mutation import mutants_of
from mcp_guard.policy.mutation_hints import suggestion
from mcp_guard.policy.oddities import oddities
from mcp_guard.policy.sentences import sentence
from tests.policy.case_scene import left, played, suite, uncovered
from tests.policy.scene import Broken, Still, call, mandate, policy, prompt, resource, under
from tests.policy.test_document import EXAMPLE_POLICY

TAINTED = "  - {id: no-tainted-egress, effect: [egress, spend], when: {labels: [untrusted]}, advice: No.}\n"
EXAMPLE = under(EXAMPLE_POLICY.removeprefix("version: 1\n") + TAINTED)
MAIL = call("mail/send_email", to=["a@example.com"], body="x")


def session(*labels: str, **calls: int) -> Still:
    """A session with these labels, in which these tools (`s__t` for `s/t`) and grants were used."""
    tools = {name.replace("__", "/"): times for name, times in calls.items() if "__" in name}
    grants = {f"policy/{name}": times for name, times in calls.items() if "__" not in name}
    return Still(exposed=frozenset(labels), done=Admitted(tools, grants))


# --- the example of the design


def test_the_example_closes_mail_and_transfers_once_the_session_has_read_untrusted_text() -> None:
    transfer = call("bank/transfer_money", amount=5, recipient="x")
    for one in (MAIL, transfer):
        assert decide(EXAMPLE, one, session()).allowed
        refused = decide(EXAMPLE, one, session("untrusted"))
        assert (refused.reason, refused.rules[0].id) == (Reason.DENIED, "no-tainted-egress")
        assert visible(EXAMPLE, one, session("untrusted"))
    assert decide(EXAMPLE, call("mail/read_email"), session("untrusted")).allowed


@pytest.mark.parametrize(
    ("made", "given"),
    [
        (call("web/fetch", url="https://docs.python.org/3"), {"untrusted"}),
        (call("mail/read_email", id="m1"), {"untrusted"}),
        (call("bank/list_payees"), set()),
        (call("files/read_text_file", path="/srv/project/a"), set()),
        (call("files/list_directory", path="/srv/project"), {"untrusted"}),  # nobody describes it
        (MAIL, set()),
        (resource("files", "file:///srv/project/a"), {"untrusted"}),
        (prompt("files/review", style="short"), {"untrusted"}),
    ],
)
def test_the_example_gives_labels_as_it_reads(made: Call, given: set[str]) -> None:
    assert decide(EXAMPLE, made, session()).gives == given


def test_a_file_of_the_downloads_is_untrusted_and_one_that_may_be_as_well() -> None:
    rule = "tools: {f/read: {effect: read, gives: [{label: untrusted, args: {path: {under: ~/Downloads}}}]}}\n"
    files = under(rule + "grants: [{id: r, tool: f/read, args: any}]")
    for path, given in (("/home/u/Downloads/a", True), ("/srv/a", False), ("Downloads/a", True), ("/srv/../a", True)):
        assert bool(decide(files, call("f/read", path=path), session()).gives) is given
    assert decide(files, call("f/read"), session()).gives == frozenset()  # no path, so none of the downloads
    assert decide(files, call("f/read", Path="/home/u/Downloads/a"), session()).gives  # a server may read it so


# --- whose word counts for a tool


def test_an_entry_wins_over_the_catalogue_and_what_neither_knows_is_untrusted() -> None:
    known = Still(catalogued={"s/t": Described(frozenset({EffectClass.READ}), gives=("listed",))})
    grants = "grants: [{id: g, tool: s/*, args: any}]"
    assert decide(under(grants), call("s/t"), known).gives == {"listed"}
    assert decide(under(grants), call("s/u"), known).gives == {"untrusted"}
    assert decide(under("tools: {s/t: {effect: read}}\n" + grants), call("s/t"), known).gives == frozenset()
    assert decide(under("tools: {s/t: {gives: [a, b]}}\n" + grants), call("s/t"), known).gives == {"a", "b"}


def test_what_a_server_says_beside_its_answers_is_said_for_that_server_alone() -> None:
    text = "tools: {files/*: {gives: []}}\ngrants:\n  - {id: f, resource: {server: files, uri: any}}\n"
    found = under(text + "  - {id: w, resource: {server: web, uri: any}}\n  - {id: t, tool: files/read, args: any}")
    assert decide(found, resource("files", "file:///a"), session()).gives == frozenset()
    assert decide(found, resource("web", "file:///a"), session()).gives == {"untrusted"}
    assert decide(found, call("files/read"), session()).gives == {"untrusted"}, "of tools it says nothing"


def test_a_mandate_alone_knows_of_no_tool_and_beside_a_policy_the_policy_speaks() -> None:
    task = mandate("grants: [{id: m, tool: s/t, args: any}]")
    says = policy("tools: {s/t: {gives: a}}\ngrants: [{id: p, tool: s/t, args: any}]")
    assert decide(Authority((task,)), call("s/t"), session()).gives == {"untrusted"}
    assert decide(Authority((says, task)), call("s/t"), session()).gives == {"a"}


def test_an_ask_knows_what_the_call_gives_once_it_is_approved() -> None:
    asks = under("grants: [{id: g, tool: s/t, args: any, ask: true}]")
    decision = decide(asks, call("s/t"), session())
    assert (decision.effect, decision.gives) == (Effect.ASK, frozenset({"untrusted"}))


# --- how lists are read

LISTS = [
    ("when: {labels: [a, b]}", ["a", "b"], [[], ["a"], ["b"]]),
    ("when: {no_labels: [a, b]}", [], [["a"], ["b"], ["a", "b"]]),
    ("when: {labels: [a], no_labels: [b]}", ["a"], [[], ["a", "b"], ["b"]]),
]


@pytest.mark.parametrize(("when", "holding", "failing"), LISTS)
def test_all_labels_are_wanted_and_none_of_the_others_in_every_rule(
    when: str, holding: list[str], failing: list[list[str]]
) -> None:
    grant = under(f"grants: [{{id: g, tool: s/t, args: any, {when}}}]")
    tight = {
        kind: under(f"grants: [{{id: g, tool: s/t, args: any}}]\n{kind}: [{{id: r, tool: s/t, {when}}}]")
        for kind in ("ask", "deny")
    }
    for labels, holds in ((holding, True), *((one, False) for one in failing)):
        met = session(*labels)
        assert decide(grant, call("s/t"), met).allowed is holds
        assert (decide(grant, call("s/t"), met).reason is Reason.HISTORY) is not holds
        assert (decide(tight["ask"], call("s/t"), met).effect is Effect.ASK) is holds
        assert (decide(tight["deny"], call("s/t"), met).effect is Effect.DENY) is holds
    for authority in (grant, *tight.values()):
        assert visible(authority, call("s/t"), session("a", "b"))


def test_a_grant_waits_for_all_that_has_to_come_first_by_tool_pattern_and_grant() -> None:
    rule = "  - {id: g, tool: s/t, args: any, after: [read, web/*, s/sign]}"
    found = under(f"grants:\n  - {{id: read, tool: f/read, args: any}}\n{rule}")
    assert decide(found, call("s/t"), session(read=1, web__fetch=1, s__sign=2)).allowed
    for missing in (session(), session(read=1, web__fetch=1), session(web__x=1, s__sign=1), session(f__read=1)):
        assert decide(found, call("s/t"), missing).reason is Reason.HISTORY
    assert not decide(found, call("s/t"), session(read=1, web__fetch=1, s__Sign=1)).allowed, "to the letter"
    assert "s/sign has to come first" in decide(found, call("s/t"), session(read=1, web__fetch=1)).detail


def test_a_deny_fires_after_any_of_them_however_it_is_spelled_and_counts_together() -> None:
    grants = "grants:\n  - {id: read, tool: f/read, args: any}\n  - {id: g, tool: s/t, args: any}\n"
    never = under(grants + "deny: [{id: d, tool: s/t, after: [read, web/fetch]}]")
    assert decide(never, call("s/t"), session(mail__read=3)).allowed
    for met in (session(read=1), session(web__fetch=1), session(web__FETCH=1)):
        assert decide(never, call("s/t"), met).reason is Reason.DENIED
    third = under(grants + "deny: [{id: d, tool: s/t, after: [read, web/*], times: 3}]")
    assert decide(third, call("s/t"), session(read=1, web__fetch=1)).allowed
    assert not decide(third, call("s/t"), session(read=1, web__fetch=1, web__post=1)).allowed


def test_n_calls_of_a_class_in_a_session_are_a_deny_that_counts_them() -> None:
    sinks = "grants: [{id: g, tool: [mail/send, web/post], args: any}]\n"
    bounded = under(sinks + "deny: [{id: five, tool: [mail/send, web/post], after: [mail/send, web/post], times: 5}]")
    assert decide(bounded, call("web/post"), session(mail__send=4)).allowed
    assert not decide(bounded, call("web/post"), session(mail__send=4, web__post=1)).allowed


def test_a_budget_from_a_source_to_a_sink_is_a_budget_of_a_grant_with_a_label() -> None:
    bounded = under(
        "grants:\n  - {id: before, tool: s/send, args: any, when: {no_labels: [secret]}}\n"
        "  - {id: after, tool: s/send, args: any, when: {labels: [secret]}, budget: {calls: 2}}"
    )
    for met, rule, cost in ((session(), "before", 0), (session("secret"), "after", 1)):
        (charge,) = decide(bounded, call("s/send"), met).charges
        assert (charge.rule, charge.calls) == (f"policy/{rule}", cost)


def test_once_is_one_call_of_the_grant_whatever_carried_others() -> None:
    found = under("grants: [{id: g, tool: s/t, args: any, once: true}]")
    assert decide(found, call("s/t"), session(other=5, s__t=5)).allowed
    assert decide(found, call("s/t"), session(g=1)).reason is Reason.HISTORY


@pytest.mark.parametrize("rest", ["when: {labels: [a]}", "when: {no_labels: [a]}", "after: x/y"])
def test_a_history_that_cannot_be_read_closes_a_grant_and_fires_a_deny(rest: str) -> None:
    class Lost(Still):
        labels, admitted = Broken.labels, Broken.admitted

    grant = under(f"grants: [{{id: g, tool: s/t, args: any, {rest}}}]")
    assert decide(grant, call("s/t"), Lost()).reason is Reason.HISTORY
    plain = f"grants: [{{id: g, tool: s/t, args: any}}]\ndeny: [{{id: d, tool: s/t, {rest}}}]"
    assert decide(under(plain), call("s/t"), Lost()).reason is Reason.DENIED


# --- what is said


def test_sentences_say_labels_and_order() -> None:
    document = policy(
        "grants:\n  - {id: a, tool: s/t, args: any, when: {no_labels: [x, y]}, once: true}\n"
        "  - {id: b, tool: s/t, args: any, when: {labels: [x, y]}, after: [a, w/*]}\n"
        "deny: [{id: d, tool: s/t, after: [a, w/z], times: 2}]"
    )
    assert sentence(document) == [
        "a: may call s/t with any arguments, only in a session without the label x or y, once a session.",
        "b: may call s/t with any arguments, only in a session that has the labels x and y, only after w/* and a.",
        "d: never call s/t with any arguments, once w/z or a was used 2 times together in the session.",
    ]


def test_an_explanation_says_what_closes_a_grant_and_where_to_open_it() -> None:
    found = under(
        "grants: [{id: g, tool: s/t, args: any, when: {no_labels: [x]}}]\ndeny: [{id: d, tool: s/t, after: a/b}]"
    )
    explained = explain_call(found, call("s/t"), session("x"))
    said = {one.rule.id: one.why for one in explained.layers[0].rules}
    assert said["g"] == "this session has the label x"
    assert "what this session has met and done clearly doesn't fit" in said["d"]
    assert "`no_labels`" in explained.changes[0].words


def test_a_refusal_names_what_has_to_come_first_and_permits_nothing_that_history_closed() -> None:
    def told(rest: str, met: Still) -> tuple[str, ...]:
        found = under(f"grants: [{{id: r, tool: f/read, args: any}}, {{id: g, tool: s/t, args: any{rest}}}]")
        return decide(found, call("s/t"), met).permitted

    assert told(", after: [r, f/sign]", session()) == ("s/t after f/sign and r",)
    assert told(", after: [r], disclose: false", session()) == ()
    assert told(", when: {no_labels: [x]}", session("x")) == ()
    assert told(", once: true", session(g=1)) == ()


def test_check_points_out_a_label_that_nothing_gives() -> None:
    given = (
        "tools: {s/t: {effect: read, gives: secret}, s/*: {gives: [noted]}}\ngrants: [{id: g, tool: s/t, args: any}]\n"
    )
    found = under(given + "deny: [{id: d, tool: s/t, when: {labels: [secret, noted, untrusted], no_labels: [sceret]}}]")
    (oddity,) = oddities(found, {})
    assert (oddity.rule, oddity.line) == ("d", 4)
    assert "`sceret`" in oddity.message


# --- cases, coverage, mutation

CLOSED = (
    "tools: {w/fetch: {effect: read, gives: untrusted}, m/send: {effect: egress}}\n"
    "grants:\n  - {id: fetch, tool: w/fetch, args: {}}\n"
    "  - {id: send, tool: m/send, args: {}, after: [fetch], once: true}\n  - {id: other, tool: m/send, args: {a: 1}}\n"
    "deny: [{id: d, tool: m/send, args: {a: 1}, when: {labels: [untrusted]}}]\n"
)
CASES = """\
  - {why: a, call: w/fetch, expect: allow, rule: fetch}
  - {why: b, call: w/fetch, args: {x: 1}, expect: deny}
  - {why: c, after: [{call: w/fetch}], call: m/send, expect: allow, rule: send}
  - {why: d, call: m/send, expect: deny, reason: history}
  - {why: e, after: [{call: w/fetch}, {call: m/send}], call: m/send, expect: deny, reason: history}
  - {why: f, after: [{call: w/fetch}], call: m/send, args: {x: 1}, expect: deny}
  - {why: g, call: m/send, args: {a: 1}, expect: allow, rule: other}
  - {why: h, call: m/send, args: {a: 2}, expect: deny}
  - {why: i, call: m/send, args: {a: 1, b: 1}, expect: deny}
  - {why: j, after: [{call: w/fetch}], call: m/send, args: {a: 1}, expect: deny, rule: d}
  - {why: k, labels: [untrusted], call: m/send, args: {a: 2}, expect: deny, reason: no_grant}
"""


def test_cases_play_a_session_and_cover_each_label_and_what_comes_first() -> None:
    assert [one.case.why for one in played(CLOSED, CASES) if not one.passed] == []
    assert uncovered(CLOSED, CASES) == {}
    assert [mutant.what for mutant in left(CLOSED, CASES)] == []


@pytest.mark.parametrize(
    ("case", "clause"),
    [("c", "after fetch"), ("e", "once"), ("j", "when: label untrusted")],
)
def test_a_missing_case_leaves_its_clause_uncovered(case: str, clause: str) -> None:
    lines = [line for line in CASES.splitlines(keepends=True) if f"why: {case}," not in line]
    assert clause in uncovered(CLOSED, "".join(lines))


def test_weakened_history_is_noticed_by_the_case_that_is_about_it() -> None:
    whats = {mutant.what for mutant in mutants_of(policy(CLOSED))}
    assert {"without `after: fetch`", "more than once", "doesn't give untrusted"} <= whats
    lines = [line for line in CASES.splitlines(keepends=True) if "why: e," not in line]
    (survivor,) = [mutant for mutant in left(CLOSED, "".join(lines)) if mutant.what == "more than once"]
    assert survivor.name == "send"


def test_a_suggested_case_has_the_label_that_it_is_about() -> None:
    document = "grants: [{id: g, tool: s/t, args: any, when: {no_labels: [secret]}}]"
    found = suite(document, "  - {why: a, call: s/t, expect: allow, rule: g}\n")
    (mutant,) = [one for one in mutants_of(found.document) if "secret" in one.what]
    assert "labels: [secret]" in suggestion(found, mutant, played(document, "  - {why: a, call: s/t, expect: allow}\n"))


def test_a_case_file_says_what_tools_give() -> None:
    cases = "  - {why: a, after: [{call: s/t}], call: s/u, expect: allow}\n"
    document = "grants: [{id: g, tool: s/*, args: any, when: {no_labels: [untrusted]}}]"
    assert not played(document, cases)[0].passed
    assert played(document, cases + "gives: {s/t: [other]}\n")[0].passed


# --- comparing

PLAIN = "grants: [{id: g, tool: s/t, args: any}]\n"


def grant(rest: str) -> str:
    return f"grants: [{{id: r, tool: f/read, args: any}}, {{id: g, tool: s/t, args: any{rest}}}]\n"


@pytest.mark.parametrize(
    ("old", "new", "supposing"),
    [
        (grant(", when: {no_labels: [untrusted]}"), grant(""), "the session has the label untrusted"),
        (grant(", when: {no_labels: [a, b]}"), grant(", when: {no_labels: [a]}"), "the session has the label b"),
        (grant(", when: {labels: [a, b]}"), grant(", when: {labels: [a]}"), "the session has the label a"),
        (grant(", after: [r]"), grant(""), ""),
        (grant(", after: [r, s/u]"), grant(", after: [s/u]"), "s/u was used in the session before"),
        (grant(", once: true"), grant(""), "policy/g was used in the session before"),
        (PLAIN + "deny: [{id: d, tool: s/t, when: {labels: [a]}}]", PLAIN, "the session has the label a"),
        (PLAIN + "deny: [{id: d, tool: s/t, after: s/u}]", PLAIN, "s/u was used in the session before"),
        (PLAIN + "deny: [{id: d, tool: s/t, after: s/u, times: 3}]", PLAIN, "s/u was used in the session before"),
    ],
)
def test_what_wants_less_of_the_history_is_wider_and_shows_in_a_session(old: str, new: str, supposing: str) -> None:
    answer = compare((policy(old),), (policy(new),))
    assert (answer.gained.verdict, answer.lost.verdict) == (Verdict.WITNESS, Verdict.PROVED)
    assert supposing in str(list(sections(answer)))


def test_a_rule_that_waits_for_another_grant_under_an_old_id_is_not_proved() -> None:
    rest = "{id: x, tool: f/read, args: any}, {id: g, tool: s/t, args: any, after: r}"
    old = f"grants: [{{id: r, tool: f/sign, args: {{by: boss}}}}, {rest}]"
    new = f"grants: [{{id: r, tool: f/read, args: any}}, {rest}]"
    assert compare((policy(old),), (policy(new),)).gained.verdict is not Verdict.PROVED
    assert compare((policy(old),), (policy(old),)).gained.verdict is Verdict.PROVED


@pytest.mark.parametrize(
    ("old", "new", "wider"),
    [
        ("{s/t: {gives: a}}", "{s/t: {gives: []}}", True),
        ("{s/t: {gives: a}}", "{s/t: {gives: [{label: a, args: {x: 1}}]}}", True),
        ("{s/t: {gives: a}}", "{}", True),  # the catalogue may know it as harmless
        ("{s/t: {gives: a}, s/*: {gives: a}}", "{s/t: {gives: a}, s/*: {gives: []}}", True),
        ("{}", "{s/t: {effect: read}}", True),
        ("{}", "{s/t: {gives: [{label: untrusted, args: {x: 1}}]}}", True),
        ("{}", "{s/t: {gives: untrusted}}", False),
        ("{s/t: {effect: read}}", "{}", False),
        ("{s/t: {gives: a}}", "{s/t: {gives: [b, a]}}", False),
        ("{s/t: {gives: [{label: a, args: {x: 1}}]}}", "{s/t: {gives: a}}", False),
    ],
)
def test_tools_that_give_fewer_labels_are_unknown_where_rules_go_by_labels(old: str, new: str, wider: bool) -> None:
    closing = PLAIN + "deny: [{id: d, tool: s/t, when: {labels: [a]}}]"
    before, after = policy(f"tools: {old}\n{closing}"), policy(f"tools: {new}\n{closing}")
    assert (compare((before,), (after,)).gained.verdict is Verdict.UNKNOWN) is wider
    without = policy(f"tools: {old}\n{PLAIN}"), policy(f"tools: {new}\n{PLAIN}")
    assert compare((without[0],), (without[1],)).gained.verdict is Verdict.PROVED


def test_more_labels_are_unknown_where_a_label_opens() -> None:
    opening = "grants: [{id: g, tool: s/t, args: any, when: {labels: [a]}}]"
    before, after = policy("tools: {s/t: {gives: b}}\n" + opening), policy("tools: {s/t: {gives: [a, b]}}\n" + opening)
    assert compare((before,), (after,)).gained.verdict is Verdict.UNKNOWN
