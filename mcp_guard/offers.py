"""What client and server are told of each other's capabilities: what a grant names, and nothing else.

A peer then doesn't try what would be refused. What a server isn't told that it may ask is refused all the same when it
asks, so this narrows and never grants.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp_guard.context import Context
from mcp_guard.eras import CLIENT_CAPABILITIES_KEY
from mcp_guard.model import Call, Kind
from mcp_guard.policy.decide import visible

ASKED = {"elicitation/create": "elicitation", "roots/list": "roots", "sampling/createMessage": "sampling"}
"""What a server may ask of the client, and what grants call it."""
TASKS = "io.modelcontextprotocol/tasks"
_NAMED_INSIDE = ("extensions", "experimental")
"""Capabilities that are maps of further ones: each of those is granted by its own name."""


def may_ask(context: Context, server: str, kind: str) -> bool:
    """Does every layer grant that this server asks the client for this, budgets aside?"""
    return _granted(context, server, kind, Kind.SERVER_REQUEST)


def may_extend(context: Context, server: str, name: str) -> bool:
    """Does every layer grant this extension (or method, member, capability) of this server, budgets aside?"""
    return _granted(context, server, name, Kind.EXTENSION)


def _granted(context: Context, server: str, name: str, kind: Kind) -> bool:
    if not context.guard.grants(kind):  # by far the most guards: nothing to look up
        return False
    if context.unlocked(server):
        return False
    call = Call(context.session.principal, "", server, name, {}, kind)
    return visible(context.guard.authority, call, context.facts(server))


def client_capabilities(context: Context, server: str, capabilities: Any) -> Any:
    """A client's capabilities as this server is told them."""
    if not isinstance(capabilities, Mapping):
        return capabilities
    kept: dict[str, Any] = {}
    for name, value in capabilities.items():
        if name in ASKED.values():
            if may_ask(context, server, name):
                kept[name] = _without_context(context, value) if name == "sampling" else value
        elif inner := extensions(context, server, name, value):
            kept.update(inner)
    return kept


def extensions(context: Context, server: str, name: str, value: Any) -> dict[str, Any]:
    """A capability that the guard doesn't know, as far as it is granted: empty if it isn't."""
    if name in _NAMED_INSIDE and isinstance(value, Mapping):
        inner = {key: said for key, said in value.items() if may_extend(context, server, key)}
        return {name: inner} if inner else {}
    return {name: value} if may_extend(context, server, name) else {}


def _without_context(context: Context, sampling: Any) -> Any:
    """Sampling that brings the context of all servers along would show one server what another one said."""
    if not isinstance(sampling, Mapping) or not context.guard.prefixed:
        return sampling
    return {key: value for key, value in sampling.items() if key != "context"}


def handshake(context: Context, server: str, params: dict[str, Any]) -> dict[str, Any]:
    """`initialize` as this server gets it."""
    if "capabilities" not in params:
        return params
    return {**params, "capabilities": client_capabilities(context, server, params["capabilities"])}


def modern(context: Context, server: str, params: dict[str, Any]) -> dict[str, Any]:
    """A modern request as this server gets it: there, every one names what its client can be asked for."""
    meta = params.get("_meta")
    if not isinstance(meta, dict) or CLIENT_CAPABILITIES_KEY not in meta:
        return params
    kept = client_capabilities(context, server, meta[CLIENT_CAPABILITIES_KEY])
    return {**params, "_meta": {**meta, CLIENT_CAPABILITIES_KEY: kept}}
