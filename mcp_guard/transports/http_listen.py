"""Where the HTTP front listens: loopback only, and the names under which it may be called.

Imports neither `mcp` nor a web framework, so that the command line can refuse a bad `--http` at once.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from contextlib import suppress

from mcp_guard.errors import InputError

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_ATTEMPTS = 16
"""How often a free port is looked for that both families of `localhost` have."""


def parse_address(text: str) -> tuple[str, int]:
    """`HOST:PORT`, the value of `--http`, as a host without brackets and a port. Port 0 means any free one.

    Raises InputError for another shape, and for a host that other machines could reach.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise InputError(f"`{text}` is not HOST:PORT; try `127.0.0.1:8717`")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise InputError(f"`{text}` is ambiguous; write an IPv6 address in brackets: `[::1]:8717`")
    check_loopback(host)
    return host, int(port)


def check_loopback(host: str) -> None:
    """Raise InputError unless only this machine can reach `host`.

    There is no TLS here, so elsewhere the token would cross the network in clear. Names other than `localhost` are
    refused whatever they resolve to now: they may resolve to something else tomorrow.
    """
    if host == "localhost":
        return
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        if address.is_loopback and getattr(address, "ipv4_mapped", None) is None:
            return
    raise InputError(f"`{host}` can be reached from other machines, and this front has no TLS; use `127.0.0.1`")


def bracketed(host: str) -> str:
    """`host` as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def host_headers(host: str, port: int) -> frozenset[str]:
    """The `Host` headers that name this front; any other is a browser led here by DNS rebinding."""
    names = {bracketed(host), *_LOOPBACK_NAMES}
    with_port = {f"{name}:{port}" for name in names}
    return frozenset(with_port | names if port == 80 else with_port)


def listen(host: str, port: int) -> list[socket.socket]:
    """Bound sockets for `host`; the caller closes them. Raises InputError when the place is taken.

    `localhost` binds both families on one port: a client may try either first, and whoever held the other one would
    be handed its token.
    """
    check_loopback(host)
    if host != "localhost":
        return [_bound(host, port)]
    for _ in range(_ATTEMPTS if port == 0 else 1):
        first = _bound("127.0.0.1", port)
        try:
            return [first, _bound("::1", first.getsockname()[1])]
        except _NoSuchFamilyError:
            return [first]
        except InputError:
            first.close()
            if port:
                raise
    raise InputError("no free port on both families of `localhost`; use `127.0.0.1`")


class _NoSuchFamilyError(OSError):
    """This machine has no IPv6 loopback."""


def _bound(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        # The protocol is named because asyncio switches Nagle off only then: else every answer waits 40 ms.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise _NoSuchFamilyError from error
    try:
        if os.name == "posix":  # a port in TIME_WAIT may be taken again; elsewhere the option would let others in
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((address, port))
        bound.listen()  # from here on the port is ours alone: before, another could have bound and listened first
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRNOTAVAIL and family == socket.AF_INET6:
            raise _NoSuchFamilyError from error
        raise InputError(f"can't listen on `{bracketed(address)}:{port}`: {os.strerror(error.errno or 0)}") from error
    bound.setblocking(False)
    return bound
