"""How a translation begins: after a server has refused the client's own era.

The question whether it speaks the other one is its handshake (`server/discover` or `initialize`) and nothing else:
no request of the client is sent to find it out, so none is ever sent twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from mcp_guard.eras import LEGACY_REVISIONS, MODERN_REVISIONS, Era
from mcp_guard.errors import ServerGone
from mcp_guard.once import OnceAnswer
from mcp_guard.translation.interface import Translation
from mcp_guard.transports.link import Link

DEADLINE = 3.0
"""Seconds for a server that has refused one era to answer for the other: the client waits meanwhile."""


def begin(
    link: Link,
    era: Era,
    opening: dict[str, Any],
    tell: Callable[[str, dict[str, Any] | None], None],
    done: Callable[[Translation | None], None],
    *,
    shared: bool = False,
) -> None:
    """Ask a server that refused `era` for the other one. `opening` are the params that it refused; `tell` takes what a
    translation itself has to tell the client. `done` gets None for a server that speaks neither.
    """
    from mcp_guard.translation.as_legacy import AsLegacy
    from mcp_guard.translation.as_modern import AsModern
    from mcp_guard.translation.forms import as_discovered, as_initialized, envelope_of, initialize_of

    def discovered(reply: dict[str, Any]) -> None:
        result = reply.get("result")
        versions = result.get("supportedVersions") if isinstance(result, dict) else None
        if not isinstance(result, dict) or not isinstance(versions, list) or MODERN_REVISIONS[-1] not in versions:
            return done(None)
        hello = as_initialized(result, opening.get("protocolVersion"))
        return done(AsLegacy(link, hello, envelope_of(opening)))

    def initialized(reply: dict[str, Any]) -> None:
        result = reply.get("result")
        if not isinstance(result, dict) or result.get("protocolVersion") not in LEGACY_REVISIONS:
            return done(None)
        link.notify("notifications/initialized", None)
        return done(AsModern(link, as_discovered(result), tell, shared=shared))

    method, params = (
        ("server/discover", {"_meta": envelope_of(opening)})
        if era is Era.LEGACY
        else ("initialize", initialize_of(opening))
    )
    answered = OnceAnswer(discovered if era is Era.LEGACY else initialized)
    try:
        asked = link.request(method, params, answered)
    except ServerGone:
        return done(None)

    def late() -> None:
        if era is Era.LEGACY:  # an `initialize` is never cancelled, by the specification
            link.cancel(asked, "timed out")
        answered({"gone": "it did not answer in time"})

    asyncio.get_running_loop().call_later(DEADLINE, late)
    return None
