"""Is what a client names by itself, a prompt or a resource, what its server lists and a person looked at?

A client can name what it never listed, so a listing is asked for here if there is none, or if it is old. Prompts: what
isn't listed isn't there (law 3). Resources are data and not pinned; under a lock, one has to be listed or to fit a
pinned template, since anything else is nothing that a person could have looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from mcp_guard import found, listing
from mcp_guard.context import Context, Listed
from mcp_guard.downstream import Downstream
from mcp_guard.lock.pins import NAMED_BY, PinKind
from mcp_guard.lock.templates import fits
from mcp_guard.model import Kind
from mcp_guard.sighting import FRESH, is_old, sighted_others

Known = Callable[["bool | None"], None]
"""Goes on with whether it is: None if that can't be told at the moment."""
_METHODS = {PinKind.PROMPT: "prompts/list", PinKind.TEMPLATE: "resources/templates/list"}
_KINDS = {PinKind.PROMPT: Kind.PROMPT, PinKind.TEMPLATE: Kind.RESOURCE}


def known_prompt(context: Context, server: Downstream, name: str, then: Known) -> None:
    """Is this prompt listed, and the one that was looked at?"""
    lock = context.guard.lock
    if lock is not None and not lock.pins(server.name, PinKind.PROMPT, name):
        return then(False)

    def tell() -> None:
        listed = context.listed.get((server.name, PinKind.PROMPT))
        then(None if listed is None else name in listed.names and _is_shown(context, server, Kind.PROMPT, name))

    def ready(is_ready: bool) -> None:
        if not is_ready:
            return then(None)
        if "prompts" not in server.capabilities:
            return then(False)  # it lists none
        return _listed(context, server, PinKind.PROMPT, tell)

    return server.when_ready(ready)


def known_resource(context: Context, server: Downstream, uri: str, then: Known) -> None:
    """Under a lock: is this resource listed, or does it fit a template that was looked at? Else by its grant alone."""
    if context.guard.lock is None:
        return then(True)

    def tell() -> None:
        templates = context.listed.get((server.name, PinKind.TEMPLATE), Listed(0.0)).names
        listed = context.resources.get(server.name, Listed(0.0)).names
        is_known = uri in listed or any(
            fits(one, uri) for one in templates if _is_shown(context, server, Kind.RESOURCE, one)
        )
        then(is_known and _is_shown(context, server, Kind.RESOURCE, uri))

    def ready(is_ready: bool) -> None:
        if not is_ready:
            return then(None)
        if "resources" not in server.capabilities:
            return then(False)
        return _resources(context, server, uri, lambda: _listed(context, server, PinKind.TEMPLATE, tell))

    return server.when_ready(ready)


def _is_shown(context: Context, server: Downstream, kind: Kind, name: str) -> bool:
    """Doesn't the scan mind what its server says of it?"""
    return name not in context.session.unshown.get((server.name, kind), ())


def _listed(context: Context, server: Downstream, kind: PinKind, then: Callable[[], None]) -> None:
    """Go on with a listing of this kind that isn't old, if there can be one."""
    if not is_old(context, server, kind):
        return then()
    context.listed.pop((server.name, kind), None)
    method = _METHODS[kind]

    def fetched(items: list[Any] | None) -> None:
        if items is None:
            return then()
        named = {item[NAMED_BY[kind]]: item for item in items if _is_named(item, NAMED_BY[kind])}
        found.look_at(context, server, _KINDS[kind], named)
        return sighted_others(context, server, method, items, lambda _: then())

    return _fetch(context, server, method, fetched)


def _resources(context: Context, server: Downstream, uri: str, then: Callable[[], None]) -> None:
    """Go on with a list of resources that isn't old; what isn't on it may have come to be a moment ago."""
    now = asyncio.get_running_loop().time()
    listed = context.resources.get(server.name)
    if listed is not None and now - listed.at <= (FRESH if uri in listed.names else 1.0):
        return then()

    def fetched(items: list[Any] | None) -> None:
        named = {item["uri"]: item for item in items or () if _is_named(item, "uri")}
        found.look_at(context, server, Kind.RESOURCE, named)
        context.resources[server.name] = Listed(asyncio.get_running_loop().time(), names=frozenset(named))
        then()

    return _fetch(context, server, "resources/list", fetched)


def _fetch(context: Context, server: Downstream, method: str, then: Callable[[list[Any] | None], None]) -> None:
    def fetched(items: list[Any] | None, _: object) -> None:
        found.look_ahead(context, server, items, lambda: then(items))

    listing.fetch(context, server, method, fetched)


def _is_named(item: Any, field: str) -> bool:
    return isinstance(item, dict) and isinstance(item.get(field), str)
