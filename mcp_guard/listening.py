"""`subscriptions/listen` (modern era): one stream to the client, fed by a stream from each server it concerns.

The client's stream carries the client's own id; each server's carries the one that its link minted, and what comes
under another is dropped. What a client asks for is judged like reading it, once when it asks and again at each
delivery: a resource whose grant is over leaves the stream, and a stream that carries nothing ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mcp_guard import log, offers, refusal, subscriptions, task_notices
from mcp_guard.answers import plain_error
from mcp_guard.context import Context, guarded
from mcp_guard.deliveries import ACKNOWLEDGED, FLAGS, TASK, UPDATED, Deliveries
from mcp_guard.downstream import Downstream, Sent
from mcp_guard.eras import SUBSCRIPTION_KEY, Era, strip_own_meta
from mcp_guard.errors import ServerGone
from mcp_guard.model import Call, Decision, Effect, Kind, Outcome, Reason
from mcp_guard.patience import patiently
from mcp_guard.record.usage import UsageView
from mcp_guard.session import InFlight
from mcp_guard.subscriptions import MAX_SUBSCRIPTIONS, covered, readable

ACK_DEADLINE = 3.0
"""Seconds after which the client is told what it gets, without the servers that haven't said what they tell."""
MAX_STREAMS = 32
"""Streams of one client."""
MAX_TASKS = 100
"""Tasks that one stream may tell of."""
_KINDS = {"promptsListChanged": Kind.PROMPT, "resourcesListChanged": Kind.RESOURCE}

Owner = Callable[[str], "Downstream | None"]
"""The one server whose resource this is, if reading it is granted at all."""


def listen(context: Context, request: InFlight, params: dict[str, Any], owner: Owner) -> None:
    """Open a stream. It is answered when it ends."""
    wanted = params.get("notifications")
    if not isinstance(wanted, dict) or params.keys() - {"notifications", "_meta"}:
        return request.finish(refusal.invalid_params("`notifications` must be an object, and the only member"))
    if context.guard.protection.named_by(params.get("_meta")):  # it goes to the servers; the URIs are judged below
        answer = refusal.refused_request(Decision(Effect.DENY, Reason.PROTECTED), None)
        why = "what stands beside the notifications"
        return context.refused(
            "subscriptions/listen", "", "", Kind.RESOURCE, Reason.PROTECTED, why, then=lambda: request.finish(answer)
        )
    uris = wanted.get("resourceSubscriptions", [])
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris) or len(uris) > MAX_SUBSCRIPTIONS:
        return request.finish(refusal.invalid_params("`resourceSubscriptions` must be a list of URIs, not too long"))
    handles = wanted.get("taskIds", [])
    if not isinstance(handles, list) or not all(isinstance(one, str) for one in handles) or len(handles) > MAX_TASKS:
        return request.finish(refusal.invalid_params("`taskIds` must be a list of tasks, not too long"))
    if len(context.session.streams) >= MAX_STREAMS:
        return request.finish(refusal.invalid_request("too many streams are open"))
    flags = {
        name
        for name in FLAGS
        if wanted.get(name) is True and (name not in _KINDS or context.guard.grants(_KINDS[name]))
    }
    stream = Stream(context, request, params, flags)
    context.session.streams.add(stream)
    request.sent(lambda _: stream.close())
    return _Judging(stream, owner, list(dict.fromkeys(uris)), list(dict.fromkeys(handles))).next()


@dataclass(slots=True, eq=False)
class _Judging:
    """The resources that a client wants to be told of, judged and recorded one after the other."""

    stream: Stream
    owner: Owner
    left: list[str]
    tasks: list[str]

    def next(self) -> None:
        """Judge the next one; after the last, open the stream. Never from within itself: there may be hundreds."""
        if not self.stream.request.waiting:  # the client gave it up meanwhile
            return None
        if self.tasks:
            return self._next_task(self.tasks.pop(0))
        if not self.left:
            return guarded(self.stream.request, self.stream.begin)
        uri = self.left.pop(0)
        server = self.owner(uri)
        if server is None:  # hidden or not there: left out of the acknowledgement, which says no more
            context = self.stream.context
            reason, why = Reason.UNKNOWN_TARGET, "nothing grants it, or no server has it"
            return context.refused("subscriptions/listen", "", uri, Kind.RESOURCE, reason, why, then=self._go_on)
        return patiently(partial(self._judge, server, uri), self._go_on)

    def _go_on(self) -> None:
        asyncio.get_running_loop().call_soon(self.next)

    def _next_task(self, handle: str) -> None:
        context = self.stream.context
        heard = task_notices.found(context, handle)
        if heard is None:  # somebody else's, or over: left out of the acknowledgement, which says no more
            why = "no task of this client"
            return context.refused(
                "subscriptions/listen", "", "", Kind.EXTENSION, Reason.UNKNOWN_HANDLE, why, then=self._go_on
            )

        def take() -> None:
            self.stream.tasks.setdefault(heard.server.name, {})[heard.own] = heard

        def give_up() -> None:
            self.stream.tasks.get(heard.server.name, {}).pop(heard.own, None)

        call = task_notices.call(context, heard)
        return patiently(partial(self._judged, call, take, give_up), self._go_on)

    def _judge(self, server: Downstream, uri: str) -> None:
        params = {"notifications": {"resourceSubscriptions": [uri]}}
        principal = self.stream.context.session.principal
        call = Call(principal, "subscriptions/listen", server.name, uri, params, Kind.RESOURCE)
        taken = self.stream.uris.setdefault(server.name, [])
        return self._judged(call, partial(taken.append, uri), partial(self.stream.forget, server.name, uri))

    def _judged(self, call: Call, take: Callable[[], None], give_up: Callable[[], None]) -> None:
        guard, session = self.stream.context.guard, self.stream.context.session

        def judged(view: UsageView) -> Decision:
            return self.stream.context.judged(call, view)

        entry = guard.record.step(guard.describe(call, session.key, session.client, {}), judged)
        guard.latest = entry.time
        if entry.decision.allowed:
            take()
            patiently(
                lambda: guard.record.finish(entry, Outcome.OK, duration_ms=0.0, note="a stream is opened"), give_up
            )
        return self._go_on()


