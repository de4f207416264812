"""What `downstream.py` knows of a translation, whichever way it goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from mcp_guard.transports.front import Answer, Cancel
from mcp_guard.transports.link import Progress

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
