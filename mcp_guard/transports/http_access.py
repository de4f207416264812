"""Who may talk to the HTTP front: where its token comes from, and what a request must bring.

Every request brings the token, on loopback too: any process of any user of this machine, and any page in a browser,
can reach a loopback port. Knows header bytes; imports neither `mcp` nor a web framework.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mcp_guard.errors import GuardError, InputError
from mcp_guard.transports.front import Holder

PATH = "/mcp"
METHODS = ("POST", "GET", "DELETE")
MIN_TOKEN = 16
"""Characters that a token from the environment must have at least."""

EXACT_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#*A-Z]+")
"""As browsers send it: scheme, host in lower case, a port that isn't the scheme's own; nothing after it."""

Headers = Sequence[tuple[bytes, bytes]]
"""Header lines as ASGI gives them: names in lower case, repeated ones kept."""

MINTED_BYTES = 32
MINTED = re.compile(rb"[A-Za-z0-9_-]{43}")
"""A token that a guard made."""
_TOKEN = re.compile(r"[\x21-\x7e]+")
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def nobody(credentials: str) -> Holder | None:
    """No mandate token is good here."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a request must bring. `origins` are the exact `Origin` headers that may occur; by default none may.

    Raises InputError for a token that is short or can't stand in a header, and for an origin that isn't exact.
    """

    token: str = field(repr=False)
    origins: frozenset[str] = frozenset()
    holder: str = ""  # who holds the token, where that is known: a minted one's is whoever may read its file
    bearers: Callable[[str], Holder | None] = nobody  # whose mandate token these credentials are, if they are one

    def __post_init__(self) -> None:
        if len(self.token) < MIN_TOKEN:
            raise InputError(f"a token needs {MIN_TOKEN} characters; `openssl rand -hex 32` gives a good one")
        if not _TOKEN.fullmatch(self.token):
            raise InputError("a token has visible ASCII characters only; `openssl rand -hex 32` gives a good one")
        for origin in self.origins:
            if not EXACT_ORIGIN.fullmatch(origin):
                raise InputError(f"`{origin}` is not an exact origin such as `https://app.example`")

    @property
    def principal(self) -> str:
        """Names the holder of the token in documents and in the record, without giving it away.

        It stays the same over restarts, so that a restart sheds no history.
        """
        return self.holder or f"http:{hashlib.sha256(self.token.encode()).hexdigest()[:8]}"


class Refused(GuardError):
    """A request that goes no further: its HTTP status, what it is told, and the headers that go with it."""

    def __init__(self, status: int, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


def check_request(access: Access, hosts: Collection[str], method: str, path: str, headers: Headers) -> Holder:
    """Who sent it; raises `Refused` unless it may be read further. Nothing of its body has been read yet.

    The order matters: what a browser was tricked into sending learns nothing but that, and only a holder of the token
    gets past the path.
    """
    host = values(headers, b"host")
    if len(host) != 1 or host[0].decode("latin-1").lower() not in hosts:
        raise Refused(421, "the Host header doesn't name this server")  # DNS rebinding
    if any(origin.decode("latin-1") not in access.origins for origin in values(headers, b"origin")):
        raise Refused(403, "this origin isn't allowed")  # a page in a browser
    if path != PATH:
        raise Refused(404, "there is nothing here")
    holder = holder_of(access, headers)
    if holder is None:
        raise Refused(401, "a bearer token is needed", ((b"www-authenticate", b"Bearer"),))
    if method not in METHODS:
        raise Refused(405, "the method isn't allowed", ((b"allow", ", ".join(METHODS).encode()),))
    return holder


def holder_of(access: Access, headers: Headers) -> Holder | None:
    """Whose token does the one Authorization header carry? The guard's own is compared in constant time."""
    sent = values(headers, b"authorization")
    if len(sent) != 1:  # of two, another reader might take the other
        return None
    scheme, _, credentials = sent[0].partition(b" ")
    if scheme.lower() != b"bearer":
        return None
    if hmac.compare_digest(credentials, access.token.encode()):
        return Holder(access.principal)
    return access.bearers(credentials.decode()) if MINTED.fullmatch(credentials) else None


def values(headers: Headers, name: bytes) -> list[bytes]:
    """The values of every header line called `name`."""
    return [value for key, value in headers if key == name]


def token_from_env(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """The token in the environment variable `name`. Raises InputError when it is missing, short or not a token."""
    token = environ.get(name, "")
    if not token:
        raise InputError(f"`--token-env {name}`: the variable is not set")
    try:
        return Access(token).token
    except InputError as error:
        raise InputError(f"`--token-env {name}`: {error}") from None


@contextmanager
def token_file(path: Path) -> Iterator[str]:
    """Mint a token, keep it in a new file at `path` that only its owner can read, and remove the file at the end.

    The file is locked meanwhile, so that one which a killed guard left behind is told from one in use, and replaced.
    Raises InputError when anything else, a symbolic link too, already stands at `path`: a token written over another
    guard's would lock its clients out.
    """
    token = secrets.token_urlsafe(MINTED_BYTES)
    try:
        _clear_stale(path)
        descriptor = _create(path, token)
    except FileExistsError:
        raise InputError(
            f"another guard runs on this port: use another port; if none does, remove `{path}`, which exists"
        ) from None
    except OSError as error:
        raise InputError(f"can't write the token file `{path}`: {error.strerror}") from error
    try:
        yield token
    finally:
        with suppress(OSError):
            if _identity(os.lstat(path)) == _identity(os.fstat(descriptor)):  # not one that somebody put in its place
                path.unlink()
        os.close(descriptor)


def _clear_stale(path: Path) -> None:
    """Remove a token file of ours that nobody holds locked: the guard that made it was killed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_FOLLOW | os.O_NONBLOCK)
    except OSError:
        return  # nothing there, or nothing that we made: creating tells
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        mine = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_mode & 0o077 == 0
        if not mine or not MINTED.fullmatch(file.read(MINTED_BYTES * 2)):
            return
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _identity(os.lstat(path)) == _identity(found):
                path.unlink()


def _create(path: Path, token: str) -> int:
    """Write and lock beside `path`, then link into place: whoever sees the file sees all of it, and it is in use.

    Returns the open descriptor, which holds the lock.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, token.encode())
        os.link(draft, path, follow_symlinks=False)
    except BaseException:
        os.close(descriptor)
        raise
    finally:
        draft.unlink()
    return descriptor


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
