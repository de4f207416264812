"""`result` and `deny_secrets` in documents: written, refused, said, compared, weakened, expected by cases."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcp_guard.errors import InputError
from mcp_guard.inspection.obligations import TYPES, Obligations
from mcp_guard.model import Call, Kind
from mcp_guard.policy.cases import bind, load_cases
from mcp_guard.policy.cases_run import play, problems
from mcp_guard.policy.compare import compare
from mcp_guard.policy.compare_verdicts import Verdict
from mcp_guard.policy.coverage import coverage_of
from mcp_guard.policy.document import Authority, Document, load_text
from mcp_guard.policy.explain import explain_call
from mcp_guard.policy.mutation import survivors
from mcp_guard.policy.mutation_hints import suggestion
from mcp_guard.policy.oddities import oddities
from mcp_guard.policy.sentences import sentence
from tests.inspection.samples import AWS
from tests.policy.scene import NOON, Still


def grants(*lines: str, beside: str = "") -> Document:
    text = "version: 1\ngrants:\n" + "".join(f"  - {{{line}}}\n" for line in lines) + beside
    return load_text(text.encode(), file="p.yaml", kind="policy", home="/home/me")


def wanted(written: str) -> Obligations:
    return grants(f"id: a, tool: s/t, args: any, result: {written}").rules[0].result


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("redact", Obligations(redact=True)),
        ("[strip_hidden, quarantine]", Obligations(strip_hidden=True, quarantine=True)),
        (
            '[redact, {redact: {staff id: "E[0-9]{6}"}}, {truncate: 5}]',
            Obligations(redact=True, patterns=(("staff id", "E[0-9]{6}"),), truncate=5),
        ),
        ("[{max_size: 9}, {types: [text, link]}]", Obligations(max_size=9, types=frozenset({"text", "link"}))),
    ],
)
def test_what_is_written_is_meant(written: str, meant: Obligations) -> None:
    assert wanted(written) == meant


@pytest.mark.parametrize(
    ("written", "piece"),
    [
        ("[]", "asks for nothing"),
        ("redcat", "known are redact"),
        ("[redact, redact]", "there twice"),
        ("[{truncate: 0}]", "isn't a number of characters"),
        ("[{truncate: true}]", "isn't a number of characters"),
        ("[{max_size: many}]", "isn't a number of bytes"),
        ("[{types: [video]}]", "isn't a type of content"),
        ("[{types: []}]", "an empty list"),
        ("[{redact: {}}]", "names and expressions"),
        ('[{redact: {Bad name!: "x"}}]', "can't be a name"),
        ('[{redact: {a: "("}}]', "not a valid regular expression"),
        ('[{redact: {a: "(a)\\\\1"}}]', "back-reference"),
        ('[{redact: {a: "x*"}}]', "fits an empty text"),
        ("[{truncate: 5, max_size: 3}]", "can't be asked of a result"),
    ],
)
def test_what_is_not_known_is_refused_with_its_place(written: str, piece: str) -> None:
    with pytest.raises(InputError) as caught:
        wanted(written)
    assert piece in str(caught.value)
    assert "p.yaml:3:" in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "piece"), [("result: redact", "only a grant"), ("deny_secrets: false", "says nothing")]
)
def test_a_deny_has_no_result_and_no_idle_key(rule: str, piece: str) -> None:
    with pytest.raises(InputError, match=piece):
        grants("id: a, tool: s/t, args: any", beside=f"deny: [{{id: d, tool: s/t, {rule}}}]\n")


def test_sentences_say_what_is_done_to_answers_and_where_secrets_count() -> None:
    document = grants(
        'id: a, tool: s/t, args: any, deny_secrets: true, result: [{redact: {id: "E1"}}, strip_hidden, {truncate: 5}, '
        "{max_size: 9}, {types: text}, quarantine]",
        beside="deny: [{id: d, effect: egress, deny_secrets: true}]\n",
    )
    grant, deny = sentence(document)
    for piece in (
        "without a secret",
        "secrets are redacted",
        "each id",
        "nobody sees",
        "5 char",
        "9 bytes",
        "only text",
    ):
        assert piece in grant
    assert "until a person releases it" in grant
    assert "where a secret is in it" in deny


def test_two_grants_that_differ_in_what_is_done_are_no_duplicates() -> None:
    one, same = "tool: s/t, args: any", "tool: s/t, args: any, result: redact"
    assert oddities(Authority((grants(f"id: a, {one}", f"id: b, {same}"),)), {}) == []
    assert oddities(Authority((grants(f"id: a, {same}", f"id: b, {same}"),)), {}) != []


@pytest.mark.parametrize(
    ("old", "new", "gained"),
    [
        ("result: [redact, {truncate: 9}]", "result: [redact, {truncate: 8}, quarantine]", Verdict.PROVED),
        ("result: redact", "disclose: true", Verdict.UNKNOWN),
        ("result: [redact]", "result: [strip_hidden]", Verdict.UNKNOWN),
        ("result: {truncate: 9}", "result: {truncate: 10}", Verdict.UNKNOWN),
        ('result: {redact: {a: "x"}}', 'result: {redact: {a: "xy"}}', Verdict.UNKNOWN),
        ("disclose: true", "deny_secrets: true", Verdict.PROVED),
        ("deny_secrets: true", "disclose: true", Verdict.UNKNOWN),
    ],
)
def test_doing_less_is_never_proved_to_be_no_wider(old: str, new: str, gained: Verdict) -> None:
    before, after = (grants(f"id: a, tool: s/t, args: any, {key}") for key in (old, new))
    assert compare((before,), (after,)).gained.verdict is gained


def test_dropping_a_grant_that_took_its_wish_along_is_not_proved() -> None:
    plain, redacting = "id: a, tool: s/t, args: {p: any}", "id: b, tool: s/t, args: any, result: redact"
    assert compare((grants(plain, redacting),), (grants(plain),)).gained.verdict is Verdict.UNKNOWN
    assert (
        compare((grants(plain),), (grants(plain, redacting.replace("any,", "{p: any},")),)).gained.verdict
        is Verdict.PROVED
    )


def test_a_deny_of_secrets_and_a_grant_without_them_say_the_same() -> None:
    denied = grants("id: a, tool: s/t, args: any", beside="deny: [{id: d, tool: s/t, deny_secrets: true}]\n")
    clean = grants("id: a, tool: s/t, args: any, deny_secrets: true")
    found = compare((denied,), (clean,))
    assert found.gained.verdict is found.lost.verdict is Verdict.PROVED


def test_an_explanation_says_the_kind_and_never_the_secret() -> None:
    call = Call("local", "tools/call", "s", "t", {"name": "t", "arguments": {"k": AWS}}, Kind.TOOL)
    authority = Authority((grants("id: a, tool: s/t, args: any, deny_secrets: true"),), NOON)
    said = str(explain_call(authority, call, Still()).layers[0].rules)
    assert "there is a secret in it (aws access key)" in said
    assert AWS not in said


def test_the_page_about_results_has_a_policy_that_loads_and_names_each_wish() -> None:
    page = (Path(__file__).parents[2] / "docs" / "results.md").read_text()
    text = page.partition("```yaml\n")[2].partition("```")[0]
    document = load_text(text.encode(), file="p.yaml", kind="policy", home="/home/me")
    said = {name for rule in document.rules for name in re.findall(r"[a-z_]+", " ".join(rule.result.in_words()))}
    assert {"redact", "strip_hidden", "truncate", "types", "max_size", "quarantine"} <= said
    for name in ("redact", "strip_hidden", "{truncate: N}", "quarantine", "{max_size: N}", *TYPES):
        assert name in page


def test_an_explanation_of_what_is_allowed_says_what_is_done_to_the_answer() -> None:
    call = Call("local", "tools/call", "s", "t", {"name": "t", "arguments": {}}, Kind.TOOL)
    explained = explain_call(Authority((grants("id: a, tool: s/t, args: any, result: redact"),), NOON), call, Still())
    assert "of what is answered, secrets are redacted" in explained.layers[0].rules[0].why


CASES = """cases:
  - {why: it is done, call: s/t, args: {}, expect: allow, obligations: [redact, truncate 9]}
  - {why: a key stays here, call: s/t, args: {k: KEY}, expect: deny}
