"""Subscriptions to resources in the legacy era: granted like reading, and judged again whenever they deliver.

The guard keeps which resources a client subscribed to. An update of any other is dropped; one whose grant is over ends
the subscription, at the server too. A server that is started again is asked again for what is still granted.
"""

from __future__ import annotations

from typing import Any

from mcp_guard import listing
from mcp_guard.context import Context
from mcp_guard.deliveries import PROMPTS, RESOURCES, UPDATED
from mcp_guard.downstream import Downstream
from mcp_guard.eras import Era, strip_own_meta
from mcp_guard.errors import ServerGone
from mcp_guard.model import Call, Decision, Kind, Outcome, Reason
from mcp_guard.patience import patiently
from mcp_guard.record.usage import UsageView

MAX_SUBSCRIPTIONS = 1000
"""Resources that one client may be subscribed to."""


def covered(subscribed: str, uri: str) -> bool:
    """Is `uri` what was subscribed to, or a part of it? The protocol lets a server tell of parts."""
    return uri == subscribed or uri.startswith(f"{subscribed.rstrip('/')}/")


def readable(context: Context, server: str, uri: str) -> bool:
    """Is reading this resource granted now, budgets aside?"""
    call = Call(context.session.principal, "resources/read", server, uri, {"uri": uri}, Kind.RESOURCE)
    return listing.shows_call(context, call)


def updated(context: Context, server: Downstream, params: dict[str, Any]) -> None:
    """A resource changed, as the server says: told in a moment, if the client asked for it."""
    uri = params.get("uri")
    wanted = context.session.subscriptions
    if isinstance(uri, str) and any(of == server.name and covered(one, uri) for of, one in wanted):
        context.tell(UPDATED, server.name, strip_own_meta(params))
    else:
        context.unasked(server, UPDATED)


def tell(context: Context, method: str, server: str, params: dict[str, Any] | None) -> None:
    """Tell a client of the legacy era, if that is granted now."""
    session = context.session
    if session.closed or session.era is not Era.LEGACY or not deliverable(context, method):
        return None
    if method == UPDATED:
        uri = str((params or {}).get("uri"))
        for of, one in [held for held in session.subscriptions if held[0] == server and covered(held[1], uri)]:
            if not readable(context, of, one):
                end(context, of, one)
        if not any(of == server and covered(one, uri) for of, one in session.subscriptions):
            return None
        if not readable(context, server, uri):
            return refused(context, server, uri)
    return session.notify(method, params)


def deliverable(context: Context, method: str) -> bool:
    """Does anything that is granted now change by this?"""
    if context.guard.expired():
        return False
    kinds = {PROMPTS: Kind.PROMPT, RESOURCES: Kind.RESOURCE, UPDATED: Kind.RESOURCE}
    return method not in kinds or context.guard.grants(kinds[method])


def end(context: Context, server: str, uri: str) -> None:
    """The grant is over: the server isn't asked any more, and the record says so."""
    context.session.subscriptions.discard((server, uri))
    refused(context, server, uri)
    found = context.server(server)
    try:
        if found is not None:
            found.request("resources/unsubscribe", {"uri": uri}, _nobody)
    except ServerGone:
        return


def refused(context: Context, server: str, uri: str) -> None:
    """Record that an update wasn't delivered; a flood of them is counted, not written out."""
    if context.session.counts_now(server, UPDATED):
        reason = Reason.EXPIRED if context.guard.expired() else Reason.NO_GRANT
        context.refused(UPDATED, server, uri, Kind.RESOURCE, reason, "what it subscribed to isn't granted any more")


def renew(context: Context, server: Downstream) -> None:
    """A server that was started again knows nothing of its subscriptions: each is judged and asked for anew."""
    for of, uri in [held for held in context.session.subscriptions if held[0] == server.name]:
        if readable(context, of, uri):
            _renew_one(context, server, of, uri)
        else:
            context.session.subscriptions.discard((of, uri))
            refused(context, of, uri)


def _renew_one(context: Context, server: Downstream, of: str, uri: str) -> None:
    guard, session = context.guard, context.session
    call = Call(session.principal, "resources/subscribe", of, uri, {"uri": uri}, Kind.RESOURCE)

    def judged(view: UsageView) -> Decision:
        return context.judged(call, view)

    def step() -> None:
        entry = guard.record.step(guard.describe(call, session.key, session.client, {}), judged)
        if not entry.decision.allowed:
            session.subscriptions.discard((of, uri))
            return

        def answered(reply: dict[str, Any]) -> None:
            outcome = Outcome.OK if "result" in reply else Outcome.ERROR if "error" in reply else Outcome.UNKNOWN
            if outcome is not Outcome.OK:
                session.subscriptions.discard((of, uri))
            patiently(lambda: guard.record.finish(entry, outcome, duration_ms=0.0, note="anew"), lambda: None)

        try:
            server.request(call.method, dict(call.params), answered)
        except ServerGone:
            patiently(lambda: guard.record.finish(entry, Outcome.NOT_SENT, duration_ms=0.0, refund=True), lambda: None)

    patiently(step, lambda: session.subscriptions.discard((of, uri)))


def _nobody(_: dict[str, Any]) -> None:
    """An answer that nobody waits for."""
