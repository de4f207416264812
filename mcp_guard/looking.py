"""Asks servers what they offer, all of it and unfiltered, and puts it down as pins: what `mcp-guard lock` writes.

Edge. Nothing is withheld here, since a person is about to look at it, and no tool is called.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_guard import __version__, listing
from mcp_guard.conversations import Conversations
from mcp_guard.downstream import Downstream, State
from mcp_guard.eras import LEGACY_REVISIONS, MODERN_REVISIONS, SERVER_INFO_KEY
from mcp_guard.gateway import Gateway
from mcp_guard.guard import Guard
from mcp_guard.identities import identity_of, shown_command, shown_url
from mcp_guard.lock.pins import PinKind, name_of, pin_of
from mcp_guard.lock.seen import text_lines
from mcp_guard.lock.servers import ServerPin
from mcp_guard.transports.link import see_links_end
from mcp_guard.wire import digest

DEADLINE = 60.0
"""Seconds that the servers together may take in each era; `npx` may have to fetch one first."""
_LISTS = {
    PinKind.TOOL: ("tools", "tools/list"),
    PinKind.PROMPT: ("prompts", "prompts/list"),
    PinKind.TEMPLATE: ("resources", "resources/templates/list"),
}
_INFO = {"name": "mcp-guard lock", "version": __version__}
_HELLO = {"protocolVersion": LEGACY_REVISIONS[-1], "capabilities": {}, "clientInfo": _INFO}
_ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN_REVISIONS[-1],
    "io.modelcontextprotocol/clientInfo": _INFO,
    "io.modelcontextprotocol/clientCapabilities": {},
}


@dataclass(frozen=True, slots=True)
class Look:
    """What one server offers; `listed` holds the raw things, by kind, as the record pins them."""

    pin: ServerPin
    listed: Mapping[PinKind, list[Any]]


async def look(guard: Guard, principal: str) -> dict[str, Look]:
    """By server; one that doesn't answer in either era, or not in full, isn't in it."""
    found: dict[str, Look] = {}
    for method, params in (("initialize", _HELLO), ("server/discover", {"_meta": _ENVELOPE})):
        left = [spec.name for spec in guard.specs if spec.name not in found]
        if left:
            found |= await _in_one_era(guard, principal, left, method, params)
    return found


async def _in_one_era(
    guard: Guard, principal: str, names: list[str], method: str, params: dict[str, Any]
) -> dict[str, Look]:
    gateway = Conversations(guard, one_client=True).open(principal=principal, notify=lambda *_: None)
    gateway.session.servers[:] = [one for one in gateway.session.servers if one.name in names]
    found: dict[str, Look] = {}
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE):
                await _answer(gateway, method, params)
                coming = [one for one in gateway.session.servers if one.state in (State.OPENING, State.READY)]
                await asyncio.gather(*(_look_at(gateway, server, found) for server in coming))
        return found
    finally:
        gateway.close()
        await see_links_end()


async def _look_at(gateway: Gateway, server: Downstream, found: dict[str, Look]) -> None:
    ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    server.when_ready(lambda is_ready: None if ready.done() else ready.set_result(is_ready))
    if not await ready:
        return
    listed: dict[PinKind, list[Any]] = {}
    for kind, (capability, method) in _LISTS.items():
        if capability in server.capabilities:
            items = await _listed(gateway, server, method)
            if items is None and kind is not PinKind.TEMPLATE:  # many servers with resources don't know that list
                return
            listed[kind] = items or []
    pins = {
        pin.key: pin
        for kind, items in listed.items()
        for item in items
        if name_of(kind, item) and (pin := pin_of(kind, item)).digest
    }
    said = server.hello.get("instructions")
    text = said if isinstance(said, str) else ""
    spec = server.spec
    found[spec.name] = Look(
        ServerPin(
            spec.name,
            shown_command(spec) if spec.remote is None else (),
            shown_url(spec),
            identity_of(spec),
            _says(server.hello),
            str(server.hello.get("protocolVersion", MODERN_REVISIONS[-1]))[:32],
            digest(text) if text else "",
            tuple(text_lines(text)),
            pins,
        ),
        listed,
    )


def _says(hello: Mapping[str, Any]) -> tuple[str, str]:
    """Its own word on name and version."""
    meta = hello.get("_meta")
    info = hello.get("serverInfo") or (meta.get(SERVER_INFO_KEY) if isinstance(meta, Mapping) else None)
    if not isinstance(info, Mapping):
        return "", ""
    return str(info.get("name", ""))[:128], str(info.get("version", ""))[:128]


async def _answer(gateway: Gateway, method: str, params: dict[str, Any]) -> None:
    answered: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    gateway.request(method, params, id=method, answer=answered.set_result, notify=lambda *_: None)
    await answered


async def _listed(gateway: Gateway, server: Downstream, method: str) -> list[Any] | None:
    answered: asyncio.Future[list[Any] | None] = asyncio.get_running_loop().create_future()
    listing.fetch(gateway.context, server, method, lambda items, _: answered.set_result(items))
    return await answered
