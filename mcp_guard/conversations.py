"""Opens a conversation for each client that comes: one on stdio, over HTTP one a session or a principal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from mcp_guard import listing
from mcp_guard.errors import GuardError
from mcp_guard.gateway import Gateway
from mcp_guard.guard import Guard
from mcp_guard.session import Session
from mcp_guard.transports.front import Ask, Holder, Notify


class Conversations:
    """Opens a conversation for each client of one guard. Implements `transports.front.Conversations`."""

    def __init__(self, guard: Guard, *, one_client: bool, views: Callable[[str], Guard] | None = None) -> None:
        self._guard = guard
        self._views = views  # the guard of a mandate token's sessions
        self._open: WeakSet[Gateway] = WeakSet()
        self._holders: WeakKeyDictionary[Gateway, Holder] = WeakKeyDictionary()
        self._one_client = one_client  # on stdio the client's process makes the history, over HTTP the principal

    def open(self, *, principal: str, notify: Notify, ask: Ask | None = None, grant: str = "") -> Gateway:
        """A new client. Raises GuardError for a token that isn't good any more."""
        guard = self._guard
        if grant:
            if self._views is None:
                raise GuardError("this guard takes no mandate tokens")
            guard = self._views(grant)
        key = guard.session_key if self._one_client else guard.session_for(principal)
        gateway = Gateway(guard, Session(principal, key, notify, ask, shared=not self._one_client))
        self._open.add(gateway)
        self._holders[gateway] = Holder(principal, grant)
        return gateway

    def input_schema(self, exposed: str, holder: Holder) -> Mapping[str, Any] | None:
        """The schema of a tool by this client's name for it, as an open conversation of its own shows it."""
        for gateway in list(self._open):
            if self._holders.get(gateway) != holder:
                continue
            tool = gateway.session.tools().get(exposed)
            if tool is not None and not gateway.session.closed and listing.shows(gateway.context, tool):
                return tool.schema
        return None
