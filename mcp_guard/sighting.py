"""What becomes of a listing: what isn't what a person looked at is withheld, with an entry and a word to the person.

`pinning.py` says what that is; `listing.py` asks the servers and answers the client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mcp_guard import found, log, pinning
from mcp_guard.catalog import FOUND, Listing, Withheld
from mcp_guard.context import Context, Listed
from mcp_guard.downstream import Downstream
from mcp_guard.lock.pins import PinKind, name_of
from mcp_guard.patience import patiently
from mcp_guard.record.entries import EntryKind

FRESH = 60.0
"""Seconds for which a call goes by what its server listed. A server may change a tool without a word, so that an older
listing is asked for anew first: about once a minute of use, for some milliseconds (`docs/lock.md` has the figures)."""

LOOK = "look at the change with `mcp-guard lock`, which accepts it, and start again"
ACCEPT = "look at it, then `mcp-guard lock` writes a lock, or `mcp-guard lock --accept-first-sight` goes without"

PINNED = {"prompts/list": PinKind.PROMPT, "resources/templates/list": PinKind.TEMPLATE}


def forget_others(context: Context, server: Downstream) -> None:
    """Its prompts and templates may be others now."""
    for kind in PINNED.values():
        context.listed.pop((server.name, kind), None)
    context.resources.pop(server.name, None)


def is_old(context: Context, server: Downstream, kind: PinKind) -> bool:
    listed = context.listed.get((server.name, kind))
    return listed is None or asyncio.get_running_loop().time() - listed.at > FRESH


def sighted(context: Context, server: Downstream, listing: Listing, then: Callable[[], None]) -> None:
    """Note what was there when this server was first seen: that is what a pattern in a grant reaches."""

    def step() -> None:
        context.known[server.name] = pinning.names_known(context.guard, server.spec, listing.names)
        drifted = pinning.held(context.guard, server.spec, PinKind.TOOL, _usable(listing))
        gone = {one.name for one in drifted}
        kept = tuple(tool for tool in listing.tools if tool.name not in gone) if gone else listing.tools
        previous = server.withheld
        others = tuple(one for one in listing.withheld if one.code != FOUND or one.name not in gone)
        server.listing = replace(listing, tools=kept, withheld=(*others, *drifted))
        server.unlistable = False
        server.withheld = server.listing.withheld
        context.listed[server.name, PinKind.TOOL] = Listed(asyncio.get_running_loop().time(), drifted)
        if server.withheld != previous:
            say_withheld(context, server, server.withheld)
        found.tell_of_tools(context, server)
        then()

    patiently(step, then)


def _usable(listing: Listing) -> list[Mapping[str, Any]]:
    """Also what the scan withholds: that a tool has changed is the more telling of two reasons."""
    found = {one.name for one in listing.withheld if one.code == FOUND}
    return [tool.descriptor for tool in listing.tools] + [
        one for one in listing.descriptors if one.get("name") in found
    ]


def sighted_others(
    context: Context, server: Downstream, method: str, items: list[Any], then: Callable[[list[Any]], None]
) -> None:
    """Go on with those prompts or templates that are what was looked at; with none if the record can't say."""
    kind = PINNED[method]

    def step() -> None:
        previous = context.listed.get((server.name, kind))
        withheld = pinning.held(context.guard, server.spec, kind, items)
        hidden = {one.name for one in withheld}
        names = frozenset(name for item in items if (name := name_of(kind, item)) and name not in hidden)
        listed = context.listed[server.name, kind] = Listed(asyncio.get_running_loop().time(), withheld, names)
        if withheld and (previous is None or previous.withheld != withheld):
            say_withheld(context, server, withheld)
        then([item for item in items if not listed.hides(name_of(kind, item))])

    patiently(step, lambda: then([]))


def say_withheld(context: Context, server: Downstream, withheld: tuple[Withheld, ...]) -> None:
    """Write an entry, and tell the person; of what has drifted, with the way on."""
    if not withheld:
        return
    things = [{"tool": one.name, "why": one.why} | ({"code": one.code} if one.code else {}) for one in withheld[:50]]
    context.note(EntryKind.WITHHELD, {"server": server.name, "tools": things})
    names = ", ".join(one.name for one in withheld[:50])
    drifted = next((one for one in withheld if one.code not in ("", FOUND)), None)
    way = {} if drifted is None else {"why": drifted.why, "way": LOOK if context.guard.lock is not None else ACCEPT}
    log.warning("tools withheld", server=server.name, tools=names, **way)
