"""What `downstream.py` knows of a translation, and how one begins: after a server has refused the client's own era.

The question whether it speaks the other one is its handshake (`server/discover` or `initialize`) and nothing else:
no request of the client is sent to find it out, so none is ever sent twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from mcp_guard.eras import LEGACY_REVISIONS, MODERN_REVISIONS, Era
from mcp_guard.errors import ServerGone
from mcp_guard.transports.front import Answer, Cancel
from mcp_guard.transports.link import Link, Progress

Told = tuple[str, "dict[str, Any] | None"]
"""A notification: its method and params."""


class Translation(Protocol):
    """One server's link, in the words of the client's era. `hello` is its answer to that era's handshake."""

    hello: dict[str, Any]

    def request(
        self, method: str, params: dict[str, Any] | None, answer: Answer, progress: Progress | None = None
    ) -> int:
        """As `Link.request`."""

    def cancel(self, request_id: int, reason: str | None = None) -> None:
        """As `Link.cancel`."""

    def notify(self, method: str, params: dict[str, Any] | None) -> None:
        """As `Link.notify`."""

    def notified(self, method: str, params: dict[str, Any] | None) -> Iterator[Told]:
        """What the client is told of a server's notification."""

    def asked(self, method: str, params: dict[str, Any] | None, answer: Answer, during: int | None) -> Cancel:
        """The server asks the client for something."""

    def close(self) -> None:
        """The link ends."""


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

    try:
        if era is Era.LEGACY:
            link.request("server/discover", {"_meta": envelope_of(opening)}, discovered)
        else:
            link.request("initialize", initialize_of(opening), initialized)
    except ServerGone:
        done(None)
