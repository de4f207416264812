"""What handling one client's messages needs, whichever way they go: its session, the guard, the moment's facts."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mcp_guard import log, refusal
from mcp_guard.catalog import Tool, Withheld
from mcp_guard.deliveries import Deliveries
from mcp_guard.downstream import Downstream
from mcp_guard.eras import Era
from mcp_guard.guard import Guard, LiveFacts
from mcp_guard.lock.pins import PinKind
from mcp_guard.model import Approval, Call, Decision, Effect, Kind, Reason
from mcp_guard.patience import patiently
from mcp_guard.policy.matching import effect_classes
from mcp_guard.record import stops
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.usage import UsageView
from mcp_guard.session import InFlight, Session
from mcp_guard.shown_tools import ShownTools


@dataclass(frozen=True, slots=True)
class Listed:
    """What the latest listing of one kind came to. `at` is the loop's time, in seconds."""

    at: float
    withheld: tuple[Withheld, ...] = ()  # that aren't what a person looked at
    names: frozenset[str] = frozenset()  # of the others

    def hides(self, name: str) -> bool:
        return any(one.name == name for one in self.withheld)


@dataclass(slots=True)
class Context:
    """One client's session in its guard."""

    guard: Guard
    session: Session
    known: dict[str, frozenset[str]] = field(default_factory=dict)  # by server: what was there at first sight
    deliveries: Deliveries | None = None  # legacy era: what the client is told unasked
    fetching: dict[str, list[Callable[[], None]]] = field(default_factory=dict)  # by server: who waits for its tools
    listed: dict[tuple[str, PinKind], Listed] = field(default_factory=dict)  # by server: what was listed when
    resources: dict[str, Listed] = field(default_factory=dict)  # by server; asked for under a lock
    instructed: dict[str, object] = field(default_factory=dict)  # by server: instructions that may be passed on
    shown: ShownTools = field(default_factory=ShownTools)

    def server(self, name: str) -> Downstream | None:
        """The session's server of this name."""
        for server in self.session.servers:
            if server.spec.name == name:
                return server
        return None

    def unlocked(self, server: str) -> bool:
        """Is there a lock, and this server not in it as it is started now? Then nothing of it is used or heard."""
        guard = self.guard
        return guard.lock is not None and (server in guard.unlike or server not in guard.lock.servers)

    def facts(self, server: str, view: UsageView | None = None) -> LiveFacts:
        """What is known now of calls to `server`; with `view`, inside the transaction that it belongs to."""
        if view is not None and server in view.facts:  # within one transaction nothing becomes known, or another
            kept: LiveFacts = view.facts[server]
            return kept
        now = view.now if view is not None else self.guard.now()
        found = self.server(server)
        base = found.spec.cwd if found is not None else None
        key, lock = self.guard.record.key, self.guard.lock
        sources = partial(self.guard.origins, view=view)
        facts = LiveFacts(now, view, self.known, self.session.by_server(), self.guard.roots, base, key, sources, lock)
        if view is not None:
            view.facts[server] = facts
        return facts

    def note(self, kind: EntryKind, data: Mapping[str, Any]) -> None:
        """An entry that isn't a call. If it can't be written, calls can't either, and say so themselves."""
        patiently(lambda: self.guard.record.note(kind, data), lambda: None)

    def refused(
        self,
        method: str,
        server: str,
        target: str,
        kind: Kind,
        reason: Reason,
        detail: str,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        """Record a refusal of what never became a judged call, and go on when it is committed, or can't be."""
        call = Call(self.session.principal, method, server, target, {}, kind)
        described = self.guard.describe(call, self.session.key, self.session.client, {})
        decision = Decision(Effect.DENY, reason, detail=detail)

        def step() -> None:
            self.guard.record.refuse(described, decision)
            if self.guard.watch is not None:
                self.guard.watch.refused(self, method, reason)
            then()

        patiently(step, then)

    def judged(
        self, call: Call, view: UsageView | None, tool: Tool | None = None, approvals: Collection[Approval] = ()
    ) -> Decision:
        """The one judgement, inside its transaction; without one (`view` None), nothing counts as used.

        An error while judging denies: unclear means no (law 4).
        """
        try:
            if view is not None and (stop := self._stopped(call, view)) is not None:
                return stop
            if view is not None:
                self.guard.renew(view.connection, view.epoch)
            return self.guard.judge(call, tool, self.facts(call.server, view), approvals)
        except Exception as error:  # its text may carry a value, so it isn't shown
            log.warning("a call could not be judged", error=type(error).__name__)
            return Decision(Effect.DENY, Reason.INTERNAL, detail=type(error).__name__)

    def scopes(self, call: Call) -> tuple[str, ...]:
        """Every scope of a stop that a call is in. What nobody described has every effect."""
        classes = effect_classes(self.guard.authority.tools, call, self.facts(call.server))
        return stops.scopes(self.session.key, call.server, classes)

    def _stopped(self, call: Call, view: UsageView) -> Decision | None:
        """Did a person stop one of its scopes? Read in the transaction that judges, so it binds at once."""
        stopped = self.guard.stops.at(view)
        if not stopped:
            return None
        why = next((f"{scope}: {stopped[scope]}" for scope in self.scopes(call) if scope in stopped), None)
        return None if why is None else Decision(Effect.DENY, Reason.STOPPED, detail=f"stopped, {why}")

    def is_held(self, call: Call) -> bool:
        """Is it stopped at this moment, or can't that be told? For what goes out without a judgement of its own; what
        was taken away just now is known afterwards.
        """

        def look(connection: sqlite3.Connection) -> dict[str, str]:
            self.guard.renew(connection)
            return stops.stopped(connection)

        try:
            stopped = self.guard.record.read(look)
            return bool(stopped) and any(scope in stopped for scope in self.scopes(call))
        except Exception as error:
            log.warning("the record could not be asked for stops", error=type(error).__name__)
            return True

    def tell(self, method: str, server: str, params: dict[str, Any] | None) -> None:
        """Tell the client of a change, in a moment; in the modern era only on the streams that it opened for it."""
        if self.session.closed or self.session.era is None:
            return
        if self.session.era is Era.LEGACY and self.deliveries is not None:
            self.deliveries.put(method, server, params)
        for stream in list(self.session.streams):
            stream.changed(method)

    def unasked(self, server: Downstream, method: str) -> None:
        """A server asked the client for something, or told it something, that nothing grants."""
        if self.session.counts_now(server.name, method[:64]):
            why = "a server's own request or notification, which nothing grants"
            self.refused(method[:64], server.name, "", Kind.TOOL, Reason.UNKNOWN_METHOD, why)


def guarded(request: InFlight, step: Callable[[], None]) -> None:
    """Take a step of a request before anything of it is sent: whatever goes wrong in it, the client gets an answer.

    A step may come from a timer or from a server's answer, where nobody catches what it raises.
    """
    try:
        step()
    except Exception as error:
        log.warning("a request failed in the guard", error=type(error).__name__)
        request.finish(refusal.internal_error())
