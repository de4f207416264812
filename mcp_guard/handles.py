"""Handles that outlive a call: what a client holds instead of a server's own state, task or subscription.

A server's handle in a client's hands would let that client, or whoever read it, go on with another one's work, or with
another call than the one that was judged. So the guard hands out its own: authenticated with a key that only the guard
has, and bound to what the handle was given out for. Opening one for anything else gives nothing, and doesn't say why.
Nor can it be read: a server's own state is in it, which no inspection has looked at.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mcp_guard.errors import Malformed
from mcp_guard.wire import keyed_digest, parse_arguments, serialize

MAX_INNER = 64 << 10
"""Bytes that a handle may carry for the guard: most of it is the server's own state."""
MAX_HANDLE = 2 * MAX_INNER
MAX_SPENT = 100_000
"""Used handles that are remembered until they are too old; with more, none is opened any more."""
_VERSION = "g1"
_NONCE = 24
"""Random bytes of each handle: so many that none comes twice."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A handle that was given out for this very purpose."""

    inner: Mapping[str, Any]
    nonce: str
    until: float  # seconds since 1970
    handle: str  # itself, as the client holds it


class Handles:
    """Mints and opens handles. One for a guard process; `key` is the record's, which other processes share."""

    def __init__(self, key: bytes, random: Callable[[int], bytes] = os.urandom) -> None:
        self._key = hmac.digest(key, b"mcp_guard handles", "sha256")  # never the key that digests what is recorded
        self._hiding = hmac.digest(key, b"mcp_guard handles, hidden", "sha256")
        self._random = random
        self._spent: dict[str, float] = {}

    def mint(
        self, kind: str, bound: Mapping[str, Any], inner: Mapping[str, Any], now: datetime, lifetime: timedelta
    ) -> str | None:
        """A handle of this kind, for what `bound` says and nothing else; None if `inner` is too much to carry."""
        body = {
            "kind": kind,
            "bound": keyed_digest(self._key, [kind, dict(bound)]),
            "nonce": self._random(12).hex(),
            "until": (now + lifetime).timestamp(),
            "inner": dict(inner),
        }
        text = serialize(body)
        return None if len(text) > MAX_INNER else self._signed(self._hidden(text))

    def _hidden(self, text: bytes) -> str:
        nonce = self._random(_NONCE)
        return urlsafe_b64encode(nonce + self._mixed(nonce, text)).decode()

    def _shown(self, body: str) -> str:
        raw = urlsafe_b64decode(body)
        return self._mixed(raw[:_NONCE], raw[_NONCE:]).decode()

    def _mixed(self, nonce: bytes, text: bytes) -> bytes:
        """Hides a text, and shows a hidden one: SHAKE256 of key and nonce is as long a one-time pad as is needed.

        A nonce is used once, and what comes back is authenticated before it is mixed.
        """
        pad = hashlib.shake_256(self._hiding + nonce).digest(len(text))
        return (int.from_bytes(pad) ^ int.from_bytes(text)).to_bytes(len(text))

    def _signed(self, body: str) -> str:
        mark = hmac.digest(self._key, body.encode(), "sha256")
        return f"{_VERSION}.{body}.{urlsafe_b64encode(mark).decode()}"

    def open(self, kind: str, bound: Mapping[str, Any], handle: object, now: datetime) -> Opened | None:
        """What a handle carries, if it was given out for exactly this, isn't too old, and wasn't used up."""
        if not isinstance(handle, str) or len(handle) > MAX_HANDLE or not handle.isascii():
            return None
        body = handle.removeprefix(f"{_VERSION}.").rpartition(".")[0]
        # The whole text is compared: of one handle there is one spelling. Nothing of it is read before.
        if not hmac.compare_digest(self._signed(body), handle):
            return None
        try:
            said = parse_arguments(self._shown(body))
        except (Malformed, ValueError, json.JSONDecodeError):
            return None
        if said["kind"] != kind or not hmac.compare_digest(
            str(said["bound"]), keyed_digest(self._key, [kind, dict(bound)])
        ):
            return None
        opened = Opened(said["inner"], said["nonce"], said["until"], handle)
        return None if opened.until <= now.timestamp() or self.spent(opened, now) else opened

    def spent(self, opened: Opened, now: datetime) -> bool:
        """Was this one used up? Where too many are remembered to be sure of any, yes."""
        if len(self._spent) >= MAX_SPENT:
            self._spent = {nonce: until for nonce, until in self._spent.items() if until > now.timestamp()}
        return opened.nonce in self._spent or len(self._spent) >= MAX_SPENT

    def spend(self, opened: Opened) -> None:
        """It is used up: no later opening gives anything."""
        self._spent[opened.nonce] = opened.until

    def give_back(self, opened: Opened) -> None:
        """It wasn't used after all: no byte of what it was opened for left."""
        self._spent.pop(opened.nonce, None)
