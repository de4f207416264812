"""`by`: who may answer an ask. Known in every way: judged, said, compared, covered, mutated."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.errors import InputError
from mcp_guard.model import Approval, By, Effect
from mcp_guard.policy.approved import call_digest
from mcp_guard.policy.compare import compare
from mcp_guard.policy.compare_verdicts import Verdict
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, Document
from mcp_guard.policy.sentences import sentence
from tests.policy.case_scene import left, played, uncovered
from tests.policy.scene import Still, call, policy

WAYS = [None, *By]
tiers = st.sampled_from(WAYS)


def document(grant: By | None, ask: By | None, second: By | None = None) -> Document:
    """A grant and an ask rule of these strictnesses, and a second asking grant; None: without."""
    lines = [f"grants:\n  - {{id: g, tool: s/t, args: any{_asks(grant)}}}"]
    if second is not None:
        lines.append(f"  - {{id: h, tool: s/t, args: any{_asks(second)}}}")
    if ask is not None:
        lines.append(f"ask: [{{id: a, tool: s/t, by: {ask.name.lower()}}}]")
    return policy("\n".join(lines))


def _asks(by: By | None) -> str:
    return "" if by is None else f", ask: {{by: {by.name.lower()}}}"


def asked_of(found: Document) -> By | None:
    decision = decide(Authority((found,)), call("s/t"), Still())
    return None if decision.effect is Effect.ALLOW else max(rule.by for rule in decision.rules)


def test_nothing_said_means_a_person() -> None:
    assert asked_of(policy("grants: [{id: g, tool: s/t, args: any, ask: true}]")) is By.PERSON
    assert asked_of(policy("grants: [{id: g, tool: s/t, args: any}]\nask: [{id: a, tool: s/t}]")) is By.PERSON
    assert asked_of(policy("grants: [{id: g, tool: s/t, args: any, ask: false}]")) is None


@settings(max_examples=100, deadline=None)
@given(tiers, tiers, tiers, st.sampled_from(By))
def test_a_yes_settles_only_what_its_way_is_strict_enough_for(
    grant: By | None, ask: By | None, second: By | None, tier: By
) -> None:
    authority, asked = Authority((document(grant, ask, second),)), call("s/t")
    keys = frozenset({"policy/g", "policy/h", "policy/a"})
    approval = Approval(call_digest(asked), keys, authority.digest, "a test", "0-0", tier)
    before = decide(authority, asked, Still())
    wanted = max((rule.by for rule in before.rules), default=By.CLIENT)
    assert decide(authority, asked, Still(), [approval]).allowed == (before.allowed or tier >= wanted)


@settings(max_examples=200, deadline=None)
@given(*[tiers] * 6)
def test_a_weaker_way_of_being_asked_is_never_proved_to_be_no_wider(
    grant: By | None, ask: By | None, second: By | None, grant2: By | None, ask2: By | None, second2: By | None
) -> None:
    old, new = document(grant, ask, second), document(grant2, ask2, second2)
    before, after = asked_of(old), asked_of(new)
    strictness = [-1 if one is None else int(one) for one in (before, after)]
    if strictness[1] < strictness[0]:
        assert compare((old,), (new,)).gained.verdict is not Verdict.PROVED


def test_the_same_or_a_stricter_way_is_proved() -> None:
    for grant, ask in itertools.product(By, WAYS):
        same = document(grant, ask)
        assert not compare((same,), (document(grant, ask),)).wider
    for grant in (By.CLIENT, By.PERSON):
        assert not compare((document(grant, None),), (document(By.CONSOLE, None),)).wider


@pytest.mark.parametrize(
    ("by", "words"),
    [
        (By.CLIENT, "each time the client says that its user agrees"),
        (By.PERSON, "each time a person agrees"),
        (By.CONSOLE, "each time a person agrees in the console"),
    ],
)
def test_a_sentence_says_who_agrees(by: By, words: str) -> None:
    (said,) = sentence(document(by, None))
    assert f"may, {words}, call s/t" in said
    assert words.removeprefix("each time ") in sentence(document(None, by))[1]


def test_a_case_says_who_is_to_be_asked() -> None:
    text = "  - {why: w, call: s/t, expect: ask, by: %s}\n"
    for grant, ask in itertools.product(By, WAYS):
        for by in By:
            (one,) = played(document(grant, ask), text % by.name.lower())
            assert one.passed == (by is max(grant, ask if ask is not None else By.CLIENT))
    with pytest.raises(InputError, match="who is asked"):
        played(document(None, None), "  - {why: w, call: s/t, expect: allow, by: person}\n")


def test_the_console_made_a_person_is_a_mutant_that_only_such_a_case_notices() -> None:
    plain, strict = "  - {why: w, call: s/t, expect: ask}\n", "  - {why: w, call: s/t, expect: ask, by: console}\n"
    for found in (document(By.CONSOLE, None), document(None, By.CONSOLE)):
        assert [one.what for one in left(found, plain)] == ["by: person"]
        assert left(found, strict) == []


def test_who_is_asked_is_a_clause_that_a_case_covers() -> None:
    (missing,) = [
        words
        for words in uncovered(document(By.CONSOLE, None), "  - {why: w, call: s/u, expect: deny}\n")
        if words.startswith("ask")
    ]
    assert missing == "ask by console"
