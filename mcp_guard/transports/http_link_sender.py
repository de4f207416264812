"""The HTTP requests of one link: where they go and what they carry beside a message. Reads no answer.

Every header is the guard's own: its credentials, the session that the server gave it, and what `http_link_headers`
computes. Nothing that a client sent as a header gets here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Any

import h11

from mcp_guard import __version__
from mcp_guard.eras import LEGACY_REVISIONS
from mcp_guard.transports.http_link_pool import give_back, pool_for
from mcp_guard.transports.http_link_remote import Remote
from mcp_guard.transports.http_link_reply import Reply
from mcp_guard.transports.http_oauth_token import give_back as give_token_back
from mcp_guard.transports.http_oauth_token import token_for

_BOTH = "application/json, text/event-stream"
_STREAM = "text/event-stream"
LEAST_SECRET = 8
"""Bytes of a credential; a shorter one may be a part of anything."""
_SESSION_ID = re.compile(rb"[\x21-\x7e]{1,1024}")


class Sender:
    """Sends to one remote server, within one session of it if that has any.

    Raises `http_link_remote.NoCredential`. `close` gives the connections back.
    """

    def __init__(self, remote: Remote) -> None:
        self.session: str | None = None
        self._revision: str | None = None
        self._target = remote.target
        credentials = remote.credentials()
        self._secrets = [word.encode() for _, value in credentials for word in (value, value.removeprefix("Bearer "))]
        self._always = [
            ("Host", remote.authority),
            ("User-Agent", f"mcp-guard/{__version__}"),
            ("Accept-Encoding", "identity"),
            *credentials,
        ]
        self._token = token_for(remote)
        self._pool = pool_for(remote)
        self._closed = False

    def masked(self, body: bytes) -> bytes:
        """What a server says of a refusal, less the credentials that it was shown: some repeat what they refuse."""
        for secret in self._shown():
            body = body.replace(secret, b"...")
        return body

    def without_credentials(self, data: bytes, message: dict[str, Any]) -> dict[str, Any]:
        """A server's message, less the guard's credentials in any text of it: tools that show what they were sent do.

        `data` are its bytes: only where one stands in them is anything looked at. A server that means to give one away
        finds another spelling; it has the credential, after all.
        """
        there = [secret.decode() for secret in self._shown() if secret in data]
        return _masked(message, there) if there else message

    def _shown(self) -> list[bytes]:
        token = [self._token.value.encode()] if self._token is not None else []
        return [secret for secret in (*self._secrets, *token) if len(secret) >= LEAST_SECRET]

    async def ready(self) -> None:
        """Return once there is all that has to be shown. Raises `http_oauth_metadata.NoToken`."""
        if self._token is not None:
            await self._token.ready()

    @property
    def lacks(self) -> str:
        """Why nothing may be sent at the moment; empty if all is well."""
        return "it has no access token" if self._token is not None and not self._token.value else ""

    def refused(self) -> None:
        """The server doesn't take the credentials."""
        if self._token is not None:
            self._token.refused()

    @property
    def in_session(self) -> bool:
        """Was `initialize` answered? Only then does this era's server take anything else."""
        return self._revision is not None

    def begin_session(self, session: bytes | None, revision: object) -> bool:
        """What an answer to `initialize` settles. False if the session has an id that can't be repeated."""
        if session is not None and not _SESSION_ID.fullmatch(session):
            return False
        self.session = session.decode("ascii") if session is not None else None
        self._revision = revision if isinstance(revision, str) and revision in LEGACY_REVISIONS else None
        return True

    def post(self, body: bytes, headers: Iterable[tuple[str, str]] | None, reply: Reply) -> None:
        """Send one message. `headers` are those of a modern one; a legacy one (None) gets its session's."""
        own = [("Accept", _BOTH), ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        self._send("POST", [*own, *(self._of_session() if headers is None else headers)], body, reply)

    def get(self, last_id: str | None, reply: Reply) -> None:
        """Open a stream of the session, or go on with one after the event `last_id`."""
        resume = [] if last_id is None else [("Last-Event-ID", last_id)]
        self._send("GET", [("Accept", _STREAM), *self._of_session(), *resume], b"", reply)

    def delete(self, reply: Reply) -> None:
        """Let the server forget the session."""
        self._send("DELETE", self._of_session(), b"", reply)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            give_back(self._pool)
            if self._token is not None:
                give_token_back(self._token)

    def _of_session(self) -> list[tuple[str, str]]:
        headers = [("Mcp-Session-Id", self.session)] if self.session is not None else []
        if self._revision is not None:
            headers.append(("MCP-Protocol-Version", self._revision))
        return headers

    def _send(self, method: str, headers: list[tuple[str, str]], body: bytes, reply: Reply) -> None:
        if self.lacks:  # without credentials nothing is sent at all
            asyncio.get_running_loop().call_soon(reply.failed, self.lacks)
            return
        token = [("Authorization", f"Bearer {self._token.value}")] if self._token is not None else []
        request = h11.Request(method=method, target=self._target, headers=[*self._always, *token, *headers])
        reply.exchange = self._pool.send(request, body, reply)


def _masked(value: Any, secrets: list[str]) -> Any:
    """Bounded in depth by the parser. The protocol's own words (ids, methods, types) are no credentials' length."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "...")
        return value
    if isinstance(value, dict):
        return {_masked(name, secrets): _masked(inner, secrets) for name, inner in value.items()}
    return [_masked(inner, secrets) for inner in value] if isinstance(value, list) else value
