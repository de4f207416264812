"""What the guard doesn't know and a document grants by name: methods, members and notifications, passed on as they are.

They are judged by that name, recorded as `not inspected`, and reach the one server whose grant names them. Nothing in
them is read: a grant of one is a grant of all that it can say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_guard import refusal
from mcp_guard.context import Context
from mcp_guard.downstream import Downstream
from mcp_guard.eras import strip_own_meta
from mcp_guard.model import Kind, Reason
from mcp_guard.offers import may_extend
from mcp_guard.passage import Passage
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
        server.notify(method, None if params is None else strip_own_meta(params))
    return bool(servers)


def told(context: Context, server: Downstream, method: str, params: dict[str, Any] | None) -> bool:
    """A server's notification that the guard doesn't know: passed on where a grant names it."""
    if not may_extend(context, server.name, method):
        return False
    context.session.notify(method, None if params is None else strip_own_meta(params))
    return True
