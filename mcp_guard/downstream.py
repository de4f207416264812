"""One downstream tool server in one conversation: started, opened in an era, restarted when it dies.

Turns lives of a process (`StdioLink`) or of a session (`HttpLink`) into one server that is ready, opening or down.
Knows no policy and no client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any, Protocol

from mcp_guard.catalog import Listing, Withheld
from mcp_guard.deadlines import Deadlines
from mcp_guard.eras import LEGACY_REVISIONS, Era
from mcp_guard.errors import GuardError, ServerGone
from mcp_guard.health import STEADY, Health
from mcp_guard.once import Once, OnceAnswer
from mcp_guard.server_spec import ServerSpec
from mcp_guard.translation.interface import Translation
from mcp_guard.translation.way import begin
from mcp_guard.transports.front import Answer, Cancel
from mcp_guard.transports.link import Link, Progress
from mcp_guard.transports.spawn import Child, spawn
from mcp_guard.transports.stdio_link import StdioLink, collect
from mcp_guard.wire import METHOD_NOT_FOUND

FIRST_BACK_OFF = 0.25
LAST_BACK_OFF = 30.0
OPENING_DEADLINE = 30.0
"""Seconds a call waits for a server that is starting before it is told that the server isn't there."""
MAX_PARKED = 256
NOT_OPENED = -32010
"""The code of the error for a server that can't be opened: in the implementation's range, not one of the SDK's."""


class State(Enum):
    """Where a server is."""

    IDLE = "idle"  # running or not, not opened: no client has spoken yet
    OPENING = "opening"
    READY = "ready"
    DOWN = "down"  # ended; a restart is due
    CLOSED = "closed"


class Events(Protocol):
    """What the conversation is told of its servers."""

    def server_notified(self, server: Downstream, method: str, params: dict[str, Any] | None) -> None:
        """A notification that belongs to no request."""

    def server_stale(self, server: Downstream) -> None:
        """What it offers is no longer what it said."""

    def server_asked(
        self, server: Downstream, method: str, params: dict[str, Any] | None, answer: Answer, during: int | None
    ) -> Cancel:
        """The server made a request of the client; `during` is the `Sent.id` that it belongs to, where that is known.
        What this returns is called when the server takes it back or ends.
        """

    def server_odd(self, server: Downstream, why: str) -> None:
        """The server sent something that is no message."""

    def server_changed(self, server: Downstream, event: str, why: str) -> None:
        """`started`, `ready`, `ended`, `refused` (it could not be opened), `ill` or `well`, for record and log."""


