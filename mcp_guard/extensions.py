"""What the guard doesn't know and a document grants by name: methods, members and notifications, passed on as they are.

They are judged by that name, recorded as `not inspected`, and reach the one server whose grant names them. Nothing in
them is read: a grant of one is a grant of all that it can say.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mcp_guard import exposure, refusal
from mcp_guard.context import Context
from mcp_guard.downstream import Downstream, State
from mcp_guard.eras import Era, strip_own_meta
from mcp_guard.model import Call, Decision, Effect, Kind, Outcome, Reason
from mcp_guard.offers import may_extend
from mcp_guard.passage import Passage
from mcp_guard.patience import patiently
from mcp_guard.record.usage import UsageView
from mcp_guard.session import InFlight

if TYPE_CHECKING:
    from mcp_guard.gateway import Gateway


def carry(gateway: Gateway, request: InFlight, method: str, params: dict[str, Any]) -> None:
    """A request whose method the guard doesn't know."""
    owner = None
    if gateway.guard.grants(Kind.EXTENSION):
        servers = gateway.session.servers
        owner = gateway.only_owner([gateway.call(method, server, method, params, Kind.EXTENSION) for server in servers])
    if owner is None:
        answer = refusal.unknown_method()
        return gateway.not_there(request, answer, method[:64], "", "", Kind.TOOL, Reason.UNKNOWN_METHOD)
    return Passage(gateway.context, request, *owner, None, refusal.refused_request).begin()


def notified(context: Context, method: str, params: dict[str, Any] | None) -> bool:
    """A client's notification that the guard doesn't know: passed on to the servers whose grant names it."""
    servers = [server for server in context.session.servers if may_extend(context, server.name, method)]
    for server in servers:
        _tell(context, server, method, None if params is None else strip_own_meta(params))
    return bool(servers)


def _tell(context: Context, server: Downstream, method: str, params: dict[str, Any] | None) -> None:
    """Judged, charged and recorded as a request of that name would be, before it is sent; only nobody is answered."""
    watch, call = context.guard.watch, _call(context, server, method, params)
    if watch is None:
        return _tell_scanned(context, server, call, params, None)
    return watch.notified(call, lambda against: _tell_scanned(context, server, call, params, against))


def _tell_scanned(
    context: Context, server: Downstream, call: Call, params: dict[str, Any] | None, against: Decision | None
) -> None:
    guard, session = context.guard, context.session

    def judged(view: UsageView) -> Decision:
        decision = context.judged(call, view)
        if decision.effect is not Effect.DENY and against is not None:
            return against
        return replace(decision, detail="not inspected") if decision.allowed else decision

    def step() -> None:
        entry = guard.record.step(guard.describe(call, session.key, session.client, {}), judged)
        guard.latest = entry.time
        if not entry.decision.allowed:
            return
        # Over HTTP, the modern era has no notifications that a client makes: there is no way to send one.
        there = server.state is State.READY and (server.spec.remote is None or server.era is Era.LEGACY)
        if there:
            server.notify(call.method, params)
        outcome = Outcome.OK if there else Outcome.NOT_SENT
        patiently(
            lambda: guard.record.finish(entry, outcome, duration_ms=0.0, refund=not there, note="a notification"),
            lambda: None,
        )

    patiently(step, lambda: None)


def _call(context: Context, server: Downstream, method: str, params: dict[str, Any] | None) -> Call:
    return Call(context.session.principal, method, server.name, method, params or {}, Kind.EXTENSION)


def told(context: Context, server: Downstream, method: str, params: dict[str, Any] | None) -> bool:
    """A server's notification that the guard doesn't know: passed on where a grant names it and asks nobody.

    Judged by what doesn't count: a server can send thousands, so they are neither charged nor written out.
    """
    if not may_extend(context, server.name, method):
        return False
    if not context.judged(_call(context, server, method, params), None).allowed:
        return False
    told = None if params is None else strip_own_meta(params)
    exposure.heard(context, server.name, "a notification", lambda: context.session.notify(method, told))
    return True
