"""The access token of one server that is reached by URL: got for client credentials, kept in memory, renewed in time.

One for all sessions of the guard with that server. Nothing of it is written anywhere. A call is never sent again with a
new token: one that a server refused is told as what it is, and the next one has the new token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from mcp_guard import log
from mcp_guard.errors import GuardError
from mcp_guard.transports.http_link_remote import OAuth, Place, Remote
from mcp_guard.transports.http_oauth_fetch import Reach, fetch
from mcp_guard.transports.http_oauth_metadata import (
    NoToken,
    issuer_of,
    issuer_places,
    object_in,
    protected_resource_places,
    resource_of,
    token_in,
    token_place,
    token_request,
)

RENEWED_AT = 0.8
"""The part of a token's life after which it is renewed."""
AGAIN_AFTER = 10.0
"""Seconds after which a renewal that failed is tried again, and between two that a server's refusals cause."""


class Token:
    """`value` is what is sent; empty: there is none at the moment."""

    def __init__(self, remote: Remote, oauth: OAuth) -> None:
        self.users = 0
        self._remote = remote
        self._oauth = oauth
        self._token = ""
        self._until = 0.0
        self._asked = -AGAIN_AFTER
        self._timer: asyncio.TimerHandle | None = None
        self._getting: asyncio.Task[None] | None = None

    @property
    def value(self) -> str:
        return self._token if asyncio.get_running_loop().time() < self._until else ""

    async def ready(self) -> None:
        """Return once there is a token. Raises `NoToken`, or `NoCredential` for a variable that isn't set."""
        if not self.value:
            await asyncio.shield(self._get())

    def refused(self) -> None:
        """The server doesn't take this one: get another, but not for every call that it refuses."""
        if asyncio.get_running_loop().time() - self._asked > AGAIN_AFTER:
            self._renew()

    def close(self) -> None:
        self._token = ""
        if self._timer is not None:
            self._timer.cancel()
        if self._getting is not None:
            self._getting.cancel()

    def _get(self) -> asyncio.Task[None]:
        """The attempt that is under way, or a new one: many sessions may want one token at once."""
        if self._getting is None or self._getting.done():
            self._asked = asyncio.get_running_loop().time()
            self._getting = asyncio.get_running_loop().create_task(self._got())
        return self._getting

    async def _got(self) -> None:
        token, seconds = await obtain(self._remote, self._oauth)
        loop = asyncio.get_running_loop()
        self._token, self._until = token, loop.time() + seconds
        self._later(seconds * RENEWED_AT)

    def _later(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._renew)

    def _renew(self) -> None:
        self._get().add_done_callback(self._renewed)

    def _renewed(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        failure = task.exception()
        if failure is not None:
            why = str(failure) if isinstance(failure, GuardError) else type(failure).__name__
            log.warning("an access token could not be renewed", server=self._remote.origin, why=why)
            self._later(AGAIN_AFTER)


async def obtain(remote: Remote, oauth: OAuth) -> tuple[str, float]:
    """A new access token and the seconds that it is good for: discovery, then the request. Raises `NoToken`."""
    client = oauth.client()
    issuer = issuer_of(await _first(remote, protected_resource_places(remote)), remote, oauth)
    document = await _first(remote, issuer_places(issuer))
    if document is None:
        raise NoToken("the authorization server has no metadata")
    place = token_place(document, issuer)
    headers, body = token_request(document, oauth, client, resource_of(remote))
    status, answer = await fetch(place, _reach(place, remote, issuer), headers, body)
    if status != 200:
        raise NoToken(f"the authorization server gives no token (HTTP {status}); see {' and '.join(oauth.variables)}")
    return token_in(object_in(answer))


def _reach(place: Place, remote: Remote, issuer: str) -> Reach:
    """A person named the server and, if it isn't there, the issuer; any other place has to be public."""
    if place.origin == remote.origin:
        return Reach.PLAIN if remote.plain_http else Reach.NAMED
    return Reach.NAMED if place.origin == Place(issuer).origin else Reach.PUBLIC


async def _first(remote: Remote, places: Iterable[str]) -> dict[str, Any] | None:
    """The first document that is there. These stand at the server's own origin, or at the issuer's that was named."""
    for url in places:
        status, body = await fetch(Place(url), _reach(Place(url), remote, url))
        if status == 200:
            return object_in(body)
        if status not in (401, 403, 404, 405, 410):
            raise NoToken(f"{Place(url).origin} gives no metadata (HTTP {status}); redirects aren't followed")
    return None


_tokens: dict[tuple[asyncio.AbstractEventLoop, str, OAuth], Token] = {}


def token_for(remote: Remote) -> Token | None:
    """The token of this loop for this server, shared by all its sessions; `give_back` it. None: it has no OAuth."""
    if remote.oauth is None:
        return None
    key = asyncio.get_running_loop(), remote.url, remote.oauth
    token = _tokens.setdefault(key, Token(remote, remote.oauth))
    token.users += 1
    return token


def give_back(token: Token) -> None:
    """One user less; with the last one it is forgotten."""
    token.users -= 1
    if token.users == 0:
        for key in [key for key, other in _tokens.items() if other is token]:
            del _tokens[key]
        token.close()