@dataclass(slots=True)
class _Opening:
    """How the server was last opened; a restart opens it the same way."""

    era: Era
    method: str
    params: dict[str, Any]
    translate: bool  # may it speak the other era, if it doesn't speak this one?


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that went to a server. `id` is the one that it has there; calling it cancels it."""

    id: int
    _link: Link | Translation

    def __call__(self, reason: str | None = None) -> None:
        self._link.cancel(self.id, reason)


@dataclass(slots=True, eq=False)
class Downstream:
    """One server's life over several processes."""

    spec: ServerSpec
    events: Events
    child: Child | None = None  # started before the imports, by `wrap`
    on_pressure: Callable[[bool], None] | None = None
    shared: bool = False  # by several clients
    state: State = State.IDLE
    listing: Listing | None = None  # what it offers, as last listed; None: not known or no longer true
    withheld: tuple[Withheld, ...] = ()
    hello: dict[str, Any] = field(default_factory=dict)  # its answer to `initialize` or `server/discover`
    unlistable: bool = False  # what it offers is too much to be listed, as far as is known
    odd: int = 0  # lines that were no message
    restarted: bool = False
    health: Health = field(init=False)
    deadlines: Deadlines = field(init=False)  # of the calls that are at it
    _link: Link | None = None
    _translation: Translation | None = None  # between the client's era and the server's, if they differ
    _opening: _Opening | None = None
    _parked: list[Once] = field(default_factory=list)
    _since: float = 0.0
    _timer: asyncio.TimerHandle | None = None
    _unopened: bool = False  # it answered the modern era's question with an error, and nothing has been asked since
    _restarting: bool = False  # nobody asked for the process that is being opened: it may be tried again
    _starting: asyncio.Task[None] | None = None
    _paused: bool = False  # also for the next process: one that restarts must not flood a client that doesn't read
    _life: int = 0  # counts processes, so that what an earlier one still says is not taken for this one's

    def __post_init__(self) -> None:
        self.deadlines = Deadlines(self.spec.timeout)
        self.health = Health(lambda event, why: self.events.server_changed(self, event, why))

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def era(self) -> Era | None:
        """The era in which it was opened, if it was."""
        return self._opening.era if self._opening else None

    @property
    def translated(self) -> bool:
        """Does it speak the other era than its client?"""
        return self._translation is not None

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """What it said that it can do."""
        found = self.hello.get("capabilities")
        return found if isinstance(found, Mapping) else {}

    @property
    def resting(self) -> bool:
        """Is it ill, so that a request to it is refused at once instead of waiting in vain?"""
        down = self.state is State.DOWN or (self.state is State.OPENING and self._restarting)
        return self.health.resting(asyncio.get_running_loop().time(), down=down)

    def open(self, era: Era, method: str, params: dict[str, Any], answer: Answer, *, translate: bool = False) -> None:
        """Open the server by `method` (`initialize` or `server/discover`) and pass on what it says, once. With
        `translate`, one that refuses is asked for the other era, and spoken to in that.

        A process that was opened in the other era is replaced: many servers keep to the era of their first message. One
        that only refused the modern era's question is an old server as it was before, and goes on.
        """
        replace = self._opening is not None
        fresh = (
            self._unopened and (era is Era.LEGACY or translate) and self.state is State.IDLE and self._link is not None
        )
        self._unopened = False
        self._restarting = False
        self._no_timer()
        self._opening = _Opening(era, method, params, translate)
        self.state = State.OPENING
        self.forget_listing()
        if fresh:
            return self._greet(answer)
        if replace:
            self._drop()
        return self._start(lambda: self._greet(answer), answer)

    def rest(self) -> None:
        """End its process until it is opened again: nobody is going to use it as it is."""
        self._no_timer()
        self._drop()
        self._opening, self._unopened = None, False
        self.state = State.IDLE
        self.forget_listing()
        self._release(False)

    def forget_listing(self) -> None:
        """What it offered is no longer true."""
        self.listing, self.unlistable = None, False

    def answered(self) -> None:
        """It answered a request of the client's, in its time."""
        self.health.answered(steady=self._is_steady)

    def timed_out(self) -> None:
        """It didn't."""
        self.health.timed_out(asyncio.get_running_loop().time())

    def when_ready(self, go_on: Callable[[bool], None]) -> None:
        """Call `go_on(True)` when the server can be talked to; False when it can't be within a bounded time."""
        if self.state in (State.CLOSED, State.IDLE) or self.resting:
            go_on(False)
        elif self.state is State.READY:
            go_on(True)
        elif len(self._parked) >= MAX_PARKED:
            go_on(False)
        else:
            self._parked.append(Once(go_on))
            asyncio.get_running_loop().call_later(OPENING_DEADLINE, self._give_up, self._parked[-1])

    def _give_up(self, parked: Once) -> None:
        if parked in self._parked:
            self._parked.remove(parked)
            parked(False)

    def request(
        self, method: str, params: dict[str, Any] | None, answer: Answer, progress: Progress | None = None
    ) -> Sent:
        """Send a request; the result cancels it. Raises `ServerGone` if no byte of it was sent."""
        if self.state is not State.READY or self._link is None:
            raise ServerGone("it is not running")
        way = self._translation or self._link
        return Sent(way.request(method, params, answer, progress), way)

    def notify(self, method: str, params: dict[str, Any] | None) -> None:
        """Tell the server something, if it is there to hear it."""
        way = self._translation or self._link
        if self.state is State.READY and way is not None:
            way.notify(method, params)

    def pause(self, paused: bool) -> None:
        """The client can't take more at the moment, or can again."""
        self._paused = paused
        if self._link is not None:
            self._link.pause(paused)

    def close(self) -> None:
        """End it for good."""
        self.state = State.CLOSED
        self._no_timer()
        self._drop()
        if self.child is not None:  # started ahead and never used
            self.child.discard()
            collect(self.child)
            self.child = None
        self.deadlines.close()
        self._release(False)

    def _no_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _drop(self) -> None:
        self._life += 1
        link, self._link = self._link, None
        self._no_translation()
        if link is not None:
            link.close()

    def _no_translation(self) -> None:
        translation, self._translation = self._translation, None
        if translation is not None:
            translation.close()

    def _start(self, then: Callable[[], None], failed: Answer) -> None:
        """Attach a process, a new one unless one was started ahead, and go on."""
        self._life += 1
        life = self._life
        try:
            link, where = self._new_link(life)
        except (OSError, ValueError, GuardError) as error:
            why = str(error) if isinstance(error, GuardError) else f"it can't be started: {type(error).__name__}"
            self._ended(life, why)
            return failed(_gone(f"The tool server `{self.name}` can't be started."))
        self._link = link
        link.pause(self._paused)  # before it is attached, or what it says at once gets through
        self._since = asyncio.get_running_loop().time()
        self.events.server_changed(self, "started", where)

        async def attach() -> None:
            try:
                await link.start()
                link.pause(self._paused)
                if self._current(life):
                    return then()
            except Exception as error:  # whatever it is: a task would keep it to itself, and somebody waits
                if self._current(life):  # what it holds isn't given back otherwise
                    link.close()
                self._ended(life, str(error) if isinstance(error, GuardError) else type(error).__name__)
                return failed(_gone(f"The tool server `{self.name}` can't be reached."))
            return failed(_gone(f"The tool server `{self.name}` was opened anew meanwhile."))

        self._starting = asyncio.get_running_loop().create_task(attach())

    def _new_link(self, life: int) -> tuple[Link, str]:
        """A way to the server, for one life of it, and where that leads."""
        if self.spec.remote is not None:
            from mcp_guard.transports.http_link import HttpLink  # only whoever reaches a server by URL pays for it

            return HttpLink(
                self.spec.remote,
                on_notification=lambda method, params: self._notified(life, method, params),
                on_request=partial(self._asked, life),
                on_odd=lambda why: self.events.server_odd(self, why),
                on_gone=lambda why: self._ended(life, why),
                schema_of=self._schema,
                name=self.name,
            ), self.spec.remote.origin
        child, how = self._new_child()
        return StdioLink(
            child,
            on_notification=lambda method, params: self._notified(life, method, params),
            on_request=partial(self._asked, life),
            on_odd=lambda why: self.events.server_odd(self, why),
            on_gone=lambda why: self._ended(life, why),
            on_pressure=self.on_pressure,
        ), f"pid {child.process.pid}{how}"

    def _new_child(self) -> tuple[Child, str]:
        """A process of it, and how it is contained. Raises GuardError if it should be, and can't be."""
        child, self.child = self.child, None
        if self.spec.contain is None:
            return child or spawn(self.spec.command, env=self.spec.env, cwd=self.spec.cwd), ""
        if self.spec.cell is None or child is not None:
            raise GuardError("it is to be contained, and nothing says how")
        start = self.spec.cell.start(self.spec.command)
        contained = spawn(start.command, env=self.spec.env, cwd=self.spec.cwd, temporary=start.temporary)
        return contained, f", {self.spec.cell.short}"

    def _schema(self, tool: str) -> Mapping[str, Any] | None:
        """The inputSchema of a tool by the server's own name, as last listed: it may bind arguments to headers."""
        tools = self.listing.tools if self.listing is not None else ()
        return next((one.schema for one in tools if one.name == tool), None)

    def _current(self, life: int) -> bool:
        return life == self._life and self.state is not State.CLOSED

    def _greet(self, answer: Answer) -> None:
        """Send the opening message and take its answer."""
        opening, link, life = self._opening, self._link, self._life
        if opening is None or link is None:
            return
        done = OnceAnswer(answer)

        def greeted(reply: dict[str, Any]) -> None:
            if self._current(life) and "result" in reply and self._acceptable(opening.era, reply["result"]):
                if opening.era is Era.LEGACY:
                    link.notify("notifications/initialized", None)
                return self._opened(opening.era.value, reply, done)
            if self._current(life) and "error" in reply and opening.translate:
                return self._translate(opening, link, life, partial(refused, reply), done)
            return refused(reply)

        def refused(reply: dict[str, Any]) -> None:
            lost = "gone" in reply
            self._unopened = "error" in reply and opening.era is Era.MODERN
            if "result" in reply:
                reply = _gone(f"The tool server `{self.name}` speaks a revision that the guard doesn't know.")
            elif lost:
                reply = _gone(f"The tool server `{self.name}` ended before it was ready: see its own messages.")
            done(reply)
            if self._current(life):
                self._not_opened(str(reply["error"].get("message", ""))[:200], again=lost or self._restarting)

        try:
            link.request(opening.method, opening.params, greeted)
        except ServerGone as error:
            greeted({"gone": str(error)})  # it ended before it was asked: the same, a moment earlier

    def _opened(self, how: str, reply: dict[str, Any], done: Answer) -> None:
        self.hello = reply["result"]
        self.state = State.READY
        self._no_timer()
        self.events.server_changed(self, "ready", how)
        done(reply)
        return self._release(True)

    def _translate(self, opening: _Opening, link: Link, life: int, otherwise: Callable[[], None], done: Answer) -> None:
        """It refused the client's era: ask for the other one. Its refusal counts if it speaks none."""

        def begun(translation: Translation | None) -> None:
            if not self._current(life):
                return done(_gone(f"The tool server `{self.name}` ended before it was ready: see its own messages."))
            if translation is None:
                return otherwise()
            self._translation = translation
            return self._opened(f"{opening.era.value}, translated", {"result": translation.hello}, done)

        tell = partial(self.events.server_notified, self)
        begin(link, opening.era, opening.params, tell, begun, shared=self.shared)

    def _not_opened(self, why: str, *, again: bool) -> None:
        """After a crash, or when no client is there to ask otherwise, it is tried again later."""
        self.events.server_changed(self, "refused", why)
        if again:
            self._drop()
            self._ended(self._life, "it could not be opened")  # not in its own words, which may hold a secret
        else:
            self.state = State.IDLE
        self._release(False)

    def _acceptable(self, era: Era, hello: dict[str, Any]) -> bool:
        return era is Era.MODERN or hello.get("protocolVersion") in LEGACY_REVISIONS

    def _notified(self, life: int, method: str, params: dict[str, Any] | None) -> None:
        if not self._current(life):
            return None
        if method == "notifications/tools/list_changed":
            self.forget_listing()
        if self._translation is None:
            return self.events.server_notified(self, method, params)
        if method == "notifications/tools/list_changed":  # whether or not the client wants to be told of it
            self.events.server_stale(self)
        for told, what in self._translation.notified(method, params):
            self.events.server_notified(self, told, what)
        return None

    def _asked(
        self, life: int, method: str, params: dict[str, Any] | None, answer: Answer, during: int | None
    ) -> Cancel:
        if self._current(life) and self._translation is not None:
            return self._translation.asked(method, params, answer, during)
        if self._current(life):
            return self.events.server_asked(self, method, params, answer, during)
        answer({"error": {"code": METHOD_NOT_FOUND, "message": "Method not found"}})
        return _nothing_to_cancel

    def _ended(self, life: int, why: str) -> None:
        """The process is gone: start it again after a while, the same way, while the others go on."""
        if not self._current(life):
            return
        loop = asyncio.get_running_loop()
        self._link = None
        self._no_translation()
        self.forget_listing()
        was = self.state
        self.events.server_changed(self, "ended", why)
        if self._opening is None or was is State.IDLE:
            self.state = State.IDLE  # it refused the client and left: to start it again would change nothing
            return
        self.state = State.DOWN
        self.health.crashed(why, steady=was is State.READY and self._is_steady)
        delay = min(LAST_BACK_OFF, FIRST_BACK_OFF * 2.0 ** min(self.health.crashes - 1, 10))
        self._no_timer()
        self._timer = loop.call_later(delay, self._restart)
        if self.resting:
            self._release(False)

    def _restart(self) -> None:
        if self.state is State.DOWN:
            self.state = State.OPENING
            self.restarted = self._restarting = True
            self._timer = asyncio.get_running_loop().call_later(OPENING_DEADLINE, self._stuck, self._life + 1)
            self._start(lambda: self._greet(_ignore), _ignore)

    def _stuck(self, life: int) -> None:
        """A process that was started again and never answers is worth no more than one that ends."""
        if self._current(life) and self.state is State.OPENING:
            self._drop()
            self._ended(self._life, "it did not answer in time")

    @property
    def _is_steady(self) -> bool:
        return asyncio.get_running_loop().time() - self._since > STEADY

    def _release(self, ready: bool) -> None:
        parked, self._parked = self._parked, []
        for go_on in parked:
            try:
                go_on(ready)
            except Exception as error:  # it is one request's; the others wait, too
                self.events.server_odd(self, f"not taken: {type(error).__name__}")


def _gone(message: str) -> dict[str, Any]:
    return {"error": {"code": NOT_OPENED, "message": message}}


def _ignore(_: dict[str, Any]) -> None:
    """A restart answers nobody."""


def _nothing_to_cancel(_: str | None) -> None:
    """It is answered already."""
