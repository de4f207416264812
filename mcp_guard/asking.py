"""A server's request of the client (legacy era): judged, recorded, shown, and its answer carried back.

Nothing is granted by default. What is granted is judged when it is delivered, by the one judge, and charged and
recorded in the same transaction; the client's answer goes to the server once it is recorded that there is one. A server
that asks more than is granted, or too much at once, hears an error and the client hears nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mcp_guard import inspecting, log, refusal
from mcp_guard.context import Context
from mcp_guard.downstream import Downstream
from mcp_guard.eras import Era, strip_own_data, strip_own_meta
from mcp_guard.model import Call, Decision, Kind, Outcome, Reason
from mcp_guard.offers import ASKED, may_ask
from mcp_guard.patience import patiently
from mcp_guard.record.entries import Entry
from mcp_guard.record.usage import UsageView
from mcp_guard.remembering import carried_answer
from mcp_guard.scans import noted
from mcp_guard.session import InFlight
from mcp_guard.shown import as_shown, not_offered, why_not_shown
from mcp_guard.transports.front import Answer, Ask, Cancel

MAX_ASKED = 16
"""Requests of one server that one client may have before it; a person answers one at a time."""
DEADLINE = 3600.0
"""Seconds that a client may take for its answer: somebody may have to read, and to fetch a card."""


def asked(
    context: Context,
    server: Downstream,
    method: str,
    params: dict[str, Any] | None,
    answer: Answer,
    during: int | None,
) -> Cancel:
    """A server asks the client for something. The answer comes once; what is returned takes the question back."""
    kind = ASKED.get(method)
    if (
        kind is None
        or context.session.era is not Era.LEGACY
        or not may_ask(context, server.name, kind)
        or not_offered(kind, params or {}, context.session.capabilities)
    ):
        context.unasked(server, method)
        answer(refusal.unknown_method())
        return _nothing
    asking = _Asking(context, server, method, strip_own_meta(params or {}), kind, answer)
    asking.begin(_way(context, server, during))
    return asking.cancel


def _way(context: Context, server: Downstream, during: int | None) -> Ask | None:
    """On the way of the request that it belongs to, as far as that can be told; else on the client's own."""
    there = [one for one in context.session.in_flight if one.at is not None and one.at[0] == server.name]
    exact = [one for one in there if during is not None and one.at == (server.name, during)]
    with_way = [one for one in exact or sorted(there, key=_latest_first) if one.ask is not None]
    return with_way[0].ask if with_way else context.session.ask


def _latest_first(request: InFlight) -> int:
    return -request.at[1] if request.at is not None else 0


