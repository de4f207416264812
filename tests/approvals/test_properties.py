"""What an approval can do, for every document, call and history: settle the asks of one exact call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mcp_guard.model import Approval, Call, Effect
from mcp_guard.policy.approved import call_digest
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority
from tests.policy.drawn import Written, calls, documents, facts, loaded
from tests.policy.scene import Broken, Still, call, mandate, policy

EXAMPLES = settings(max_examples=200, deadline=None)


def everything(authority: Authority, asked: Call) -> Approval:
    """An approval of this call that lists every rule there is."""
    keys = frozenset(rule.key for layer in authority.layers for rule in layer.rules)
    return Approval(call_digest(asked), keys, authority.digest, "a test", "0-0")


@EXAMPLES
@given(documents(), documents(), calls(), st.one_of(facts(), st.just(Broken())))
def test_an_approval_never_beats_a_deny(written: Written, task: Written, asked: Call, known: Any) -> None:
    authority = Authority((loaded(written), loaded(task, mandate=True)))
    before = decide(authority, asked, known)
    after = decide(authority, asked, known, [everything(authority, asked)])
    if before.effect is Effect.ASK:
        assert after.allowed and after.approvals and after.charges == before.charges
    else:
        assert after == before


@EXAMPLES
@given(documents(), calls(), calls(), facts())
def test_an_approval_settles_only_the_exact_call(written: Written, asked: Call, other: Call, known: Still) -> None:
    authority = Authority((loaded(written),))
    assume(asked != other)
    approval = everything(authority, other)
    assert decide(authority, asked, known, [approval]) == decide(authority, asked, known)


@EXAMPLES
@given(documents(), documents(), calls(), facts())
def test_an_approval_under_other_documents_settles_nothing(
    written: Written, other: Written, asked: Call, known: Still
) -> None:
    authority, before = Authority((loaded(written),)), Authority((loaded(other),))
    assume(authority.digest != before.digest)
    approval = replace(everything(authority, asked), authority=before.digest)
    assert decide(authority, asked, known, [approval]) == decide(authority, asked, known)


@EXAMPLES
@given(documents(), calls(), facts(), st.data())
def test_an_ask_that_the_approval_does_not_list_stays_open(
    written: Written, asked: Call, known: Still, data: st.DataObject
) -> None:
    authority = Authority((loaded(written),))
    before = decide(authority, asked, known)
    if before.effect is not Effect.ASK:
        return
    left_out = data.draw(st.sampled_from([rule.key for rule in before.rules]))
    approval = everything(authority, asked)
    assert decide(authority, asked, known, [replace(approval, asks=approval.asks - {left_out})]) == before


def test_one_approval_settles_the_asks_of_both_layers() -> None:
    layers = (
        policy("grants: [{id: g, tool: s/t, args: any}]\nask: [{id: a, tool: s/t}]"),
        mandate("grants: [{id: m, tool: s/t, args: any, ask: true}]"),
    )
    authority, asked = Authority(layers), call("s/t")
    approval = Approval(call_digest(asked), frozenset({"policy/a", "mandate/m"}), authority.digest, "a test", "0-0")
    decision = decide(authority, asked, Still(), [approval])
    assert decision.allowed and decision.approvals == (approval,)
    assert {charge.rule for charge in decision.charges} == {"policy/g", "mandate/m"}
    only_one = replace(approval, asks=frozenset({"policy/a"}))
    assert [rule.key for rule in decide(authority, asked, Still(), [only_one]).rules] == ["mandate/m"]


def test_the_progress_token_is_no_part_of_the_call_and_all_else_is() -> None:
    plain = call("s/t", a=1)
    with_token = replace(plain, params={**plain.params, "_meta": {"progressToken": 1, "x": 2}})
    assert call_digest(with_token) == call_digest(replace(plain, params={**plain.params, "_meta": {"x": 2}}))
    assert call_digest(with_token) != call_digest(plain)
    others = [replace(plain, principal="other"), replace(plain, server="other"), replace(plain, target="other")]
    assert len({call_digest(one) for one in [plain, *others]}) == 4
