"""The policy decision point: what all rules together say about one call, and whether a target is shown at all.

Pure and total: no clock, no file, no exception. Within a layer grants are alternatives and the mildest matching one
counts; asks and denies only tighten; across layers the strictest counts; no layer at all denies. Calls and listings ask
the same questions (`matching.py`), so what isn't listed can't be called.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

from mcp_guard.inspection.obligations import Obligations
from mcp_guard.model import EVERY_EFFECT, Approval, Call, Charge, Decision, Effect, Facts, RuleRef, strictest
from mcp_guard.policy import refusals
from mcp_guard.policy.approved import Settled, approved, settled_for
from mcp_guard.policy.document import Authority, Document
from mcp_guard.policy.examine import Examined, examine
from mcp_guard.policy.index import Reach, Speakers
from mcp_guard.policy.matching import (
    Classes,
    applies_now,
    carries,
    classes_for,
    covers,
    fires,
    given_arguments,
    is_past,
)
from mcp_guard.policy.past import given_labels
from mcp_guard.policy.rules import Rule

NOTHING_SETTLED: Settled = {}


def decide(authority: Authority, call: Call, facts: Facts, approvals: Collection[Approval] = ()) -> Decision:
    """Judge one call: every layer must agree; deny beats ask beats allow; no grant is deny.

    A rule that can't be evaluated has still spoken: a grant says nothing, an ask or a deny fires. An approval of this
    very call settles the asks that it lists, and nothing else.
    """
    taken_away = _taken_away(authority, call, facts)
    if taken_away is not None:
        return taken_away
    settled = settled_for(authority, call, approvals) if approvals else NOTHING_SETTLED
    said = [_said(authority, layer, call, facts, settled) for layer in range(len(authority.layers))]
    carried = [one for one in said if isinstance(one, Carried)]
    if carried and len(carried) == len(said):
        return _allowed(carried)
    return strictest([_allowed([one]) if isinstance(one, Carried) else one for one in said])


class Carried(NamedTuple):
    """That a layer allows a call, and under what. Several layers' become one decision, without one of each before."""

    rules: tuple[RuleRef, ...]
    charges: tuple[Charge, ...]
    obligations: Obligations
    gives: frozenset[str]


def _allowed(carried: Sequence[Carried]) -> Decision:
    """The decision of layers that all allow the call: obligations and labels add up."""
    rules, charges, obligations, gives = carried[0]
    for one in carried[1:]:
        rules, charges, gives = rules + one.rules, charges + one.charges, gives | one.gives
        obligations = obligations if obligations is one.obligations else obligations | one.obligations
    return Decision(Effect.ALLOW, None, rules, charges, obligations=obligations, gives=gives)


def _taken_away(authority: Authority, call: Call, facts: Facts) -> Decision | None:
    """What stands beside the layers can only refuse: a server that is gone, a local deny that fires."""
    if call.server in authority.without:
        return refusals.withheld_server(call.server)
    if authority.local is None or not authority.local.rules:
        return None
    return decide_local(authority.local, call, facts)


def decide_local(document: Document, call: Call, facts: Facts) -> Decision | None:
    """What the local denies say of the call; None if nothing. They name tools, never effects."""
    try:
        reaches = document.index.speakers(call.kind, call.server, call.target).denies
        arguments = given_arguments(call)
        fired = [reach.rule for reach in reaches if fires(reach, call, arguments, EVERY_EFFECT, facts)]
        return refusals.denied(fired, (), call) if fired else None
    except Exception:
        return refusals.unevaluable(document.file)


def decide_layer(
    authority: Authority, layer: int, call: Call, facts: Facts, settled: Settled = NOTHING_SETTLED
) -> Decision:
    """What one document, the authority's layer number `layer`, says of the call."""
    said = _said(authority, layer, call, facts, settled)
    return _allowed([said]) if isinstance(said, Carried) else said