@dataclass(slots=True, eq=False)
class Stream:
    """One client's stream."""

    context: Context
    request: InFlight
    params: dict[str, Any]
    flags: set[str]
    uris: dict[str, list[str]] = field(default_factory=dict)  # by server: what is judged, and what it took
    tasks: dict[str, dict[str, task_notices.Heard]] = field(default_factory=dict)  # by server and its own name for it
    sources: dict[str, Sent] = field(default_factory=dict)  # by server: its own stream
    waiting: set[str] = field(default_factory=set)  # servers that haven't acknowledged
    honoured: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    deliveries: Deliveries = field(init=False)
    _timer: asyncio.TimerHandle | None = None
    _over: bool = False

    def __post_init__(self) -> None:
        self.deliveries = Deliveries(self._tell)

    def begin(self) -> None:
        """Ask each server that it concerns, then say what the client gets."""
        servers = [server for server in self.context.session.servers if self._wanted(server.name)]
        self.waiting = {server.name for server in servers}
        self._timer = asyncio.get_running_loop().call_later(ACK_DEADLINE, self._acknowledge)
        for server in servers:
            self._ask(server)
        if not servers:
            self._acknowledge()

    def _wanted(self, server: str) -> dict[str, Any]:
        wanted: dict[str, Any] = dict.fromkeys(sorted(self.flags), True)
        if self.uris.get(server):
            wanted["resourceSubscriptions"] = self.uris[server]
        if self.tasks.get(server):
            wanted["taskIds"] = list(self.tasks[server])
        return wanted

    def _ask(self, server: Downstream) -> None:
        asked = offers.modern(self.context, server.name, {**self.params, "notifications": self._wanted(server.name)})
        try:
            self.sources[server.name] = server.request(
                "subscriptions/listen", asked, partial(self._source_ended, server)
            )
        except ServerGone:
            self._acknowledged(server.name, {})

    def heard(self, server: Downstream, method: str, params: dict[str, Any]) -> None:
        """A server says something on the stream that it was asked for."""
        if method == ACKNOWLEDGED:
            told = params.get("notifications")
            return self._acknowledged(server.name, told if isinstance(told, dict) else {})
        if method == TASK and params.get("taskId") in self.tasks.get(server.name, ()):
            return self.deliveries.put(method, server.name, params)
        uri = params.get("uri")
        flag = next((name for name, told in FLAGS.items() if told == method), None)
        if flag in self.flags or (
            method == UPDATED
            and isinstance(uri, str)
            and any(covered(one, uri) for one in self.uris.get(server.name, ()))
        ):
            return self.deliveries.put(method, server.name, params)
        return self.context.unasked(server, method)

    def _acknowledged(self, server: str, told: Mapping[str, Any]) -> None:
        self.honoured[server] = told
        self.waiting.discard(server)
        if not self.waiting:
            self._acknowledge()

    def _acknowledge(self) -> None:
        """Tell the client what it gets: of what it asked for, what is granted and what some server tells."""
        timer, self._timer = self._timer, None
        if timer is None or self._over:
            return
        timer.cancel()
        honoured: dict[str, Any] = {
            name: True
            for name in FLAGS
            if name in self.flags
            and (name == "toolsListChanged" or any(told.get(name) is True for told in self.honoured.values()))
        }
        taken = []
        for server, uris in self.uris.items():
            told = self.honoured.get(server, {}).get("resourceSubscriptions")
            self.uris[server] = [uri for uri in uris if isinstance(told, list) and uri in told]
            taken += self.uris[server]
        if "resourceSubscriptions" in self.params["notifications"]:
            honoured["resourceSubscriptions"] = taken
        if "taskIds" in self.params["notifications"]:
            honoured["taskIds"] = [heard.handle for server in self.tasks for heard in self._told_tasks(server)]
        self.request.notify(ACKNOWLEDGED, {"notifications": honoured, "_meta": self._meta()})
        self.deliveries.open()

    def _told_tasks(self, server: str) -> list[task_notices.Heard]:
        """Those of which the server says that it tells; the others are forgotten."""
        told = self.honoured.get(server, {}).get("taskIds")
        known = self.tasks[server]
        self.tasks[server] = {own: heard for own, heard in known.items() if isinstance(told, list) and own in told}
        return list(self.tasks[server].values())

    def _meta(self, given: Any = None) -> dict[str, Any]:
        """Under the client's own id, whatever the server's stream is called."""
        return {**(given if isinstance(given, dict) else {}), SUBSCRIPTION_KEY: self.request.id}

    def changed(self, method: str) -> None:
        """The guard itself has something to tell."""
        if any(FLAGS[name] == method for name in self.flags):
            self.deliveries.put(method, "", None)

    def _tell(self, method: str, server: str, params: dict[str, Any] | None) -> None:
        """Judged now: what was granted when it was asked for may be over."""
        if self.context.guard.expired():
            return self.end()
        if not subscriptions.deliverable(self.context, method):
            return None
        params = strip_own_meta(params or {})
        if method == TASK:
            return self._tell_task(server, params)
        if method == UPDATED:
            uri = str(params.get("uri"))
            for one in [one for one in self.uris.get(server, ()) if covered(one, uri)]:
                if not readable(self.context, server, one):
                    self.forget(server, one)
                    subscriptions.refused(self.context, server, one)
            if not any(covered(one, uri) for one in self.uris.get(server, ())):
                return None if self._carries_something() else self.end()
            if not readable(self.context, server, uri):
                return subscriptions.refused(self.context, server, uri)
        return self.request.notify(method, {**params, "_meta": self._meta(params.get("_meta"))})

    def _tell_task(self, server: str, params: dict[str, Any]) -> None:
        heard = self.tasks.get(server, {}).get(str(params.get("taskId")))
        if heard is None:
            return None
        if not heard.granted(self.context):
            del self.tasks[server][heard.own]
            return None if self._carries_something() else self.end()
        shown = task_notices.shown(heard, params)
        if shown is None:
            return None
        return self.request.notify(TASK, {**shown, "_meta": self._meta(shown.get("_meta"))})

    def judge_again(self) -> None:
        """What is granted has changed: what it may no longer tell of is forgotten; with nothing left, it ends."""
        before = self._carries_something()
        for server, uris in list(self.uris.items()):
            for uri in [one for one in uris if not readable(self.context, server, one)]:
                self.forget(server, uri)
                subscriptions.refused(self.context, server, uri)
        for server, known in list(self.tasks.items()):
            self.tasks[server] = {own: heard for own, heard in known.items() if heard.granted(self.context)}
        if self.context.guard.expired() or (before and not self._carries_something()):
            self.end()

    def forget(self, server: str, uri: str) -> None:
        """It isn't told of this resource any more."""
        self.uris[server] = [one for one in self.uris.get(server, ()) if one != uri]

    def _carries_something(self) -> bool:
        return bool(self.flags) or any(self.uris.values()) or any(self.tasks.values())

    def _source_ended(self, server: Downstream, reply: dict[str, Any]) -> None:
        """A server ended its stream, refused it, or is gone. One that comes back is asked again (`anew`)."""
        self.sources.pop(server.name, None)
        if "error" in reply and self._timer is not None and not self.context.guard.prefixed:
            self.close()  # the one server's own word
            return self.request.finish({"error": plain_error(reply["error"])})
        if server.name in self.waiting:
            self._acknowledged(server.name, {})
        return self.end() if "result" in reply and not self.sources else None

    def anew(self, server: Downstream) -> None:
        """A server was started again: it is asked for what is still granted, and may have changed meanwhile."""
        if self._over or server.name in self.sources or not self._wanted(server.name):
            return
        for uri in list(self.uris.get(server.name, ())):
            if not readable(self.context, server.name, uri):
                self.forget(server.name, uri)
        self._ask(server)

    def end(self) -> None:
        """The client is told that nothing more comes."""
        if not self._over:
            self.close()
            self.request.finish({"result": {"resultType": "complete", "_meta": self._meta()}})

    def close(self) -> None:
        """Nobody listens any more."""
        self._over = True
        self.context.session.streams.discard(self)
        self.deliveries.close()
        if self._timer is not None:
            self._timer.cancel()
        sources, self.sources = self.sources, {}
        for source in sources.values():
            try:
                source("nobody listens any more")
            except Exception as error:
                log.warning("a stream could not be ended", error=type(error).__name__)


def on_stream(context: Context, server: Downstream, method: str, params: dict[str, Any] | None) -> bool:
    """Hand what carries a subscription's id to the stream that it names; False if there is no id in it."""
    meta = (params or {}).get("_meta")
    if params is None or server.era is not Era.MODERN or not isinstance(meta, dict) or SUBSCRIPTION_KEY not in meta:
        return False
    named = meta[SUBSCRIPTION_KEY]
    for stream in list(context.session.streams):
        source = stream.sources.get(server.name)
        if source is not None and type(named) in (int, str) and str(named) == str(source.id):
            stream.heard(server, method, params)
            return True
    context.unasked(server, method)
    return True
