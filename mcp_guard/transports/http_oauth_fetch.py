"""One small HTTP exchange with a place that a document named: no redirects, no proxies, bounded, to a checked address.

A name is looked up once. Where its addresses have to be public, all of them are, and the connection goes to one of
those that were checked: a name that leads elsewhere a moment later (DNS rebinding) leads nowhere.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from enum import Enum

import h11

from mcp_guard import __version__
from mcp_guard.transports.http_link_remote import Place
from mcp_guard.transports.http_oauth_metadata import NoToken
from mcp_guard.transports.link import is_own

MAX_BODY = 256 << 10
"""Bytes of an answer."""
DEADLINE = 10.0
"""Seconds for one exchange, its connection included."""


class Reach(Enum):
    """Where a place may be, by who named it."""

    PUBLIC = "public"  # a document did: https, and an address that everybody can reach
    NAMED = "named"  # guard.yaml did: anywhere by https, on this machine by http
    PLAIN = "plain"  # guard.yaml did, and says that the network is trusted


async def fetch(
    place: Place, reach: Reach, headers: Sequence[tuple[str, str]] = (), body: bytes | None = None
) -> tuple[int, bytes]:
    """Status and body of a GET, or with a `body` of a POST. Raises `NoToken`."""
    try:
        async with asyncio.timeout(DEADLINE):
            address = await _address(place, reach)
            return await _exchange(place, address, headers, body)
    except TimeoutError:
        raise NoToken(f"{place.origin} did not answer in time") from None
    except ssl.SSLError:
        raise NoToken(f"no TLS connection to {place.origin}") from None
    except (OSError, UnicodeError):
        raise NoToken(f"{place.origin} can't be reached") from None
    except h11.RemoteProtocolError:
        raise NoToken(f"{place.origin} answers with what is no HTTP response") from None


async def _address(place: Place, reach: Reach) -> str:
    """One address of this place, all of which were looked at."""
    if reach is Reach.PUBLIC and not place.tls:
        raise NoToken(f"{place.origin} isn't https")
    found = await asyncio.get_running_loop().getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    addresses = [str(one[4][0]) for one in found]
    if not addresses:
        raise NoToken(f"{place.origin} has no address")
    if reach is Reach.PUBLIC and not all(is_public(one) for one in addresses):
        raise NoToken(f"{place.origin} is not at a public address")
    local = [ipaddress.ip_address(one.partition("%")[0]).is_loopback for one in addresses]
    if reach is Reach.NAMED and not place.tls and not all(local):
        raise NoToken("plain http is for this machine only, and the name leads elsewhere")
    if is_own(place.port) and any(local):
        raise NoToken(f"{place.origin} is the guard's own address")
    return addresses[0]


def is_public(address: str) -> bool:
    """Is this an address of the internet at large, in every way in which it could be read?"""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # one with a zone belongs to a link
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if found in _TRANSLATED:  # what a NAT64 makes of it is in its last four bytes
            return is_public(str(ipaddress.IPv4Address(found.packed[-4:])))
    return found.is_global and not found.is_multicast


_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")


async def _exchange(
    place: Place, address: str, headers: Sequence[tuple[str, str]], body: bytes | None
) -> tuple[int, bytes]:
    context = _tls() if place.tls else None
    reader, writer = await asyncio.open_connection(
        address, place.port, ssl=context, server_hostname=place.host if place.tls else None
    )
    try:
        http = h11.Connection(h11.CLIENT)
        own = [
            ("Host", place.authority),
            ("User-Agent", f"mcp-guard/{__version__}"),
            ("Accept", "application/json"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
        ]
        length = [("Content-Length", str(len(body)))] if body is not None else []
        method = "GET" if body is None else "POST"
        request = h11.Request(method=method, target=place.target, headers=[*own, *length, *headers])
        parts = [http.send(request), http.send(h11.Data(data=body)) if body else b"", http.send(h11.EndOfMessage())]
        writer.write(b"".join(part or b"" for part in parts))
        await writer.drain()
        return await _answer(place, http, reader)
    finally:
        writer.transport.abort()


async def _answer(place: Place, http: h11.Connection, reader: asyncio.StreamReader) -> tuple[int, bytes]:
    status, taken = 0, bytearray()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(1 << 16))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            taken += event.data
            if len(taken) > MAX_BODY:
                raise NoToken(f"the answer of {place.origin} is longer than {MAX_BODY} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return status, bytes(taken)
        elif not isinstance(event, h11.InformationalResponse):
            raise h11.RemoteProtocolError("it ended")


def _tls() -> ssl.SSLContext:
    import truststore

    context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return context
