"""Cases, clauses and mutants against the judge, for drawn documents and calls."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.guard import judge
from mcp_guard.model import Admitted, Call, Effect, Kind
from mcp_guard.policy.cases import bind, load_cases
from mcp_guard.policy.cases_run import play, problems
from mcp_guard.policy.clauses import Moment, clauses_of
from mcp_guard.policy.coverage import coverage_of
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority
from mcp_guard.policy.matching import carries, classes_for, fires, given_arguments
from mcp_guard.policy.mutation import mutants_of
from mcp_guard.policy.mutation_hints import suggestion
from mcp_guard.protection import Protection
from tests.policy.drawn import calls, documents, facts, loaded
from tests.policy.scene import Still


def written(call: Call) -> dict[str, Any]:
    """The call as a case writes it."""
    if call.kind is Kind.RESOURCE:
        return {"resource": {"server": call.server, "uri": call.target}}
    return {"call" if call.kind is Kind.TOOL else "prompt": call.name, "args": dict(call.arguments)}


@given(documents(), st.lists(calls(), max_size=3), calls())
def test_a_case_is_decided_as_the_guard_decides_after_the_same_calls(
    content: dict[str, Any], before: list[Call], last: Call
) -> None:
    """The guard's judge, with a history that charges what is admitted; nothing protected, no server's schema."""
    document = loaded(content)
    case = {"why": "w", **written(last), "principal": last.principal, "expect": "deny"}
    steps = [written(call) for call in before]
    file = {"cases": [{**case, "after": steps} if steps else case]}
    suite = bind(load_cases(json.dumps(file).encode(), "c.yaml"), document, {})
    authority, usage = Authority((document,)), dict[str, Any]()
    known = Still(now=suite.cases[0].at, usage=usage)
    for call in before:
        decision = judge(authority, Protection([], []), replace(call, principal=last.principal), None, known)
        if decision.effect is Effect.DENY:
            continue
        known.exposed |= decision.gives
        tools = {call.name: known.done.tools.get(call.name, 0) + 1} if call.kind is Kind.TOOL else {}
        used = {charge.rule: known.done.grants.get(charge.rule, 0) + 1 for charge in decision.charges}
        known.done = Admitted({**known.done.tools, **tools}, {**known.done.grants, **used})
        for charge in decision.charges:
            old = known.used(*charge.count)  # all at one moment: what counts for a time counts like all else
            sums = {name: old.sums.get(name, 0) + amount for name, amount in charge.sums.items()}
            key = f"{charge.rule} rate" if charge.seconds and not charge.account else charge.rule
            usage[key] = replace(old, calls=old.calls + charge.calls, sums={**old.sums, **sums})
            seen = known.different.get(charge.rule, {})
            more = {name: frozenset({*seen.get(name, ()), value}) for name, value in charge.values.items()}
            known.different = {**known.different, charge.rule: {**seen, **more}}
    expected = judge(authority, Protection([], []), last, None, known)
    played = play(suite, suite.cases[0])
    assert played.decision == expected
    assert played.passed is (expected.effect is Effect.DENY)
    assert bool(problems(played)) is not played.passed


@given(documents(), calls(), facts())
def test_a_rule_speaks_exactly_if_all_its_clauses_let_it(content: dict[str, Any], call: Call, known: Still) -> None:
    document = loaded(content)
    speakers = document.index.speakers(call.kind, call.server, call.target)
    classes = classes_for(speakers, document.tools, call, known)
    arguments = given_arguments(call)
    moment = Moment(call, arguments or {}, classes, known)
    for reach in speakers.grants:
        of = (call.server, call.target)
        if reach.exactly or (known.known_at_first_sight(*of) and known.locked(*of)):  # no clause: so is a case's tool
            said = all(clause.test(moment) is not False for clause in clauses_of(reach.rule))
            assert said is (carries(reach, call, arguments, classes, known) is not None)
    for reach in (*speakers.asks, *speakers.denies):
        said = all(clause.test(moment) is not False for clause in clauses_of(reach.rule))
        assert said is fires(reach, call, arguments, classes, known)


@given(documents(), st.lists(calls(), min_size=1, max_size=4), facts())
def test_a_mutant_is_never_stricter_than_its_document(content: dict[str, Any], asked: list[Call], known: Still) -> None:
    document = loaded(content)
    for mutant in mutants_of(document):
        for call in asked:
            before = decide(Authority((document,)), call, known).effect
            assert decide(Authority((mutant.document,)), call, known).effect <= before, mutant.what


@given(documents())
def test_every_mutant_differs_from_its_document_in_one_thing(content: dict[str, Any]) -> None:
    document = loaded(content)
    for mutant in mutants_of(document):
        changed = mutant.document
        rules = sum(one not in changed.rules for one in document.rules)
        assert rules + (changed.tools != document.tools) == 1, mutant.what


@settings(max_examples=25, deadline=None)  # many calls are judged for one document
@given(documents(), st.lists(calls(), min_size=1, max_size=3))
def test_a_suggestion_for_any_document_is_a_case_that_holds(content: dict[str, Any], asked: list[Call]) -> None:
    document = loaded(content)
    file = {"cases": [{"why": "w", **written(call), "expect": "deny"} for call in asked]}
    suite = bind(load_cases(json.dumps(file).encode(), "c.yaml"), document, {})
    played = [play(suite, case) for case in suite.cases]
    for mutant in list(mutants_of(document))[:8]:
        if line := suggestion(suite, mutant, played):
            pasted = bind(load_cases(f"cases:\n  {line}\n".encode(), "pasted"), document, {})
            assert [play(pasted, case).passed for case in pasted.cases] == [True], line
            assert [play(pasted, case, mutant.document).passed for case in pasted.cases] == [False], line


@given(documents(), st.lists(calls(), min_size=1, max_size=4))
def test_coverage_counts_no_case_twice_and_nothing_that_is_not_written(
    content: dict[str, Any], asked: list[Call]
) -> None:
    document = loaded(content)
    file = {"cases": [{"why": "w", **written(call), "expect": "deny"} for call in asked]}
    suite = bind(load_cases(json.dumps(file).encode(), "c.yaml"), document, {})
    coverage = coverage_of(suite, [play(suite, case) for case in suite.cases])
    assert [rule.id for rule in coverage.rules] == [rule.ref.id for rule in document.rules]
    for rule in coverage.rules:
        assert max((one.passed for one in rule.clauses), default=0) + sum(one.failed for one in rule.clauses) <= len(
            asked
        )
        assert all(bool(one.missing) is not one.covered for one in rule.clauses)
