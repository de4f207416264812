"""Kept-alive connections to one origin: made, verified, lent to one exchange after the other.

No proxies, whatever the environment says: a proxy for plain http would see the credentials. A task runs only while a
connection is being made.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl

import h11

from mcp_guard.transports.http_link_connection import Connection, Exchange, Taker
from mcp_guard.transports.http_link_remote import Remote
from mcp_guard.transports.link import leaving

CONNECT_DEADLINE = 10.0
"""Seconds for name lookup, connection and TLS handshake together."""
MAX_IDLE = 32
"""Idle connections that are kept."""


class Pool:
    """The connections of one event loop to one remote server. Whoever takes it by `pool_for` gives it back."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self.users = 0
        self._idle: list[Connection] = []
        self._connecting: set[asyncio.Task[None]] = set()
        self._all: set[Connection] = set()
        self._context: ssl.SSLContext | None = None
        self._ended: asyncio.Future[None] | None = None

    def send(self, request: h11.Request, body: bytes, taker: Taker) -> Exchange:
        """Send on an idle connection, at once, or on a new one. `taker` is never called before this returns."""
        exchange = Exchange(request, body, taker)
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                connection.begin(exchange)
                return exchange
            connection.end()
        task = asyncio.get_running_loop().create_task(self._connect(exchange))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return exchange

    async def _connect(self, exchange: Exchange) -> None:
        try:
            connection = await self._connected()
        except Exception as error:  # whatever it is, somebody waits for the answer, and nothing was sent
            why = str(error) if isinstance(error, _Refused) else _in_words(error)
            return exchange.give_last(lambda taker: taker.failed(why))
        if not exchange.open:
            return self.keep(connection)
        if not self.users:
            connection.end()
            return exchange.give_last(lambda taker: taker.failed("the guard is leaving"))
        return connection.begin(exchange)

    async def _connected(self) -> Connection:
        remote, loop = self.remote, asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_DEADLINE):
            _, connection = await loop.create_connection(
                lambda: Connection(self.keep, self.lost),
                remote.host,
                remote.port,
                ssl=self._tls() if remote.tls else None,
                server_hostname=remote.host if remote.tls else None,
                happy_eyeballs_delay=0.25,
            )
        problem = connection.misplaced(remote)
        if problem:
            connection.end()
            raise _Refused(problem)
        self._all.add(connection)  # now: one that ended on the way here has told so, and would be counted for ever
        return connection

    def _tls(self) -> ssl.SSLContext:
        """The system's own list of authorities, on every platform; certificates and names are always verified."""
        if self._context is None:
            import truststore

            self._context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._context.set_alpn_protocols(["http/1.1"])
        return self._context

    def keep(self, connection: Connection) -> None:
        """A connection that is free again."""
        if self.users and len(self._idle) < MAX_IDLE and connection.wait():
            self._idle.append(connection)
        else:
            connection.end()

    def lost(self, connection: Connection, broken: bool) -> None:
        """A connection has ended. Where one breaks, the idle ones may be broken too."""
        self._all.discard(connection)
        for other in self._idle if broken else ():
            other.end()
        if connection in self._idle:
            self._idle.remove(connection)
        if self._ended is not None and not self._all and not self._ended.done():
            self._ended.set_result(None)

    def close(self) -> None:
        """End all connections. One that is being made ends as soon as it is there, or at its deadline: cancelled at the
        wrong step, asyncio would forget a socket that stands already, and the server would keep it.
        """
        if self._all:
            self._ended = asyncio.get_running_loop().create_future()
            leaving(self._ended)
        for connection in list(self._all):
            connection.end()


_pools: dict[tuple[asyncio.AbstractEventLoop, str, bool], Pool] = {}


def pool_for(remote: Remote) -> Pool:
    """The pool of this loop for this server, shared by all sessions of the guard; `give_back` it."""
    key = asyncio.get_running_loop(), remote.origin, remote.local_only
    pool = _pools.setdefault(key, Pool(remote))
    pool.users += 1
    return pool


def give_back(pool: Pool) -> None:
    """One user less; with the last one the connections end."""
    pool.users -= 1
    if pool.users == 0:
        for key in [key for key, other in _pools.items() if other is pool]:
            del _pools[key]
        pool.close()


class _Refused(Exception):
    """A connection that was made and may not be used; its text is for the person."""


def _in_words(error: Exception) -> str:
    """Why no connection was made: never more than the system's own words."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate isn't accepted: {error.verify_message}"
        case ssl.SSLError():
            return "no TLS connection could be made"
        case TimeoutError():
            return f"no connection within {CONNECT_DEADLINE:g} seconds"
        case ConnectionRefusedError():
            return "it refuses connections"
        case socket.gaierror():
            return "its name can't be resolved"
        case OSError() if f"[Errno {errno.ECONNREFUSED}]" in str(error):  # by each of a name's addresses
            return "it refuses connections"
        case OSError():
            return f"no connection could be made ({error.strerror or type(error).__name__})"
        case _:
            return f"no connection could be made ({type(error).__name__})"
