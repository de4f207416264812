"""Cases for what a server asks of the client and for extensions: judged by name, covered, weakened, suggested."""

from __future__ import annotations

import pytest

from mcp_guard.model import Kind
from mcp_guard.offers import ASKED
from mcp_guard.policy.cases import ASKING, bind, load_cases
from mcp_guard.policy.cases_run import play, problems
from mcp_guard.policy.form import SERVER_REQUESTS
from mcp_guard.policy.mutation import mutants_of, survivors
from mcp_guard.policy.mutation_hints import suggestion
from tests.policy.case_scene import left, played, suite, uncovered
from tests.policy.scene import policy

POLICY = """
grants:
  - {id: ask, server_requests: {server: web, allow: [elicitation, roots]}, budget: {calls: 2}}
  - {id: more, extensions: {server: web, allow: [io.modelcontextprotocol/tasks, acme/do]}, until: 2026-06-01T00:00:00Z}
"""
CASES = """
  - {why: forms and roots, server_request: [web/elicitation, web/roots], expect: allow, rule: ask}
  - {why: no model of the client, server_request: web/sampling, expect: deny, reason: no_grant}
  - {why: no other server, server_request: mail/elicitation, expect: deny}
  - why: two a session, of either kind
    after: [{server_request: web/elicitation, expect: allow}, {server_request: web/roots, expect: allow}]
    server_request: web/elicitation
    expect: deny
    reason: budget_spent
  - {why: both extensions, extension: [web/io.modelcontextprotocol/tasks, web/acme/do], expect: allow, rule: more}
  - {why: a part of a name is another name, extension: [web/acme, web/acme/do/it], expect: deny, reason: no_grant}
  - {why: not after its end, extension: web/acme/do, at: 2026-06-01T00:00:00Z, expect: deny, reason: expired}
"""


def test_they_are_judged_by_server_and_name_as_the_guard_judges_them() -> None:
    found = played(POLICY, CASES)
    assert [problems(one) for one in found if not one.passed] == []
    assert {one.case.call.kind for one in found} == {Kind.SERVER_REQUEST, Kind.EXTENSION}


def test_each_thing_that_a_server_may_ask_for_has_its_method() -> None:
    assert set(ASKING) == set(SERVER_REQUESTS)
    assert {kind: method for method, kind in ASKED.items()} == ASKING
    (case,) = load_cases(b"cases: [{why: w, server_request: a/roots, expect: deny}]\n", "c").cases
    assert (case.call.method, case.call.server, case.call.target) == ("roots/list", "a", "roots")


def test_an_extension_and_a_server_request_of_one_name_are_two_things() -> None:
    document = "grants: [{id: a, server_requests: {server: web, allow: [roots]}}]"
    (one,) = played(document, "  - {why: w, extension: web/roots, expect: deny, reason: no_grant}\n")
    assert one.passed
    (other,) = played(document, "  - {why: w, call: web/roots, expect: deny, reason: no_grant}\n")
    assert other.passed


def test_a_document_with_such_grants_reaches_full_coverage_and_leaves_no_mutant() -> None:
    assert uncovered(POLICY, CASES) == {}
    assert left(POLICY, CASES) == []


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("[web/elicitation, web/roots], expect: allow", "web/roots"),
        ("[web/io.modelcontextprotocol/tasks, web/acme/do], expect: allow", "web/acme/do"),
    ],
)
def test_a_name_that_no_case_asks_for_is_not_covered(asked: str, name: str) -> None:
    assert asked in CASES
    assert uncovered(POLICY, CASES.replace(asked, asked.replace(f", {name}", ""))).keys() == {name}


def test_a_server_that_may_ask_for_more_is_a_mutant_where_nothing_grants_it() -> None:
    document = policy(
        "grants:\n"
        "  - {id: a, server_requests: {server: web, allow: [elicitation]}}\n"
        "  - {id: b, server_requests: {server: web, allow: [roots]}}\n"
        "  - {id: c, server_requests: {server: mail, allow: [elicitation, roots, sampling]}}\n"
        "  - {id: d, extensions: {server: web, allow: [acme/do]}}\n"
    )
    assert [f"{one.name}: {one.what}" for one in mutants_of(document)] == ["a: with sampling", "b: with sampling"]


def test_without_a_case_of_what_is_not_granted_nobody_would_notice() -> None:
    without = "".join(line for line in CASES.splitlines(keepends=True) if "sampling" not in line)
    assert [one.what for one in left(POLICY, without)] == ["with sampling"]


def test_the_suggested_case_can_be_pasted() -> None:
    found = suite(POLICY, "  - {why: a form, server_request: web/elicitation, expect: allow}\n")
    done = [play(found, case) for case in found.cases]
    lines = {one.what: suggestion(found, one, done) for one in survivors(found, done)[1]}
    assert lines["with sampling"] == (
        '- {why: "notices ask: with sampling", server_request: web/sampling, expect: deny, reason: no_grant}'
    )
    assert "extension: web/io.modelcontextprotocol/tasks, at: " in lines["without `until`"]
    assert "after: [{server_request: web/elicitation, times: 2}]" in lines["budget: one call more"]
    for line in lines.values():
        bind(load_cases(f"cases:\n  {line}\n".encode(), "pasted"), found.document, {})
