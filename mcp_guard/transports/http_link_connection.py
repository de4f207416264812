"""One HTTP/1.1 connection to a tool server, and single exchanges on it, by callbacks.

`h11` reads and writes the protocol: no decompression, no redirects, no cookies, nothing sent again. What an exchange
means is for who takes it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import select
import socket
from collections.abc import Callable
from typing import Any, Protocol

import h11

from mcp_guard.transports.http_link_remote import Remote
from mcp_guard.transports.link import is_own

KEPT_SECONDS = 4.0
"""How long an idle connection is used again, unless its server says otherwise. Servers drop them after 5 seconds and
more; a request that crosses such an end may or may not have been taken, and isn't sent again."""
MAX_KEPT_SECONDS = 60.0
MAX_HEAD = 64 << 10
"""Bytes of a response's status line and headers, or of a line between two chunks."""
READ_SIZE = 64 << 10
"""Bytes that are read at a time."""
MAX_INTERIM = 16
"""Responses (1xx) before the response."""
DRAIN_SECONDS = 2.0
DRAIN_BYTES = 64 << 10
"""What a response may still bring after the part that counted, for its connection to be used again."""

Headers = list[tuple[bytes, bytes]]
"""As `h11` gives them: names in lower case."""


class Taker(Protocol):
    """Who gets what a server answers. Nothing is called after `failed` or `ended`."""

    def head(self, status: int, headers: Headers) -> None:
        """The response begins."""

    def data(self, chunk: bytes) -> None:
        """A part of its body."""

    def ended(self) -> None:
        """The body is complete."""

    def failed(self, why: str) -> None:
        """There will be no (more) response. `Exchange.sent` says whether any byte of the request left."""


class Exchange:
    """One request and its response. `sent` is false as long as no byte of it was handed to the system."""

    def __init__(self, request: h11.Request, body: bytes, taker: Taker) -> None:
        self.sent = False
        self.request = request
        self.body = body
        self._taker: Taker | None = taker
        self._connection: Connection | None = None
        self._paused = False

    @property
    def open(self) -> bool:
        """Does somebody still wait for it?"""
        return self._taker is not None

    @property
    def unread(self) -> int:
        """Bytes of the request that the server hasn't taken yet."""
        return self._connection.unwritten if self._connection is not None else 0

    def abort(self) -> None:
        """Nobody waits any more: close the connection; if none is there yet, nothing is sent."""
        self._taker = None
        if self._connection is not None:
            self._connection.end()

    def detach(self) -> None:
        """What counted has come; the connection is used again if the rest comes soon."""
        self._taker = None
        if self._connection is not None:
            self._connection.drain()

    def pause(self, paused: bool) -> None:
        """Stop or go on reading the response."""
        self._paused = paused
        if self._connection is not None:
            self._connection.pause(paused)

    # What the pool and its connections call.

    def on(self, connection: Connection) -> None:
        self._connection = connection
        if self._paused:
            connection.pause(True)

    def off(self) -> None:
        self._connection = None

    def give(self, act: Callable[[Taker], None]) -> None:
        if self._taker is not None:
            act(self._taker)

    def give_last(self, act: Callable[[Taker], None]) -> None:
        taker, self._taker = self._taker, None
        if taker is not None:
            act(taker)


