"""Members of a call's `params` beside its method's own: documents grant each by name, and it is used as a whole."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from mcp_guard.context import Context
from mcp_guard.model import Approval, Call, Decision, Kind, strictest
from mcp_guard.policy.approved import call_digest, for_part
from mcp_guard.record.usage import UsageView


def judged(
    context: Context,
    call: Call,
    decision: Decision,
    members: Collection[str],
    view: UsageView,
    approvals: Collection[Approval],
) -> Decision:
    """The call's own decision, and that on each member: by its name, in the same transaction, under the same yes."""
    said = [decision]
    for member in members:
        used = replace(call, target=member, kind=Kind.EXTENSION)
        said.append(context.judged(used, view, approvals=for_part(approvals, call, used)))
    decision = strictest(said)
    # Each grant had room for one use, so one use it is, however many of its names the call has.
    charges = tuple({one.count: one for one in decision.charges}.values())
    exact = call_digest(call)
    given = tuple(dict.fromkeys(replace(one, call=exact) for one in decision.approvals))
    return replace(decision, charges=charges, approvals=given)
