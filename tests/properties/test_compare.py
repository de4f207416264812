"""PROVED is never contradicted, and every witness replays: for drawn pairs of documents, calls and facts."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_guard.model import Call, Facts
from mcp_guard.policy.compare import compare
from mcp_guard.policy.compare_verdicts import Verdict
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, Document
from tests.policy.drawn import (
    Written,
    calls,
    constraints,
    documents,
    facts,
    gives,
    grants,
    loaded,
    tightenings,
    with_ids,
)
from tests.policy.scene import NOON, Still

PAIRS = int(os.environ.get("COMPARED_PAIRS", "60"))
CALLS = 12  # drawn for each pair
EXAMPLES = settings(
    max_examples=PAIRS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@st.composite
def edited(draw: st.DrawFn, written: Written) -> Written:
    """The document after a few small edits, most of which narrow it."""
    changed: Written = json.loads(json.dumps(with_ids(written)))
    for number in range(draw(st.integers(1, 3))):
        edit = draw(
            st.sampled_from(
                ["drop", "limit", "add deny", "add ask", "add grant", "ask", "budget", "until", "id", "gives"]
            )
        )
        section = draw(st.sampled_from(["grants", "grants", "ask", "deny"]))
        rules: list[dict[str, Any]] = changed[section if edit in ("drop", "limit") else "grants"]
        rule = draw(st.sampled_from(rules)) if rules else None
        if edit == "add deny":
            changed["deny"].append({"id": f"new{number}", **draw(tightenings())})
        elif edit == "add ask":
            changed["ask"].append({"id": f"new-ask{number}", **draw(tightenings())})
        elif edit == "add grant":
            changed["grants"].append({"id": f"new-grant{number}", **draw(grants())})
        elif edit == "gives" and changed["tools"]:
            changed["tools"][draw(st.sampled_from(sorted(changed["tools"])))] |= {"gives": [], **draw(gives)}
        elif rule is None:
            continue
        elif edit == "drop" and len(changed["grants"]) > 1:
            rules.remove(rule)
        elif edit == "limit" and isinstance(rule.get("args"), dict) and rule["args"]:
            rule["args"][draw(st.sampled_from(sorted(rule["args"])))] = draw(constraints)
        elif edit == "ask":
            rule["ask"] = not rule.get("ask", False)
        elif edit == "budget" and "resource" not in rule:
            rule["budget"] = {"calls": draw(st.integers(1, 3))}
        elif edit == "until":
            rule["until"] = draw(st.sampled_from(["2026-11-20T12:00:00Z", "2027-01-01T00:00:00Z"]))
        elif edit == "id":
            rule["id"] += "-renamed"
    return changed


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Written, Written]:
    old = draw(documents())
    return old, draw(st.one_of(edited(old), edited(old), documents()))


def authority(document: Document) -> Authority:
    return Authority((document,), NOON)


def more_is_permitted(old: Document, new: Document, call: Call, known: Facts) -> bool:
    return decide(authority(new), call, known).effect < decide(authority(old), call, known).effect


@EXAMPLES
@given(pairs(), st.data())
def test_what_is_proved_to_permit_no_more_permits_no_drawn_call_more(
    pair: tuple[Written, Written], data: st.DataObject
) -> None:
    old, new = (loaded(written) for written in pair)
    found = compare((old,), (new,))
    for _ in range(CALLS):
        call, known = data.draw(calls()), data.draw(facts())
        if found.gained.verdict is Verdict.PROVED:
            assert not more_is_permitted(old, new, call, known)
        if found.lost.verdict is Verdict.PROVED:
            assert not more_is_permitted(new, old, call, known)


@EXAMPLES
@given(pairs())
def test_every_witness_replays_and_names_the_rule_that_permits_it(pair: tuple[Written, Written]) -> None:
    old, new = (loaded(written) for written in pair)
    found = compare((old,), (new,))
    for direction, before, after in ((found.gained, old, new), (found.lost, new, old)):
        for finding in direction.findings:
            if finding.witness is not None:
                call, known = finding.witness.call, finding.witness.supposed
                assert more_is_permitted(before, after, call, known)
                assert decide(authority(after), call, known).rules == finding.rules


@EXAMPLES
@given(documents())
def test_a_document_permits_no_more_than_itself(written: Written) -> None:
    found = compare((loaded(written),), (loaded(written),))
    assert found.gained.verdict is found.lost.verdict is Verdict.PROVED


@EXAMPLES
@given(documents(), tightenings(), st.booleans())
def test_adding_a_deny_or_an_ask_is_proved_to_permit_no_more(written: Written, rule: Written, ask: bool) -> None:
    section = "ask" if ask else "deny"
    tighter = with_ids(written) | {section: [*with_ids(written)[section], {"id": "added", **rule}]}
    assert compare((loaded(written),), (loaded(tighter),)).gained.verdict is Verdict.PROVED


@EXAMPLES
@given(pairs(), st.data(), st.timedeltas(timedelta(0), timedelta(days=60)))
def test_a_mandate_beside_its_policy_is_compared_as_both_together(
    pair: tuple[Written, Written], data: st.DataObject, later: timedelta
) -> None:
    policy = loaded(data.draw(documents()))
    old, new = (loaded({**written, "tools": {}}, mandate=True) for written in pair)
    alone = compare((old,), (new,)).gained.verdict
    together = compare((policy, old), (policy, new)).gained.verdict
    for _ in range(CALLS):
        call, known = data.draw(calls()), data.draw(facts())
        known = replace(known, now=_moment(known, later))
        stacks = [Authority((policy, mandate), NOON) for mandate in (old, new)]
        before, after = (decide(stack, call, known).effect for stack in stacks)
        if Verdict.PROVED in (alone, together):
            assert not after < before


def _moment(known: Still, later: timedelta) -> datetime:
    return known.now + later
