"""What a client does with resources: read them, and be told of their changes, which is judged as reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_guard import knowing, listening, refusal, subscriptions
from mcp_guard.context import guarded
from mcp_guard.downstream import Downstream
from mcp_guard.model import Call, Decision, Effect, Kind, Reason
from mcp_guard.passage import Passage
from mcp_guard.session import InFlight

if TYPE_CHECKING:
    from mcp_guard.gateway import Gateway

_MEMBERS = frozenset({"uri", "_meta"})


def read(gateway: Gateway, request: InFlight, method: str, params: dict[str, Any]) -> None:
    """`resources/read`."""
    owner = _owner(gateway, method, params.get("uri"), params)
    if owner is None:
        return _not_there(gateway, request, method, params)
    return _once_known(gateway, request, method, params, owner, _passage(gateway, request, owner))


def subscribe(gateway: Gateway, request: InFlight, method: str, params: dict[str, Any]) -> None:
    """`resources/subscribe` (legacy era)."""
    owner, session = _owner(gateway, method, params.get("uri"), params), gateway.session
    if owner is None:
        return _not_there(gateway, request, method, params)
    passage = _passage(gateway, request, owner)
    if len(session.subscriptions) >= subscriptions.MAX_SUBSCRIPTIONS:
        return passage.refuse(Decision(Effect.DENY, Reason.TOO_MANY))
    call, server = owner
    passage.on_result = lambda _: session.subscriptions.add((server.name, call.target))
    return _once_known(gateway, request, method, params, owner, passage)


def unsubscribe(gateway: Gateway, request: InFlight, method: str, params: dict[str, Any]) -> None:
    """`resources/unsubscribe` (legacy era): less is told, so it is possible when reading isn't granted any more."""
    session, uri = gateway.session, params.get("uri")
    held = [(of, one) for of, one in session.subscriptions if one == uri]
    session.subscriptions.difference_update(held)
    owner = _owner(gateway, method, uri, params)
    if owner is not None:
        return gateway.carry(_passage(gateway, request, owner), _MEMBERS)
    for of, one in held:
        subscriptions.end(gateway.context, of, one)
    return request.finish({"result": {}}) if held else _not_there(gateway, request, method, params)


def listen(gateway: Gateway, request: InFlight, method: str, params: dict[str, Any]) -> None:
    """`subscriptions/listen` (modern era)."""

    def owner(uri: str) -> Downstream | None:
        found = _owner(gateway, "resources/read", uri, {"uri": uri})
        return None if found is None else found[1]

    listening.listen(gateway.context, request, params, owner)


def _owner(gateway: Gateway, method: str, uri: object, params: dict[str, Any]) -> tuple[Call, Downstream] | None:
    """The one server whose resource this is to the client."""
    servers = gateway.session.servers if isinstance(uri, str) else []
    return gateway.only_owner([gateway.call(method, server, str(uri), params, Kind.RESOURCE) for server in servers])


def _passage(gateway: Gateway, request: InFlight, owner: tuple[Call, Downstream]) -> Passage:
    return Passage(gateway.context, request, *owner, None, refusal.refused_request)


def _once_known(
    gateway: Gateway,
    request: InFlight,
    method: str,
    params: dict[str, Any],
    owner: tuple[Call, Downstream],
    passage: Passage,
) -> None:
    """Carry it once it is known to be something that a person could have looked at."""
    call, server = owner

    def known(is_known: bool | None) -> None:
        if is_known is None:
            return passage.refuse(Decision(Effect.DENY, Reason.UNAVAILABLE))
        if is_known:
            return gateway.carry(passage, _MEMBERS)
        answer, why = refusal.unknown_resource(call.target), "it isn't listed, and fits no template that was locked"
        return gateway.not_there(request, answer, method, server.name, call.target, Kind.RESOURCE, detail=why)

    knowing.known_resource(gateway.context, server, call.target, lambda found: guarded(request, lambda: known(found)))


def _not_there(gateway: Gateway, request: InFlight, method: str, params: dict[str, Any]) -> None:
    uri = params.get("uri")
    shown = uri if isinstance(uri, str) else ""
    gateway.not_there(request, refusal.unknown_resource(uri), method, "", shown, Kind.RESOURCE)
