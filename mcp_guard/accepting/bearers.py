"""Mandate tokens in a guard that runs: whose a token is, and the guard that binds its sessions.

Each token has a view of the guard, with the same record and servers and an authority of its own: the policy in force,
then the token's mandate. A token that was revoked, or whose mandate doesn't load beside the policy any more, binds
nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mcp_guard import log
from mcp_guard.accepting import tokens
from mcp_guard.accepting.loaded import loaded
from mcp_guard.errors import GuardError, InputError
from mcp_guard.guard import Guard
from mcp_guard.policy.document import Authority, Document, read_mandate
from mcp_guard.record import accepted as table
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.schema import patiently
from mcp_guard.transports.front import Holder


@dataclass(slots=True)
class Bearers:
    """The tokens of one guard: those that were minted beside the policy that is in force, and no others."""

    guard: Guard
    variables: Callable[[Document | None], dict[str, str]]  # what a mandate may use, without a policy too
    _views: dict[str, Guard] = field(default_factory=dict)

    def holder(self, credentials: str) -> Holder | None:
        """Whose mandate token this is, in this very moment; None for anything else, and where that can't be told.

        A guard with a mandate of its own takes none: a token's would stand in its place.
        """
        try:
            given = self._given(tokens.place_of_token(credentials))
        except GuardError as error:
            log.warning("a token could not be looked up", error=type(error).__name__)
            return None
        return None if given is None else Holder(given.principal, given.place)

    def view(self, grant: str) -> Guard:
        """The guard of this token's sessions. Raises GuardError if it is no longer good."""
        found = self._views.get(grant)
        if found is not None:
            return found
        given = self._given(grant)
        if given is None:
            raise GuardError("the mandate token was revoked")
        mandate = self._mandate(given, self.guard.policy)
        # Once for each token and process, so it may wait for another guard's write.
        patiently(lambda: self.guard.record.started(f"{mandate.digest}:{given.principal}"))
        view = self.guard.view(lambda policy: self._authority(given, policy), lambda c: self._good(c, grant))
        view.session_key = view.session_for(given.principal)
        documents = loaded(view.authority.layers, None, None)
        said = {"documents": documents, "session": view.session_key, "beside": given.beside}
        patiently(lambda: self.guard.record.note(EntryKind.LOADED, said))
        self._views[grant] = view
        return view

    def _given(self, place: str) -> tokens.Given | None:
        directory = self.guard.record.directory
        given = self.guard.record.read(lambda connection: tokens.held(connection, directory, place))
        return given if given is not None and self._is_beside(given) else None

    def _is_beside(self, given: tokens.Given) -> bool:
        """Is the policy the one that a person saw the mandate stand beside, and no other mandate there? It is known by
        where its denies are.
        """
        if any(layer.kind == "mandate" for layer in self.guard.authority.layers):
            return False
        return self.guard.local is not None and given.beside == self.guard.local.place

    def _good(self, connection: sqlite3.Connection, grant: str) -> bool:
        """Wasn't it revoked? Asked in each judgement."""
        return bool(table.counting(connection, grant))

    def _mandate(self, given: tokens.Given, policy: Document | None) -> Document:
        return read_mandate(given.text, Path(given.file), variables=self.variables(policy))

    def _authority(self, given: tokens.Given, policy: Document | None) -> Authority:
        """What binds a session of this token, beside the policy of this moment; nothing if that can't be told."""
        if not self._is_beside(given):
            return Authority(())
        try:
            mandate = self._mandate(given, policy)
            started = self.guard.record.started(f"{mandate.digest}:{given.principal}")
        except (InputError, GuardError) as error:
            log.warning("a token's mandate can't be bound", error=type(error).__name__)
            return Authority(())
        layers = (mandate,) if policy is None else (policy, mandate)
        return Authority(layers, started)


def variables_of(given: dict[str, str], policy: Document | None) -> dict[str, str]:
    """What a mandate beside this policy may use; `given` is what it may use without one."""
    return dict(policy.variables) if policy is not None else given