def _said(authority: Authority, layer: int, call: Call, facts: Facts, settled: Settled) -> Decision | Carried:
    document = authority.layers[layer]
    try:
        if authority.lacks_mandate:
            return refusals.no_mandate(document.file)
        if is_past(authority.deadlines[layer], facts):
            return refusals.expired(document.file)
        return _judge(authority, document, call, facts, settled)
    except Exception:
        return refusals.unevaluable(document.file)


def _judge(authority: Authority, document: Document, call: Call, facts: Facts, settled: Settled) -> Decision | Carried:
    speakers = document.index.speakers(call.kind, call.server, call.target)
    classes = classes_for(speakers, authority.tools, call, facts)
    arguments = given_arguments(call)

    fired = _fired(speakers.denies, call, arguments, classes, facts)
    if fired:
        return refusals.denied(fired, _examined(speakers, call, classes, facts), call)

    allowing: list[tuple[Rule, tuple[Charge, ...]]] = []
    asking: list[tuple[Rule, tuple[Charge, ...]]] = []
    for reach in speakers.grants:
        found = carries(reach, call, arguments, classes, facts)
        if found is not None:
            (asking if reach.rule.asks else allowing).append((reach.rule, found))
    carrying = allowing or asking  # the mildest verdict; each grant that gives it is charged
    if not carrying:
        return refusals.ungranted(_examined(speakers, call, classes, facts), call, document.file)

    asks = _fired(speakers.asks, call, arguments, classes, facts)
    gives = given_labels(authority.tools, authority.says, call, facts)
    if len(allowing) == 1 and not asks:  # most calls
        rule, costs = allowing[0]
        return Carried((rule.ref,), costs, rule.result, gives)
    rules = [rule for rule, _ in carrying]
    obligations = reduce(or_, (rule.result for rule in rules))
    charges = [charge for _, found in carrying for charge in found]
    if asks or not allowing:
        asking_decision = replace(refusals.asking(asks, rules, charges, call, gives), obligations=obligations)
        return approved(asking_decision, [rule.ref for rule in rules], settled) if settled else asking_decision
    return Carried(tuple(rule.ref for rule in rules), tuple(charges), obligations, gives)


def _fired(
    reaches: tuple[Reach, ...], call: Call, arguments: Mapping[str, Any] | None, classes: Classes, facts: Facts
) -> Sequence[Rule]:
    if not reaches:
        return ()
    return [reach.rule for reach in reaches if fires(reach, call, arguments, classes, facts)]


def _examined(speakers: Speakers, call: Call, classes: Classes, facts: Facts) -> list[Examined]:
    arguments = given_arguments(call)
    return [examine(reach, call, arguments, classes, facts) for reach in speakers.grants]


def visible(authority: Authority, call: Call, facts: Facts) -> bool:
    """Is the target of `call` (its arguments don't count) shown to its principal now?

    Shown if in every layer some grant could carry some call to it now, and no ask-free deny covers every call to it.
    Never depends on budgets, nor on what has been called before.
    """
    if not authority.layers or authority.lacks_mandate or call.server in authority.without:
        return False
    try:
        if authority.local is not None and _hides(authority.local, call, facts):
            return False
        return all(_shows(authority, layer, call, facts) for layer in range(len(authority.layers)))
    except Exception:
        return False


def _hides(document: Document, call: Call, facts: Facts) -> bool:
    """Does some deny of it cover every call to the target? Local denies name tools, never effects."""
    denies = document.index.speakers(call.kind, call.server, call.target).denies
    return any(reach.rule.unconditional and covers(reach, call, EVERY_EFFECT, facts) for reach in denies)


def _shows(authority: Authority, layer: int, call: Call, facts: Facts) -> bool:
    if is_past(authority.deadlines[layer], facts):
        return False
    speakers = authority.layers[layer].index.speakers(call.kind, call.server, call.target)
    classes = classes_for(speakers, authority.tools, call, facts)
    if any(reach.rule.unconditional and covers(reach, call, classes, facts) for reach in speakers.denies):
        return False
    return any(applies_now(reach, call, classes, facts) for reach in speakers.grants)
