"""Opens a conversation for each client that comes: one on stdio, over HTTP one a session or a principal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

from mcp_guard import listing
from mcp_guard.gateway import Gateway
from mcp_guard.guard import Guard
from mcp_guard.session import Session
from mcp_guard.transports.front import Ask, Notify


class Conversations:
    """Opens a conversation for each client of one guard. Implements `transports.front.Conversations`."""

    def __init__(self, guard: Guard, *, one_client: bool) -> None:
        self._guard = guard
        self._open: WeakSet[Gateway] = WeakSet()
        self._one_client = one_client  # on stdio the client's process makes the history, over HTTP the principal

    def open(self, *, principal: str, notify: Notify, ask: Ask | None = None) -> Gateway:
        """A new client."""
        key = self._guard.session_key if self._one_client else self._guard.session_for(principal)
        gateway = Gateway(self._guard, Session(principal, key, notify, ask, shared=not self._one_client))
        self._open.add(gateway)
        return gateway

    def input_schema(self, exposed: str) -> Mapping[str, Any] | None:
        """The schema of a tool by the client's name for it, as an open conversation shows it."""
        for gateway in self._open:
            tool = gateway.session.tools().get(exposed)
            if tool is not None and not gateway.session.closed and listing.shows(gateway.context, tool):
                return tool.schema
        return None
