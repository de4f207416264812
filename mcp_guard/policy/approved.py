"""Which approvals are for a call, and what they make of a decision that asks.

Core. An approval is data that is judged again: it can settle asks and nothing else, so a deny that was loaded while a
person was reading still wins.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from mcp_guard.model import Approval, Call, Decision, Effect, RuleRef
from mcp_guard.policy.document import Authority
from mcp_guard.wire import digest

_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

Settled = Mapping[str, Approval]
"""By rule key: the approval that settles it for one call."""


def call_digest(call: Call) -> str:
    """The one exact call that an approval is for: who, where, and all of `params` but the progress token (law 1)."""
    exact = {
        "principal": call.principal,
        "method": call.method,
        "server": call.server,
        "target": call.target,
        "kind": call.kind.value,
        "params": without_progress(call.params),
    }
    return digest(exact)


def settled_for(authority: Authority, call: Call, approvals: Collection[Approval]) -> Settled:
    """What these approvals settle of this call under these documents. Anything unclear settles nothing."""
    try:
        exact, documents = call_digest(call), authority.digest
        fitting = [one for one in approvals if one.call == exact and one.authority == documents]
        return {key: one for one in fitting for key in one.asks}
    except Exception:
        return {}


def approved(asking: Decision, rules: Collection[RuleRef], settled: Settled) -> Decision:
    """The decision once every rule that asks is settled; else as it was. `rules` are the grants that carry the call."""
    if asking.effect is not Effect.ASK:
        return asking
    if not all(rule.key in settled and settled[rule.key].tier >= rule.by for rule in asking.rules):
        return asking
    used = dict.fromkeys(settled[rule.key] for rule in asking.rules)
    return replace(
        asking,
        effect=Effect.ALLOW,
        reason=None,
        rules=tuple(rules),
        advice=(),
        permitted=(),
        detail="",
        approvals=tuple(used),
    )


def for_part(approvals: Collection[Approval], whole: Call, part: Call) -> list[Approval]:
    """The approvals of a call as those of a part of it that is judged under a name of its own.

    Who agreed was shown all of the call, and the names of all rules that ask.
    """
    exact, own = call_digest(whole), call_digest(part)
    return [replace(one, call=own) for one in approvals if one.call == exact]


def without_progress(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """`params` less what differs with each request and is mapped on the way (law 9): the progress token, and the trace
    context, of which W3C's form leaves room for two numbers and nothing else.
    """
    meta = params.get("_meta")
    if not isinstance(meta, Mapping):
        return params
    traced = is_trace(meta.get("traceparent"))
    if not traced and "progressToken" not in meta:
        return params
    gone = {"progressToken"} | ({"traceparent"} if traced else set())
    kept = {key: value for key, value in meta.items() if key not in gone}
    if not kept and "progressToken" not in meta:  # the guard adds a trace context where the client sent no `_meta`
        return {name: value for name, value in params.items() if name != "_meta"}
    return {**params, "_meta": kept}


def is_trace(value: object) -> bool:
    """Is it a trace context in W3C's form, and so no text of anybody's?"""
    return isinstance(value, str) and _TRACEPARENT.fullmatch(value) is not None
