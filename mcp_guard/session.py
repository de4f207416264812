"""One client's state, in one room: who it is, which era, its servers, what is in flight.

State and bookkeeping only; what a message means is `gateway.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcp_guard.catalog import Listing, Tool, Withheld, index
from mcp_guard.downstream import Downstream, State
from mcp_guard.eras import Era
from mcp_guard.model import Kind
from mcp_guard.transports.front import Answer, Ask, Cancel, Notify
from mcp_guard.wire import MAX_ID

if TYPE_CHECKING:
    from mcp_guard.listening import Stream

MAX_IN_FLIGHT = 256
"""Requests of one client that may be under way; one more is refused."""

MAX_COUNTED = 64
"""Names that a server's unwanted messages are counted under."""


class InFlight:
    """One request of the client. Answered exactly once, or cancelled and then never."""

    __slots__ = (
        "_answer",
        "_cancel",
        "_notify",
        "_on_done",
        "ask",
        "at",
        "id",
        "logs",
        "offered",
        "over",
        "to",
        "trace",
    )

    def __init__(
        self,
        request_id: int | str,
        answer: Answer,
        notify: Notify,
        on_done: Callable[[InFlight], None],
        ask: Ask | None = None,
    ):
        self.id = request_id
        self.ask = ask  # asks the client on this request's own way to it; None: there is no such way
        self.at: tuple[str, int] | None = None  # the server that it is at, and its id there
        self.to = ""  # the server that it is for, from before it is known whether that takes it
        self.offered: Mapping[str, Any] = {}  # modern era: what the client said with it that it can be asked
        self.logs = False  # modern era: it wants to be told what the server logs meanwhile
        self.trace = ""  # the `traceparent` that its HTTP request had
        self.over: Callable[[], None] | None = None  # told once, when nobody waits for an answer any more
        self._answer: Answer | None = answer
        self._notify: Notify | None = notify
        self._cancel: Cancel | None = None
        self._on_done = on_done

    @property
    def waiting(self) -> bool:
        """Does the client still wait for the answer?"""
        return self._answer is not None

    def sent(self, cancel: Cancel) -> None:
        """The request went on to a server; `cancel` tells that server that nobody waits any more."""
        self._cancel = cancel

    def notify(self, method: str, params: dict[str, Any] | None) -> None:
        """Pass on what belongs to this request; never after the answer."""
        if self._notify is not None:
            self._notify(method, params)

    def finish(self, answer: dict[str, Any]) -> None:
        """Answer, if the client still waits."""
        give, self._answer, self._notify, self._cancel = self._answer, None, None, None
        if give is not None:
            self._end()
            give(answer)

    def progress(self, params: dict[str, Any]) -> None:
        """Pass on the progress that the server reported for this request; never after the answer."""
        self.notify("notifications/progress", params)

    def cancel(self, reason: str | None = None) -> None:
        """The client gave up: the server is told, and no answer comes."""
        cancel, self._cancel = self._cancel, None
        if self._answer is not None:
            self._answer = self._notify = None
            self._end()
        if cancel is not None:
            cancel(reason)

    def _end(self) -> None:
        self._on_done(self)
        over, self.over = self.over, None
        if over is not None:
            over()