@dataclass(slots=True, eq=False)
class _Asking:
    """One question of a server on its way."""

    context: Context
    server: Downstream
    method: str
    params: dict[str, Any]
    kind: str
    answer: Answer
    _entry: Entry | None = None
    _take_back: Cancel | None = None
    _timer: asyncio.TimerHandle | None = None
    _started: float = 0.0
    _token: str = ""
    _over: bool = False
    _held: Callable[[], None] | None = None
    _sent: dict[str, Any] = field(default_factory=dict)
    _found: str = ""  # by the scan

    def begin(self, ask: Ask | None) -> None:
        """Judge it, then show it or refuse it."""
        under_way = self.context.session.asking.setdefault(self.server.name, set())
        why = "" if ask is not None else "the client can't be asked on this connection"
        why = why or why_not_shown(self.method, self.params, several=self.context.guard.prefixed)
        if len(under_way) >= MAX_ASKED:
            return self._refused_unjudged(Reason.TOO_MANY, "more of it is under way than a client takes")
        if why or ask is None:
            return self._refused_unjudged(Reason.UNEXPECTED_MEMBER, why)
        under_way.add(self.cancel)
        then = partial(self._looked_at, ask)
        return inspecting.question(self.context, self.server.name, self.method, self.params, then)

    def _looked_at(self, ask: Ask, params: dict[str, Any] | None, rules: tuple[str, ...]) -> None:
        if self._over:  # taken back meanwhile
            return None
        if params is None:
            return self._refused_unjudged(Reason.NO_GRANT, "what its server says is held until a person releases it")
        self.params, self._found = params, noted(rules)
        self._sent = as_shown(self.method, self._with_own_token(self.params), self.server.name)
        self._held = lambda: self._begin_judging(ask)
        return self.context.session.when_listening(self._held)

    def _begin_judging(self, ask: Ask) -> None:
        if not self._over:
            patiently(lambda: self._judge(ask), lambda: self._end(refusal.refused_asking(Reason.UNRECORDED)))

    def _with_own_token(self, params: dict[str, Any]) -> dict[str, Any]:
        """Two servers may choose the same progress token: the client hears ours."""
        meta = params.get("_meta")
        if not isinstance(meta, dict) or "progressToken" not in meta:
            return params
        session, theirs = self.context.session, meta["progressToken"]
        session.last_token += 1
        self._token = f"asked-{session.last_token}"
        session.tokens[self._token] = lambda told: self.server.notify(
            "notifications/progress", {**strip_own_meta(told), "progressToken": theirs}
        )
        return {**params, "_meta": {**meta, "progressToken": self._token}}

    def _call(self) -> Call:
        session = self.context.session
        return Call(session.principal, self.method, self.server.name, self.kind, self._sent, Kind.SERVER_REQUEST)

    def _judge(self, ask: Ask) -> None:
        call, guard, session = self._call(), self.context.guard, self.context.session

        def judged(view: UsageView) -> Decision:
            return self.context.judged(call, view)

        entry = guard.record.step(guard.describe(call, session.key, session.client, {}), judged)
        guard.latest = entry.time
        if not entry.decision.allowed:
            return self._end(refusal.refused_asking(entry.decision.reason or Reason.INTERNAL))
        self._entry = entry
        if self._over or session.closed:  # taken back while the record was busy
            return self._settle(Outcome.NOT_SENT, None, "nobody waited any more", refund=True)
        self._started = asyncio.get_running_loop().time()
        self._timer = asyncio.get_running_loop().call_later(DEADLINE, self._timed_out)
        return self._show(ask)

    def _show(self, ask: Ask) -> None:
        self.context.session.note_elicitation(self.server.name, self.params.get("elicitationId"))
        try:
            take_back = ask(self.method, self._sent or None, self._answered)
        except Exception as error:
            log.warning("the client could not be asked", error=type(error).__name__)
            return self._settle(Outcome.UNKNOWN, refusal.refused_asking(Reason.INTERNAL), type(error).__name__)
        if not self._over:
            self._take_back = take_back
        return None

    def _answered(self, reply: dict[str, Any]) -> None:
        if self._over:
            return None
        if self.context.is_held(self._call()):  # by now: what was stopped hears nothing more of the client
            return self._settle(Outcome.WITHHELD, refusal.refused_asking(Reason.STOPPED), "stopped before the answer")
        # Law 7: a file that a server asks for by a question is no less named than one in a call's arguments. Roots say
        # what a client works on; what lies below them is judged where a call names it.
        if self.kind != "roots" and self.context.guard.protection.named_by(reply):
            refused = refusal.refused_asking(Reason.PROTECTED)
            return self._settle(Outcome.WITHHELD, refused, "the answer names what is the guard's own")
        if "error" in reply:
            return self._settle(Outcome.ERROR, {"error": strip_own_data(reply["error"])}, "")
        return self._settle(Outcome.OK, {"result": strip_own_meta(reply["result"])}, "")

    def cancel(self, reason: str | None = None) -> None:
        """The server takes it back, or one of the two is gone: the client is told, and nobody gets an answer."""
        if self._over:
            return
        take_back, self._take_back = self._take_back, None
        if self._entry is None:  # not judged yet: `_judge` finds that it is over
            self._close()
            return
        self._settle(Outcome.CANCELLED, None, "taken back")
        if take_back is not None:
            take_back(reason)

    def _timed_out(self) -> None:
        take_back, self._take_back = self._take_back, None
        self._settle(Outcome.UNKNOWN, refusal.refused_asking(Reason.UNAVAILABLE), "the client gave no answer in time")
        if take_back is not None:
            take_back("timed out")

    def _settle(self, outcome: Outcome, answer: dict[str, Any] | None, note: str, *, refund: bool = False) -> None:
        """Record what became of it; only then the server hears of it."""
        if self._entry is None:
            return
        entry, duration = self._entry, (asyncio.get_running_loop().time() - self._started) * 1000
        self._close()
        record = self.context.guard.record
        milliseconds = duration if self._started else 0.0
        note = "; ".join(filter(None, (note, self._found)))
        carried = carried_answer(self.context, answer) if outcome is Outcome.OK and answer is not None else None

        def step() -> None:
            kept = record.finish(entry, outcome, duration_ms=milliseconds, refund=refund, note=note, seen=carried)
            if answer is not None:
                self.answer(answer if kept else refusal.refused_asking(Reason.UNRECORDED))

        def failed() -> None:
            if answer is not None:
                self.answer(refusal.refused_asking(Reason.UNRECORDED))

        patiently(step, failed)

    def _refused_unjudged(self, reason: Reason, why: str) -> None:
        session = self.context.session
        if session.counts_now(self.server.name, f"{self.method} {reason.value}"):
            self.context.refused(self.method, self.server.name, self.kind, Kind.SERVER_REQUEST, reason, why)
        self._end(refusal.refused_asking(reason))

    def _end(self, answer: dict[str, Any]) -> None:
        if not self._over:
            self._close()
            self.answer(answer)

    def _close(self) -> None:
        self._over = True
        session = self.context.session
        session.asking.get(self.server.name, set()).discard(self.cancel)
        session.tokens.pop(self._token, None)
        if self._held in session.held:  # a server could ask and take back without end before the client is ready
            session.held.remove(self._held)
        if self._timer is not None:
            self._timer.cancel()


def progressed(context: Context, params: dict[str, Any]) -> None:
    """The client tells how far it is with what a server asked."""
    token = params.get("progressToken")
    tell: Callable[[dict[str, Any]], None] | None = context.session.tokens.get(token) if type(token) is str else None
    if tell is not None and not context.guard.protection.named_by(params):
        tell(params)


def roots_changed(context: Context, params: dict[str, Any] | None) -> None:
    """The client's roots are others now: told to each server that may ask for them."""
    for server in context.session.servers:
        if server.era is Era.LEGACY and may_ask(context, server.name, "roots"):
            server.notify("notifications/roots/list_changed", None if params is None else strip_own_meta(params))


def elicited(context: Context, server: Downstream, params: dict[str, Any]) -> None:
    """A server says that what it asked for by a URL is done: passed on for what was shown, once."""
    shown = (server.name, str(params.get("elicitationId")))
    if shown in context.session.shown_elicitations and may_ask(context, server.name, "elicitation"):
        context.session.shown_elicitations.discard(shown)
        context.session.notify("notifications/elicitation/complete", strip_own_meta(params))
    else:
        context.unasked(server, "notifications/elicitation/complete")


def _nothing(_: str | None = None) -> None:
    """It is answered already."""