class Connection(asyncio.Protocol):
    """One connection: at most one exchange at a time. `free` takes it when it is done with one; `lost` is called at its
    end, and told whether that came in the middle of one."""

    def __init__(self, free: Callable[[Connection], None], lost: Callable[[Connection, bool], None]) -> None:
        self._when_free = free
        self._when_lost = lost
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._interim = 0
        self._draining = -1  # bytes that may still be drained; below zero: somebody reads
        self._keep = KEPT_SECONDS
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # asyncio types the base class only
        if hasattr(transport, "max_size"):  # asyncio asks for 256 KiB at a time: memory mapped anew for every answer
            transport.max_size = READ_SIZE
        sock = transport.get_extra_info("socket")
        if sock is not None:  # so that the end of a server that vanished is noticed on a stream where nothing is sent
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    @property
    def usable(self) -> bool:
        """Is it open, and is nothing there to be read? What comes unasked is most likely its end."""
        if self._transport is None or self._transport.is_closing():
            return False
        sock = self._transport.get_extra_info("socket")
        waiting = select.poll()
        waiting.register(sock.fileno(), select.POLLIN)
        return not waiting.poll(0)

    @property
    def unwritten(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def misplaced(self, remote: Remote) -> str:
        """Why nothing may be sent here, though the connection stands; empty if all is well."""
        if self._transport is None:
            return "the connection was lost"
        peer = self._transport.get_extra_info("peername")
        here = self._transport.get_extra_info("sockname")
        if not peer or not here:
            return "the connection was lost"
        local = ipaddress.ip_address(peer[0].partition("%")[0]).is_loopback or peer[0] == here[0]
        if remote.local_only and not local:
            return "plain http is for this machine only, and its name leads elsewhere"
        if local and is_own(peer[1]):
            return "its address is the guard's own"
        return ""

    def begin(self, exchange: Exchange) -> None:
        """Send a request. From here on it counts as sent."""
        self._stop_timer()
        self._exchange, self._interim, self._draining = exchange, 0, -1
        exchange.on(self)
        parts = [self._http.send(exchange.request)]
        if exchange.body:
            parts.append(self._http.send(h11.Data(data=exchange.body)))
        parts.append(self._http.send(h11.EndOfMessage()))
        exchange.sent = True
        if self._transport is not None:
            self._transport.write(b"".join(part for part in parts if part))

    def wait(self) -> bool:
        """Stay open for the next request, for a while; False if it can't."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._timer = asyncio.get_running_loop().call_later(self._keep, self.end)
        return True

    def pause(self, paused: bool) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading() if paused else self._transport.resume_reading()

    def drain(self) -> None:
        """Read the rest of a response that nobody wants any more, within bounds."""
        self._draining = DRAIN_BYTES
        self.pause(False)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DRAIN_SECONDS, self.end)

    def end(self) -> None:
        """Close at once; what the system still holds to be written is dropped."""
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    # What the event loop calls. It only logs what they raise, and a caller would wait for ever.

    def data_received(self, data: bytes) -> None:
        if self._exchange is None:  # unasked, or after its end: what follows could be taken for the next answer
            return self.end()
        if 0 <= self._draining < len(data):
            return self.end()
        if self._draining >= 0:
            self._draining -= len(data)
        return self._pump(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._when_lost(self, self._exchange is not None)
        if self._exchange is not None and exc is None:
            self._pump(b"")  # the end of a body that only the end of the connection ends
        self._transport = None
        self._fail("the connection ended" if exc is None else f"the connection broke ({type(exc).__name__})")

    def _pump(self, data: bytes) -> None:
        try:
            self._http.receive_data(data)
            while self._exchange is not None and self._step(self._exchange):
                pass
        except h11.RemoteProtocolError:
            self._fail("it answered with what is no HTTP response" if data else "the connection ended")
            self.end()
        except Exception as error:  # of whoever takes it: one answer less, and the others go on
            self._fail(f"its answer could not be taken ({type(error).__name__})")
            self.end()

    def _step(self, exchange: Exchange) -> bool:
        event: Any = self._http.next_event()
        if event is h11.NEED_DATA:
            return False
        if isinstance(event, h11.Data):
            chunk = bytes(event.data)
            exchange.give(lambda taker: taker.data(chunk))
            return True
        if isinstance(event, h11.Response):
            headers = list(event.headers)
            self._keep = _kept(headers)
            exchange.give(lambda taker: taker.head(event.status_code, headers))
            return True
        if isinstance(event, h11.InformationalResponse):
            self._interim += 1
            if self._interim > MAX_INTERIM or event.status_code == 101:
                raise h11.RemoteProtocolError("too many interim responses")
            return True
        if isinstance(event, h11.EndOfMessage):
            self._free(exchange)
            exchange.give_last(lambda taker: taker.ended())
        else:
            self._fail("the connection ended")
            self.end()
        return False

    def _free(self, exchange: Exchange) -> None:
        """The response is complete: the connection may serve the next request, before anybody is told."""
        self._exchange = None
        exchange.off()
        self._stop_timer()
        self.pause(False)
        http = self._http
        rest, _ = http.trailing_data
        if http.our_state is h11.DONE and http.their_state is h11.DONE and not rest and not self.unwritten:
            http.start_next_cycle()
            self._when_free(self)
        else:
            self.end()

    def _fail(self, why: str) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.off()
            exchange.give_last(lambda taker: taker.failed(why))


def _kept(headers: Headers) -> float:
    """How long the server says that it keeps an idle connection, less a second for the way; else our own guess."""
    for name, value in headers:
        if name == b"keep-alive":
            for part in value.lower().split(b","):
                key, _, seconds = part.strip().partition(b"=")
                if key == b"timeout" and seconds.isdigit() and len(seconds) < 6:
                    return min(max(float(seconds) - 1, 0.0), MAX_KEPT_SECONDS)
    return KEPT_SECONDS
