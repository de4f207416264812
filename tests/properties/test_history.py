"""What holds for whole sessions: labels only grow, and what is proved of single calls holds along a session, too."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_guard.model import UNTRUSTED, Call, Effect, Kind
from mcp_guard.policy.cases_facts import CaseFacts
from mcp_guard.policy.compare import compare
from mcp_guard.policy.compare_verdicts import Verdict
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, Document
from tests.policy.drawn import Written, calls, documents, loaded
from tests.policy.scene import NOON
from tests.properties.test_compare import pairs

EXAMPLES = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
SESSIONS = st.lists(calls(), min_size=1, max_size=8)


def facts() -> CaseFacts:
    return CaseFacts(NOON, "/srv/project", {})


def uncounted(written: Written) -> Written:
    """The document without what is counted by grant: of that a comparison says nothing beyond one call."""
    copied: Written = json.loads(json.dumps(written))
    for grant in copied["grants"]:
        grant.pop("budget", None)
        grant.pop("once", None)
    return copied


@EXAMPLES
@given(documents(), SESSIONS)
def test_labels_only_grow_and_come_from_admitted_calls_alone(written: Written, session: list[Call]) -> None:
    authority, known = Authority((loaded(written),)), facts()
    for call in session:
        before = known.labels()
        decision = decide(authority, call, known)
        if decision.allowed:
            known.admit(call, decision)
            described = call.kind is Kind.TOOL and call.name in authority.tools
            assert described or UNTRUSTED in known.labels(), "what nobody describes is untrusted"
        assert before <= known.labels()
        assert known.labels() == before or decision.allowed


@EXAMPLES
@given(documents(), SESSIONS, st.randoms(use_true_random=False))
def test_the_order_of_rules_does_not_matter_to_a_session(written: Written, session: list[Call], random: Any) -> None:
    mixed = {key: random.sample(part, len(part)) if isinstance(part, list) else part for key, part in written.items()}
    ends = []
    for document in (loaded(uncounted(written)), loaded(uncounted(mixed))):
        known, effects = facts(), []
        for call in session:
            decision = decide(Authority((document,)), call, known)
            effects.append(decision.effect)
            if decision.allowed:
                known.admit(call, decision)
        ends.append((effects, known.labels(), dict(known.admitted().tools)))
    assert ends[0] == ends[1]


@EXAMPLES
@given(pairs(), SESSIONS)
def test_what_is_proved_to_permit_no_more_permits_no_more_along_a_session(
    pair: tuple[Written, Written], session: list[Call]
) -> None:
    old, new = (loaded(uncounted(written)) for written in pair)
    if compare((old,), (new,)).gained.verdict is Verdict.PROVED:
        assert _permitted_more(old, new, session) == []
    if compare((new,), (old,)).gained.verdict is Verdict.PROVED:
        assert _permitted_more(new, old, session) == []


def _permitted_more(old: Document, new: Document, session: list[Call]) -> list[Call]:
    """The calls that the new document permits beyond the old one, each under the history that it made itself."""
    before, after = facts(), facts()
    found = []
    for call in session:
        was, now = decide(Authority((old,)), call, before), decide(Authority((new,)), call, after)
        if now.effect < was.effect:
            found.append(call)
        if now.effect is not Effect.DENY and was.effect is not Effect.DENY:  # asked: a person agrees
            before.admit(call, was)
            after.admit(call, now)
    return found
