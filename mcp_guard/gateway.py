"""The policy enforcement point: one client's messages, each from start to end. Read this first.

It has no opinions: `Guard.judge` decides, the record keeps, a downstream server executes. Here a message finds its
handler; `passage.py` carries what is judged. Everything is a callback,
since a task per message would cost more than the judgement; what waits (a server that is starting, a busy record) waits
in a timer. Nothing may be raised out of here: before a byte was sent an error ends in a refusal, afterwards in an
unknown or withheld outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mcp_guard import (
    asking,
    exposure,
    extensions,
    inspecting,
    knowing,
    lifecycle,
    listening,
    listing,
    log,
    offers,
    reading,
    rebinding,
    refusal,
    rounds,
    sighting,
    subscriptions,
    tasks,
)
from mcp_guard.approvals import in_band
from mcp_guard.catalog import Tool
from mcp_guard.context import Context, guarded
from mcp_guard.deliveries import PROMPTS, RESOURCES, TOOLS, UPDATED, Deliveries
from mcp_guard.downstream import Downstream
from mcp_guard.eras import (
    CLIENT_CAPABILITIES_KEY,
    LOG_LEVEL_KEY,
    MODERN_REVISIONS,
    UNSUPPORTED_REVISION,
    Era,
    envelope,
    revision_of,
    strip_own_meta,
)
from mcp_guard.errors import ServerGone
from mcp_guard.guard import LACKS_MANDATE, Guard
from mcp_guard.model import Call, Decision, Effect, Kind, Reason
from mcp_guard.passage import Passage
from mcp_guard.record.entries import EntryKind
from mcp_guard.session import MAX_IN_FLIGHT, InFlight, Session
from mcp_guard.transports.front import TRACE, Answer, Ask, Cancel, Notify

CALL_MEMBERS = frozenset({"name", "arguments", "_meta"})
_COMPLETE_MEMBERS = frozenset({"ref", "argument", "context", "_meta"})
_LIST_MEMBERS = frozenset({"cursor", "_meta"})
_LEVEL_MEMBERS = frozenset({"level", "_meta"})
_MESSAGE = "notifications/message"
_LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")


class Gateway:
    """One conversation with a client. Implements `transports.front.Conversation`."""

    def __init__(self, guard: Guard, session: Session) -> None:
        self.guard = guard
        self.session = session
        self.context = Context(guard, session)
        session.alike = guard.scans.alike
        self.context.deliveries = Deliveries(partial(subscriptions.tell, self.context))
        self.context.deliveries.open()
        self._malformed = 0
        self._rebound = partial(rebinding.rebound, self.context)
        guard.rebound.add(self._rebound)
        session.servers.extend(
            Downstream(spec, self, child=guard.children.pop(spec.name, None), shared=session.shared)
            for spec in guard.specs
        )

    # What the front calls.

    def request(
        self,
        method: str,
        params: dict[str, Any] | None,
        *,
        id: int | str,
        answer: Answer,
        notify: Notify,
        ask: Ask | None = None,
    ) -> InFlight:
        """Take one request; it is answered exactly once, unless it is cancelled."""
        request = self.session.begin(id, answer, notify, ask)
        request.trace = TRACE.get()
        said = strip_own_meta(params) if params is not None else {}
        guarded(request, partial(self._route, request, method, said))
        return request

    def notification(self, method: str, params: dict[str, Any] | None) -> None:
        """Take one notification. None of those that a client makes is relayed as it is."""
        if method == "notifications/initialized":
            self.session.listens()
        elif method == "notifications/progress":
            asking.progressed(self.context, params or {})
        elif method == "notifications/roots/list_changed":
            asking.roots_changed(self.context, params)
        elif not extensions.notified(self.context, method, params):
            self.refused(f"a notification that the guard doesn't know: {method[:64]}", Reason.UNKNOWN_METHOD)

    def refused(self, why: str, reason: Reason = Reason.MALFORMED) -> None:
        """Bytes that never became a request. A flood of them is counted, not written out."""
        self._malformed += 1
        if self._malformed <= 100 or self._malformed & (self._malformed - 1) == 0:
            self.context.refused("(none)", "", "", Kind.TOOL, reason, why)

    def pause(self, paused: bool) -> None:
        """The client takes nothing more at the moment, or does again."""
        for server in self.session.servers:
            server.pause(paused)

    def close(self) -> None:
        """The client is gone."""
        self.guard.rebound.discard(self._rebound)
        if self.context.deliveries is not None:
            self.context.deliveries.close()
        self.session.close()

    # What the servers' lives call (downstream.Events).

    def server_notified(self, server: Downstream, method: str, params: dict[str, Any] | None) -> None:
        """Pass on what a client may be told unasked."""
        if method == TOOLS:
            self.server_stale(server)
        elif method in (PROMPTS, RESOURCES):
            sighting.forget_others(self.context, server)
        if self.context.unlocked(server.name):  # not what a person looked at: nobody hears it
            return self.context.unasked(server, method)
        may, params = inspecting.told(self.context, server.name, method, params)
        if not may:
            return None
        if exposure.has_words(method, params):
            why, go_on = "a notice", partial(self._pass_on, server, method, params)
            return exposure.heard(self.context, server.name, why, go_on)
        return self._pass_on(server, method, params)

    def _pass_on(self, server: Downstream, method: str, params: dict[str, Any] | None) -> None:
        if listening.on_stream(self.context, server, method, params):
            return
        told = None if params is None else strip_own_meta(params)
        if method == _MESSAGE:
            self._logged(server, told)
        elif method in (TOOLS, PROMPTS, RESOURCES) and server.era is Era.LEGACY:
            self.context.tell(method, server.name, None if method == TOOLS else told)
        elif method == UPDATED and server.era is Era.LEGACY:
            subscriptions.updated(self.context, server, params or {})
        elif method == "notifications/elicitation/complete":
            asking.elicited(self.context, server, params or {})
        elif not extensions.told(self.context, server, method, params):
            self.context.unasked(server, method)

    def server_stale(self, server: Downstream) -> None:
        """Its tools are others now."""
        listing.changed(self.context, server)

    def _logged(self, server: Downstream, params: dict[str, Any] | None) -> None:
        """A log message. In the modern era it belongs to a request that wants it, as far as that can be told."""
        if self.session.era is Era.LEGACY:
            tell = self.session.notify
            return exposure.heard(self.context, server.name, "a log message", lambda: tell(_MESSAGE, params))
        there = [one for one in self.session.in_flight if one.logs and one.at is not None and one.at[0] == server.name]
        if len(there) == 1 or (there and not self.session.shared):  # several on one pipe get it all the same
            one = there[0]
            return exposure.heard(self.context, server.name, "a log message", lambda: one.notify(_MESSAGE, params))
        return None

    def server_asked(
        self, server: Downstream, method: str, params: dict[str, Any] | None, answer: Answer, during: int | None
    ) -> Cancel:
        """A server asks the client for something."""
        return asking.asked(self.context, server, method, params, answer, during)

    def server_odd(self, server: Downstream, why: str) -> None:
        """A line that is no message. Told to the person, at most a few times: a server can send millions."""
        server.odd += 1
        if server.odd & (server.odd - 1) == 0:
            log.warning("a tool server sent what is no message", server=server.name, why=why, count=server.odd)

    def server_changed(self, server: Downstream, event: str, why: str) -> None:
        """A server was started, became ready, ended, or is ill or well again."""
        kinds = {
            "started": EntryKind.SERVER_STARTED,
            "ended": EntryKind.SERVER_EXITED,
            "ill": EntryKind.SERVER_ILL,
            "well": EntryKind.SERVER_WELL,
        }
        if event in kinds:
            self.context.note(kinds[event], {"server": server.name, "why": why})
        if event == "ill":
            log.warning("a tool server is ill: calls to it are refused until it is well", server=server.name, why=why)
        if event == "ended" or (event == "refused" and server.era is Era.LEGACY):  # an old server refuses the new era
            log.warning(f"tool server {event}", server=server.name, why=why)
        if event == "started":
            sighting.forget_others(self.context, server)
        if event == "ended":
            listing.changed(self.context, server)
        if event == "ready":
            self._tell_level(server)  # one that was started again, or comes late, doesn't know it
        if event == "ready" and server.restarted:
            listing.announce(self.context)
            subscriptions.renew(self.context, server)
            for stream in list(self.session.streams):
                stream.anew(server)

    # Routing.

    def _route(self, request: InFlight, method: str, params: dict[str, Any]) -> None:
        session = self.session
        if len(session.in_flight) > MAX_IN_FLIGHT:
            return request.finish(refusal.invalid_request("too many requests are under way"))
        revision = revision_of(params)
        if revision is not None or method == "server/discover":
            return self._route_modern(request, method, params, revision)
        if method == "initialize":
            return lifecycle.initialize(self.context, request, params)
        if method == "ping":
            return request.finish({"result": {}})
        if session.era is not Era.LEGACY:
            return request.finish(refusal.invalid_request("the first request must be `initialize`"))
        self.session.listens()
        handler = _LEGACY.get(method) or _BOTH.get(method)
        return self._handle(handler, request, method, params)

    def _route_modern(self, request: InFlight, method: str, params: dict[str, Any], revision: object) -> None:
        if revision not in MODERN_REVISIONS:
            data = {"supported": list(MODERN_REVISIONS), "requested": revision if isinstance(revision, str) else ""}
            error = {"code": UNSUPPORTED_REVISION, "message": "Unsupported protocol version", "data": data}
            return request.finish({"error": error})
        if self.session.era is Era.LEGACY and self.session.settled:
            return request.finish(refusal.invalid_request("this connection began with `initialize`"))
        self.session.envelope = envelope(params)
        request.logs = LOG_LEVEL_KEY in params["_meta"]
        said = params["_meta"].get(CLIENT_CAPABILITIES_KEY)
        request.offered = said if isinstance(said, dict) else {}
        if method == "server/discover":
            return lifecycle.discover(self.context, request, params)
        handler = _MODERN.get(method) or _BOTH.get(method)
        if handler is None and not self.guard.grants(Kind.EXTENSION):
            return self._handle(None, request, method, params)
        go_on = partial(self._handle, handler, request, method, params)
        return lifecycle.ensure_modern(self.context, request, params, go_on)

    def _handle(self, handler: Handler | None, request: InFlight, method: str, params: dict[str, Any]) -> None:
        (handler or extensions.carry)(self, request, method, params)

    # One handler a method.

    def _list(self, request: InFlight, method: str, params: dict[str, Any]) -> None:
        if params.get("cursor") is not None:  # a listing of ours is one page: no cursor of ours exists
            return request.finish(refusal.invalid_params("the cursor is not known"))
        if params.keys() - _LIST_MEMBERS:
            return request.finish(refusal.invalid_params("the request has members that the method doesn't have"))
        return listing.answer(self.context, request, method)

    def _call_tool(self, request: InFlight, method: str, params: dict[str, Any]) -> None:
        name, arguments = params.get("name"), params.get("arguments", {})
        if not isinstance(name, str) or not isinstance(arguments, dict):
            return request.finish(refusal.invalid_params("`name` must be text and `arguments` an object"))
        owner = listing.owner_by_name(self.context, name)
        if owner is not None and not self.session.has_room(request, owner):
            return self._call_absent(request, method, owner, name, params, Reason.TOO_MANY)
        go_on = partial(self._call_listed, request, method, name, params)
        return listing.known_tools(self.context, name, partial(guarded, request, go_on))

    def _call_listed(self, request: InFlight, method: str, name: str, params: dict[str, Any]) -> None:
        tool = self.session.tools().get(name)
        server = self.context.server(tool.server) if tool is not None else None
        if tool is None or server is None:
            absent = listing.unlisted_owner(self.context, name)
            if absent is not None:
                return self._call_absent(request, method, absent, name, params)
            return self.not_there(request, refusal.unknown_tool(name), method, "", name, detail="no server lists it")
        if not listing.shows(self.context, tool):
            return self._hidden(request, method, tool)
        call = self.call(method, server, tool.name, {**params, "name": tool.name})
        return self.carry(Passage(self.context, request, call, server, tool, self._refused_call), CALL_MEMBERS)

    def call(
        self, method: str, server: Downstream, target: str, params: dict[str, Any], kind: Kind = Kind.TOOL
    ) -> Call:
        """The one object that is judged and sent: what the client asks, and what this server may know of the client."""
        told = offers.modern(self.context, server.name, params)
        return Call(self.session.principal, method, server.name, target, told, kind)

    def carry(self, passage: Passage, members: frozenset[str]) -> None:
        """Send a call on its way; one that answers a server's questions, as the continuation that it claims to be."""
        beside = passage.call.params.keys() - members
        if not rounds.claims_to_continue(self.context, passage.call):
            return passage.begin(beside)
        if (answered := in_band.reopened(self.context, passage.call)) is not None:
            passage.call, entry, accepts = answered
            in_band.take(self.context, entry, accepts)
            if not accepts:
                return passage.refuse(Decision(Effect.ASK, Reason.NOT_APPROVED))
            beside = passage.call.params.keys() - members
            if not rounds.claims_to_continue(self.context, passage.call):
                return passage.begin(beside)
        found = rounds.reopened(self.context, passage.call)
        if found is None:
            return passage.refuse(Decision(Effect.DENY, Reason.UNKNOWN_HANDLE))
        passage.call, passage.continues = found
        return passage.begin(beside - rounds.MEMBERS)

    def _hidden(self, request: InFlight, method: str, tool: Tool) -> None:
        """The client learns that there is no such tool; the person, why."""
        answer = refusal.unknown_tool(tool.exposed)
        if not self.guard.expired():
            return self.not_there(request, answer, method, tool.server, tool.name, detail="nothing grants it")
        why, reason = "the mandate is over: give a new one and restart", Reason.EXPIRED
        if self.guard.authority.lacks_mandate:
            why, reason = f"{LACKS_MANDATE}: restart with one", Reason.NO_MANDATE
        if not self.session.told_of_end:
            self.session.told_of_end = True
            log.warning("nothing is listed or allowed any more", why=why)
        return self.not_there(request, answer, method, tool.server, tool.name, reason=reason, detail=why)

    def _call_absent(
        self,
        request: InFlight,
        method: str,
        server: Downstream,
        name: str,
        params: dict[str, Any],
        reason: Reason = Reason.UNAVAILABLE,
    ) -> None:
        """A server that can't be asked at the moment. The same for every name, so that it says of none."""
        own = listing.own_name(self.context, server, name)
        call = self.call(method, server, own, {**params, "name": own})
        passage = Passage(self.context, request, call, server, None, self._refused_call)
        passage.refuse(Decision(Effect.DENY, reason))

    def _refused_call(self, decision: Decision, entry: str | None) -> dict[str, Any]:
        # What a schema says is known to the client, and helps it; other details are the person's.
        detail = decision.detail if decision.reason is Reason.INVALID_ARGUMENTS else ""
        return refusal.refused_call(decision, entry, self.session.era, detail)

    def _get_prompt(self, request: InFlight, method: str, params: dict[str, Any]) -> None:
        name = params.get("name")
        calls = [
            self.call(method, server, own, {**params, "name": own}, Kind.PROMPT)
            for server, own in self._prompt_owners(name)
        ]
        shown = name if isinstance(name, str) else ""
        if (owner := self.only_owner(calls)) is not None:
            absent = refusal.unknown_prompt(name)
            return self._carry_prompt(request, method, shown, owner, CALL_MEMBERS, absent)
        return self.not_there(request, refusal.unknown_prompt(name), method, "", shown, Kind.PROMPT)

    def _complete(self, request: InFlight, method: str, params: dict[str, Any]) -> None:
        """Completion shows what a prompt or a resource would take: judged as that prompt or resource is."""
        ref = params.get("ref")
        kind = ref.get("type") if isinstance(ref, dict) else None
        answer = refusal.invalid_params("nothing that is granted can be completed so")
        if isinstance(ref, dict) and kind == "ref/prompt":
            calls = [
                self.call(method, server, own, {**params, "ref": {**ref, "name": own}}, Kind.PROMPT)
                for server, own in self._prompt_owners(ref.get("name"))
            ]
            if (owner := self.only_owner(calls)) is not None:
                return self._carry_prompt(request, method, str(ref.get("name")), owner, _COMPLETE_MEMBERS, answer)
        return self.not_there(request, answer, method, "", "", Kind.PROMPT)

    def _carry_prompt(
        self,
        request: InFlight,
        method: str,
        shown: str,
        owner: tuple[Call, Downstream],
        members: frozenset[str],
        absent: dict[str, Any],
    ) -> None:
        """Carry it once it is known to be the prompt that was looked at; one that has drifted doesn't exist."""
        call, server = owner

        def known(is_pinned: bool | None) -> None:
            passage = Passage(self.context, request, call, server, None, refusal.refused_request)
            if is_pinned is None:
                return passage.refuse(Decision(Effect.DENY, Reason.UNAVAILABLE))
            if is_pinned:
                return self.carry(passage, members)
            why = "it isn't listed, or not what was locked or first seen"
            return self.not_there(request, absent, method, server.name, shown, Kind.PROMPT, detail=why)

        knowing.known_prompt(self.context, server, call.target, lambda found: guarded(request, lambda: known(found)))

    def not_there(
        self,
        request: InFlight,
        answer: dict[str, Any],
        method: str,
        server: str,
        target: str,
        kind: Kind = Kind.TOOL,
        reason: Reason = Reason.UNKNOWN_TARGET,
        detail: str = "",
    ) -> None:
        """Record that somebody asked for what isn't there or is hidden, then say that it isn't there (law 2, law 6)."""
        self.context.refused(method, server, target, kind, reason, detail, then=lambda: request.finish(answer))

    def _set_level(self, request: InFlight, method: str, params: dict[str, Any]) -> None:
        """How much servers log: no authority is exercised. Told to each server that has logging."""
        if params.get("level") not in _LEVELS or params.keys() - _LEVEL_MEMBERS:
            return request.finish(refusal.invalid_params("`level` is not one that the protocol has"))
        if self.guard.protection.named_by(params.get("_meta")):  # it goes to the servers
            answer = refusal.refused_request(Decision(Effect.DENY, Reason.PROTECTED), None)
            return self.not_there(request, answer, method, "", "", reason=Reason.PROTECTED)
        self.session.level = params
        able = [server for server in self.session.servers if "logging" in server.capabilities]
        for server in able:
            self._tell_level(server)
        return request.finish({"result": {}} if able else refusal.unknown_method())

    def _tell_level(self, server: Downstream) -> None:
        if self.session.level is None or "logging" not in server.capabilities:
            return
        try:
            server.request("logging/setLevel", self.session.level, _nobody)
        except ServerGone:
            return

    def only_owner(self, calls: list[Call]) -> tuple[Call, Downstream] | None:
        """The one call among those to several servers that the client is shown; two would depend on an order."""
        shown = [call for call in calls if listing.shows_call(self.context, call)]
        server = self.context.server(shown[0].server) if len(shown) == 1 else None
        return (shown[0], server) if server is not None else None

    def _prompt_owners(self, name: object) -> list[tuple[Downstream, str]]:
        if not isinstance(name, str):
            return []
        if not self.guard.prefixed:
            return [(self.session.servers[0], name)]
        return [
            (server, name.removeprefix(f"{server.name}__"))
            for server in self.session.servers
            if name.startswith(f"{server.name}__")
        ]


Handler = Callable[[Gateway, InFlight, str, dict[str, Any]], None]

_BOTH: dict[str, Handler] = {
    "tools/list": Gateway._list,
    "tools/call": Gateway._call_tool,
    "prompts/list": Gateway._list,
    "prompts/get": Gateway._get_prompt,
    "resources/list": Gateway._list,
    "resources/templates/list": Gateway._list,
    "resources/read": reading.read,
    "completion/complete": Gateway._complete,
}
_LEGACY: dict[str, Handler] = {
    "logging/setLevel": Gateway._set_level,
    "resources/subscribe": reading.subscribe,
    "resources/unsubscribe": reading.unsubscribe,
}
_MODERN: dict[str, Handler] = {
    "subscriptions/listen": reading.listen,
    **dict.fromkeys(tasks.METHODS, tasks.carry),
}
"""The methods that the guard knows; all others are refused (law 4)."""


def _nobody(_: dict[str, Any]) -> None:
    """An answer that nobody waits for."""
