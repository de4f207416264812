"""Rules without which a document permits the same: said only where it is so, and all of them can go together."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from mcp_guard.model import Call
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority
from mcp_guard.policy.oddities import oddities
from mcp_guard.policy.oddities_codes import CODES
from mcp_guard.policy.oddities_effects import undescribed
from mcp_guard.policy.oddities_proved import MOST_RULES, needless
from mcp_guard.policy.oddities_schema import misfits
from tests.policy.drawn import Written, calls, documents, facts, loaded
from tests.policy.scene import Still, mandate, under


def found(text: str) -> list[tuple[str, str]]:
    authority = under(text)
    return [(one.rule, one.code) for one in needless(authority, oddities(authority, {}))]


WIDE = "{id: wide, tool: s/t, args: {n: {max: 100}}}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"grants: [{WIDE}, {{id: narrow, tool: s/t, args: {{n: {{min: 1, max: 5}}}}}}]",
            [("narrow", "changes-nothing")],
        ),
        (f"grants: [{WIDE}, {{id: other, tool: s/t, args: {{n: {{min: 1, max: 101}}}}}}]", []),
        (f"grants: [{WIDE}]\nask: [{{id: a, tool: s/t, args: {{n: {{above: 100}}}}}}]", [("a", "changes-nothing")]),
        (f"grants: [{WIDE}]\ndeny: [{{id: d, tool: s/t, args: {{n: {{above: 100}}}}}}]", [("d", "guards-nothing")]),
        (f"grants: [{WIDE}]\ndeny: [{{id: d, tool: s/t, args: {{n: {{above: 99}}}}}}]", []),
        (
            f"grants: [{WIDE}, {{id: closed, tool: s/u, args: {{p: {{under: /a/b}}}}}}]\n"
            "deny: [{id: d, tool: s/u, args: {p: {under: /a}}}]",
            [("closed", "changes-nothing")],
        ),
        ("grants: [{id: never, tool: s/t, args: {n: {in: [a], not_in: [a]}}}]", [("never", "changes-nothing")]),
        (  # taken out, it would be missed: another rule names it
            f"grants: [{WIDE}, {{id: five, tool: s/t, args: {{n: 5}}}}, {{id: b, tool: s/u, args: any, after: five}}]",
            [],
        ),
        ("grants: [{id: a, tool: s/t, args: any}, {id: b, tool: s/t, args: any}]", []),  # `b` is a duplicate already
        ("grants: [{id: a, tool: s/t, args: any, budget: {calls: 1}}, {id: b, tool: s/t, args: {n: any}}]", []),
    ],
)
def test_a_rule_that_changes_nothing_is_pointed_out_and_no_other(text: str, expected: list[tuple[str, str]]) -> None:
    got = found(text)
    if expected and expected[0][0] == "closed":  # and once it is gone, the deny has nothing left to do
        assert got == [*expected, ("d", "guards-nothing")]
    else:
        assert got == expected


@settings(max_examples=60, deadline=None)
@given(documents(), calls(), facts())
def test_without_all_that_is_pointed_out_every_call_is_decided_alike(written: Written, asked: Call, now: Still) -> None:
    document = loaded(written)
    gone = {one.rule for one in needless(Authority((document,)))}
    left = replace(document, rules=tuple(rule for rule in document.rules if rule.ref.id not in gone))
    before, after = (decide(Authority((one,)), asked, now).effect for one in (document, left))
    assert before is after


def test_each_document_is_looked_at_by_itself_and_a_very_long_one_is_not() -> None:
    grant = "{id: %s, tool: s/t, args: {n: {max: %d}}}"
    task = mandate(f"grants: [{grant % ('a', 5)}, {grant % ('b', 3)}]")
    authority = Authority((*under(f"grants: [{grant % ('c', 1)}]").layers, task), Still().now)
    assert [(one.rule, one.code) for one in needless(authority)] == [("b", "changes-nothing")]
    many = ", ".join(grant % (f"g{number}", number) for number in range(MOST_RULES + 1))
    assert needless(under(f"grants: [{many}]")) == []


SCHEMA = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "n": {"type": "integer"}, "state": {"enum": ["open", "closed"]}},
    "required": ["path"],
}


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ("args: {path: any, n: {max: 5}, state: open}", ""),
        ("args: any", ""),
        ("args: {n: any}, others: any", ""),
        ("args: {n: any}", "lacks-argument"),
        ("args: {path: {max: 5}}", "other-type"),
        ("args: {path: any, n: {max_length: 5}}", "other-type"),
        ("args: {path: any}, optional: {state: {in: [open, lost]}}", "beyond-schema"),
        ("args: {path: any, state: true}", "beyond-schema"),
    ],
)
def test_a_grant_that_does_not_fit_the_tools_schema_is_pointed_out(args: str, code: str) -> None:
    found = misfits(under(f"grants: [{{id: a, tool: s/t, {args}}}]"), {"s/t": SCHEMA})
    assert [one.code for one in found] == ([code] if code else [])
    combined = {**SCHEMA, "anyOf": [{}], "properties": {"path": {"$ref": "#/x"}}}
    assert misfits(under(f"grants: [{{id: a, tool: s/t, {args}}}]"), {"s/t": combined}) == []


def test_tools_that_nobody_describes_are_named_only_where_rules_go_by_what_tools_do() -> None:
    grant = "grants: [{id: a, tool: [s/t, s/u], args: any}]\ntools: {s/u: {effect: read}}\n"
    tools = {"s": ["t", "u", "v"]}
    assert list(undescribed(under(grant), tools, Still())) == []
    (one,) = undescribed(under(f"{grant}deny: [{{id: d, effect: egress}}]"), tools, Still())
    assert one.code == "unknown-effects" and "`s/t`" in one.message and "s/u" not in one.message and one.is_note


def test_every_finding_has_a_registered_code_and_every_code_is_in_the_document(request: pytest.FixtureRequest) -> None:
    root = request.config.rootpath
    page = (root / "docs" / "check.md").read_text(encoding="utf-8")
    assert {code for code in CODES if f"| `{code}` |" not in page} == set()
    notes = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `") and line.endswith("note |")}
    assert notes == {code for code, one in CODES.items() if one.note}
    sources = "\n".join(
        path.read_text() for path in (root / "mcp_guard").rglob("*.py") if path.stem != "oddities_codes"
    )
    assert {code for code in CODES if f'"{code}"' not in sources} == set()