"""


def test_cases_expect_what_is_done_and_notice_what_is_not() -> None:
    document = grants("id: a, tool: s/t, args: any, deny_secrets: true, result: [redact, {truncate: 9}]")
    suite = bind(load_cases(CASES.replace("KEY", AWS).encode(), "p.cases.yaml"), document, {})
    played = [play(suite, case) for case in suite.cases]
    assert [problems(one) for one in played] == [[], []]
    assert coverage_of(suite, played).percent == 100
    assert survivors(suite, played)[1] == []

    less = grants("id: a, tool: s/t, args: any, deny_secrets: true, result: [redact]")
    assert (
        problems(play(suite, suite.cases[0], less))[0]
        == "expected to be done to the answer: redact, truncate 9; got redact"
    )


def test_a_case_that_notices_is_proposed_for_each_wish_and_for_secrets() -> None:
    document = grants("id: a, tool: s/t, args: any, deny_secrets: true, result: [redact, {truncate: 9}, {types: text}]")
    bare = "cases: [{why: it is let through, call: s/t, args: {}, expect: allow}]"
    suite = bind(load_cases(bare.encode(), "p.cases.yaml"), document, {})
    played = [play(suite, case) for case in suite.cases]
    left = survivors(suite, played)[1]
    assert len(left) >= 4
    assert all(
        "obligations: [" in suggestion(suite, one, played) or AWS[:4] in suggestion(suite, one, played) for one in left
    )