@dataclass(slots=True, eq=False)
class Session:
    """What the guard keeps of one client."""

    principal: str
    key: str  # names its history in the record; never an id that the client alone chooses
    notify: Notify
    ask: Ask | None = None  # makes a request of the client that belongs to none of its own
    servers: list[Downstream] = field(default_factory=list)
    era: Era | None = None
    shared: bool = False  # several clients of one principal have it (HTTP in the modern era)
    legacy_until: float = 0.0  # the loop's time until which its servers needn't be asked again for the modern era
    named: bool = False  # its servers refused a revision and named one of the modern era: they may be asked once more
    settled: bool = False  # the client has initialized: the connection stays in the legacy era
    envelope: dict[str, Any] = field(default_factory=dict)  # modern era: what the client last said of itself
    capabilities: Mapping[str, Any] | None = None  # legacy era: what the client said that it can do
    client: str = ""  # what the client calls itself: for display only
    in_flight: set[InFlight] = field(default_factory=set)
    closed: bool = False
    joining: list[Callable[[dict[str, dict[str, Any]]], None]] = field(default_factory=list)
    """Who waits for the servers to open in the modern era: what comes meanwhile joins, and starts nothing anew."""
    insisting: list[Callable[[dict[str, dict[str, Any]]], None]] = field(default_factory=list)
    """The same for requests that are no probe: the servers open in either era."""
    told_of_end: bool = False  # the person was told that the mandate is over
    subscriptions: set[tuple[str, str]] = field(default_factory=set)  # legacy era: resources by server and URI
    task_questions: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """Modern era: what tasks asked that was judged and shown: by server and task, the digests of its questions."""
    streams: set[Stream] = field(default_factory=set)  # modern era: where the client listens
    level: dict[str, Any] | None = None  # legacy era: how much servers are to log, as the client said it last
    listening: bool = False  # legacy era: the client has its answer to `initialize`, so that it can be asked something
    held: list[Callable[[], None]] = field(default_factory=list)  # what servers ask before that
    seen_requests: dict[tuple[str, str], int] = field(default_factory=dict)
    """How often each server sent what is refused: not every one of thousands is recorded."""
    asking: dict[str, set[Cancel]] = field(default_factory=dict)  # by server: its requests that the client looks at
    tokens: dict[str, Callable[[dict[str, Any]], None]] = field(default_factory=dict)
    """Progress of the client's on what a server asked, by our token."""
    last_token: int = 0
    shown_elicitations: set[tuple[str, str]] = field(default_factory=set)  # by server: ids of those that were shown
    unshown: dict[tuple[str, Kind], frozenset[str]] = field(default_factory=dict)
    """Prompts and resources, by server and kind, that the scan withholds: as if they weren't there."""
    heard_findings: dict[tuple[str, str], set[str]] = field(default_factory=dict)  # by server and method: rules told
    told_findings: dict[tuple[str, str], object] = field(default_factory=dict)
    """What the person was told that the scan found, by server and what it was about: once each."""
    alike: Callable[[Sequence[Listing]], tuple[Withheld, ...]] = field(default=lambda _: ())
    """The tools among these whose names are traps."""
    _listings: tuple[Listing | None, ...] = ()
    _tools: dict[str, Tool] = field(default_factory=dict)
    _by_server: dict[tuple[str, str], Tool] = field(default_factory=dict)
    _shared: tuple[Withheld, ...] = ()

    def begin(self, request_id: int | str, answer: Answer, notify: Notify, ask: Ask | None = None) -> InFlight:
        """Note a request as under way."""
        request = InFlight(request_id, answer, notify, self.in_flight.discard, ask)
        self.in_flight.add(request)
        return request

    def has_room(self, request: InFlight, server: Downstream) -> bool:
        """Note which server a request is for; False if too many are for that one already.

        A server that holds on to its calls must leave places for those to the others.
        """
        spec = server.spec
        if request.to == spec.name:
            return True
        request.to = spec.name
        if len(self.in_flight) <= spec.max_calls:  # as nearly always
            return True
        return sum(one.to == spec.name for one in self.in_flight) <= spec.max_calls

    def counts_now(self, server: str, what: str) -> bool:
        """Count something that a server can send by the thousands: is this the time to record it? The 1st, 2nd, 4th…

        A server that invents names has those beyond some counted as one: it can't hide what it, or another one, does.
        """
        seen = (server, what[:96])
        if seen not in self.seen_requests and sum(of == server for of, _ in self.seen_requests) >= MAX_COUNTED:
            seen = (server, "")
        count = self.seen_requests[seen] = self.seen_requests.get(seen, 0) + 1
        return count & (count - 1) == 0

    def note_elicitation(self, server: str, name: object) -> None:
        """A question was shown under this id: the server may say once that it is done with."""
        if isinstance(name, str) and len(name) <= MAX_ID and len(self.shown_elicitations) < 1000:
            self.shown_elicitations.add((server, name))

    def when_listening(self, go_on: Callable[[], None]) -> None:
        """Go on once the client can be asked something: before `initialize` is answered it expects nothing else."""
        if self.listening:
            go_on()
        else:
            self.held.append(go_on)

    def listens(self) -> None:
        """The client says that it is ready, or goes on as if it were."""
        if not self.listening:
            self.listening = True
            held, self.held = self.held, []
            for go_on in held:
                go_on()

    def tools(self) -> dict[str, Tool]:
        """What the servers offer now, by the name that the client uses."""
        self._refresh()
        return self._tools

    def by_server(self) -> dict[tuple[str, str], Tool]:
        """The same tools by server and the server's own name."""
        self._refresh()
        return self._by_server

    def shared_names(self) -> tuple[Withheld, ...]:
        """Tools withheld since another server's tool would have the same name, or one that looks like it."""
        self._refresh()
        return self._shared

    def _refresh(self) -> None:
        """Asked several times for every call: nothing is made while no server lists anything new."""
        if len(self.servers) == len(self._listings):
            for server, old in zip(self.servers, self._listings, strict=True):
                if server.listing is not old:
                    break
            else:
                return
        self._index(tuple(server.listing for server in self.servers))

    def _index(self, listings: tuple[Listing | None, ...]) -> None:
        self._listings = listings
        there = [listing for listing in listings if listing is not None]
        self._tools, self._shared = index(there)
        traps = self.alike(there)
        gone = {(one.server, one.name) for one in traps}
        self._tools = {name: tool for name, tool in self._tools.items() if (tool.server, tool.name) not in gone}
        self._shared += traps
        self._by_server = {(tool.server, tool.name): tool for tool in self._tools.values()}

    def unsettled(self) -> list[Downstream]:
        """Servers whose tools aren't known at the moment and may yet be."""
        return [
            server
            for server in self.servers
            if server.listing is None
            and not server.unlistable
            and server.state in (State.READY, State.OPENING, State.DOWN)
        ]

    def close(self) -> None:
        """The client is gone."""
        self.closed = True
        for request in list(self.in_flight):
            request.cancel("the client is gone")
        for cancel in [cancel for asking in self.asking.values() for cancel in asking]:
            cancel("the client is gone")
        for server in self.servers:
            server.close()
