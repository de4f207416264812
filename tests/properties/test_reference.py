"""The judge agrees with a naive one, whatever the documents, the call, the history and the approvals are."""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.model import Approval, Call, Effect
from mcp_guard.policy.approved import call_digest
from mcp_guard.policy.decide import decide, visible
from mcp_guard.policy.document import Authority
from tests.policy.drawn import Written, as_mandate, calls, documents, facts, loaded, with_ids
from tests.policy.scene import NOON, Still
from tests.properties import reference
from tests.properties.reference import judged

EXAMPLES = settings(max_examples=300, deadline=None)
KEYS = [f"{layer}/{section}{i}" for layer in ("policy", "mandate") for section in ("grants", "ask") for i in range(4)]


@st.composite
def stacks(draw: st.DrawFn) -> tuple[list[Written], Authority]:
    """Policy, mandate, both or neither: as written, and loaded."""
    kinds = draw(st.sampled_from([[], ["policy"], ["policy"], ["mandate"], ["policy", "mandate"]]))
    written: list[Written] = []
    for kind in kinds:
        document = with_ids(draw(documents()))
        wants = {"mandate": "required"} if kind == "policy" and draw(st.integers(0, 5)) == 0 else {}
        written.append(document | wants if kind == "policy" else as_mandate(document))
    layers = tuple(loaded(one, mandate=kind == "mandate") for one, kind in zip(written, kinds, strict=True))
    return written, Authority(layers, NOON)


@EXAMPLES
@given(stacks(), calls(), facts(), st.sampled_from([0, 1200]), st.frozensets(st.sampled_from(KEYS)))
def test_a_naive_judge_agrees(
    stack: tuple[list[Written], Authority], call: Call, known: Still, later: int, settled: frozenset[str]
) -> None:
    written, authority = stack
    moment = replace(known, now=known.now + timedelta(hours=later))
    exact = Approval(call_digest(call), settled, authority.digest, "somebody", "entry")
    said = decide(authority, call, moment, [exact] if settled else [])
    assert said.effect is judged(written, call, moment, settled)
    assert said.effect is Effect.DENY or visible(authority, call, moment)  # what can be called is listed


@EXAMPLES
@given(stacks(), calls(), facts(), st.frozensets(st.sampled_from(KEYS)))
def test_a_further_layer_never_widens_and_an_approval_never_beats_a_deny(
    stack: tuple[list[Written], Authority], call: Call, known: Still, settled: frozenset[str]
) -> None:
    _, authority = stack
    said = decide(authority, call, known)
    for policy in authority.layers[:1]:
        if policy.kind == "policy" and not policy.needs_mandate:
            assert decide(Authority((policy,), NOON), call, known).effect <= said.effect
    everything = Approval(call_digest(call), frozenset(KEYS) | settled, authority.digest, "somebody", "entry")
    agreed = decide(authority, call, known, [everything])
    assert (agreed.effect is Effect.DENY) is (said.effect is Effect.DENY)
    other = replace(everything, call="another call")
    assert decide(authority, call, known, [other]) == said


def test_the_reference_stays_small_enough_to_be_read_in_one_go() -> None:
    body = inspect.getsource(reference).partition("Written = ")[2]
    assert len([line for line in body.splitlines() if line.strip()]) <= 100
