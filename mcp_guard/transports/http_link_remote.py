"""Where a tool server that is reached by URL stands, and what the guard shows it: its own credentials, by reference.

Knows the form of an address and of a header, and reads the environment when it is asked to. Opens no connection, and
imports nothing that would: guard.yaml is read by guards whose servers all speak stdio.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mcp_guard.errors import GuardError

MAX_URL = 2048
"""Characters of an address."""
MAX_CREDENTIAL = 8192
"""Characters of one header's value: more than that, servers refuse."""

_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?(/[^?]*)?(\?.*)?")
_TARGET = re.compile(r"[!$%&'()*+,\-./0-9:;=?@A-Z_a-z~]*")
_PORTS = {"http": 80, "https": 443}
_HEADER = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCOPE = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")
_OURS = frozenset(
    {
        *("accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect"),
        *("host", "keep-alive", "last-event-id", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"),
    }
)
_OURS_BEGIN = ("mcp-", "proxy-")


class NoCredential(GuardError):
    """A variable that should hold a credential isn't set or can't stand in a header. Names it, never its value."""


@dataclass(frozen=True, slots=True)
class Place:
    """One http(s) address. Raises ValueError, with the way out, for what isn't one plain URL."""

    url: str
    tls: bool = field(init=False)
    host: str = field(init=False)  # without brackets
    port: int = field(init=False)
    target: str = field(init=False)  # path and query

    def __post_init__(self) -> None:
        scheme, host, port, target = _parts(self.url)
        for name, value in (("tls", scheme == "https"), ("host", host), ("port", port), ("target", target)):
            object.__setattr__(self, name, value)

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.tls else "http"] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """The address without what may be a secret: some services put a key into the path or the query."""
        return f"{'https' if self.tls else 'http'}://{self.authority}"


@dataclass(frozen=True, slots=True)
class OAuth:
    """How the guard gets an access token of its own: the variables that hold its client id and secret, and where.

    `issuer` is the authorization server that gets them, where that isn't at the server's own origin. Raises ValueError.
    """

    client_id_env: str
    client_secret_env: str
    scope: str | None = None
    issuer: str | None = None

    def __post_init__(self) -> None:
        if not all(_VARIABLE.fullmatch(one) for one in self.variables):
            raise ValueError("a credential is named by the variable that holds it, such as `DOCS_SECRET`")
        if self.scope is not None and not _SCOPE.fullmatch(self.scope):
            raise ValueError("a scope is words of visible ASCII characters with one space between them")
        if self.issuer is not None:
            place = Place(self.issuer)
            if "?" in self.issuer or not (place.tls or is_loopback(place.host)):
                raise ValueError("an issuer is an https URL without a query")

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables that hold credentials."""
        return self.client_id_env, self.client_secret_env

    def client(self, environ: Mapping[str, str] = os.environ) -> tuple[str, str]:
        """Client id and secret. Raises `NoCredential`."""
        return _credential(self.client_id_env, environ), _credential(self.client_secret_env, environ)


@dataclass(frozen=True, slots=True)
class Remote(Place):
    """One tool server's address, and the names of the variables that hold what it wants to be shown.

    Raises ValueError, with the way out, for an address that isn't one plain http(s) URL, for plain http beyond this
    machine unless `plain_http` says that this is meant, and for a header that the guard makes itself.
    """

    token_env: str | None = None
    headers_env: Mapping[str, str] = field(default_factory=dict)  # header name: variable that holds its value
    plain_http: bool = False
    oauth: OAuth | None = None

    def __post_init__(self) -> None:
        Place.__post_init__(self)
        if not self.tls and not self.plain_http and not is_loopback(self.host):
            raise ValueError(
                "plain http would show every call and its credentials to the network; write https, "
                "or `plain_http: true` where the network is as trusted as this machine"
            )
        self._check_references()

    def _check_references(self) -> None:
        if self.token_env is not None and self.oauth is not None:
            raise ValueError("`token_env` and `oauth` would both fill one header; keep one of the two")
        seen = {"authorization"} if self.token_env is not None or self.oauth is not None else set[str]()
        for name in self.headers_env:
            folded = name.lower()
            if not _HEADER.fullmatch(name):
                raise ValueError(f"`{name[:64]}` can't be the name of a header")
            if folded in _OURS or folded.startswith(_OURS_BEGIN):
                raise ValueError(f"the guard makes the header `{name}` itself; take it out of `headers_env`")
            if folded in seen:
                raise ValueError(f"the header `{name}` would be sent twice; keep one of the two")
            seen.add(folded)
        for variable in self.variables:
            if not _VARIABLE.fullmatch(variable):
                raise ValueError("a credential is named by the variable that holds it, such as `DOCS_TOKEN`")

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables that hold credentials."""
        own = [self.token_env] if self.token_env is not None else []
        return (*own, *self.headers_env.values(), *(self.oauth.variables if self.oauth is not None else ()))

    @property
    def local_only(self) -> bool:
        """Must the connection stay on this machine? A name such as `localhost` could lead elsewhere."""
        return not self.tls and not self.plain_http

    def credentials(self, environ: Mapping[str, str] = os.environ) -> list[tuple[str, str]]:
        """The headers that carry the credentials. Raises `NoCredential`: without them nothing is sent at all."""
        found = []
        if self.token_env is not None:
            found.append(("Authorization", f"Bearer {_credential(self.token_env, environ)}"))
        found += [(name, _credential(variable, environ)) for name, variable in self.headers_env.items()]
        return found


def is_loopback(host: str) -> bool:
    """Does this name or address stand for this machine and nothing else?"""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin_of(url: str) -> str:
    """The origin of an address that a server named, for a person to read; empty if it isn't one."""
    found = _URL.match(url[:MAX_URL])
    return "" if found is None else f"{found[1]}://{found[2]}{f':{found[3]}' if found[3] else ''}"


def _parts(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and target of one URL that every reader reads alike: no user, no fragment, no odd letters."""
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise ValueError("an address holds no user and no password; name a variable with `token_env` or `headers_env`")
    found = _URL.fullmatch(url) if len(url) <= MAX_URL else None
    if found is None:
        raise ValueError("an address is written in full and in ASCII, such as `https://docs.example.com/mcp`")
    scheme, host, port = found[1], found[2], int(found[3] or _PORTS[found[1]])
    target = (found[4] or "/") + (found[5] or "")
    if host.startswith("["):
        host = host[1:-1]
        ipaddress.IPv6Address(host)  # a ValueError of its own
    if not 0 < port < 65536 or not _TARGET.fullmatch(target):
        raise ValueError("an address has a port up to 65535, no fragment, and other characters as %-escapes only")
    return scheme, host, port, target


def _credential(variable: str, environ: Mapping[str, str]) -> str:
    value = environ.get(variable, "")
    if not value:
        raise NoCredential(f"the variable `{variable}`, which holds its credential, is not set")
    if len(value) > MAX_CREDENTIAL or not _VALUE.fullmatch(value):
        raise NoCredential(f"what the variable `{variable}` holds can't stand in a header (a line break, perhaps)")
    return value
