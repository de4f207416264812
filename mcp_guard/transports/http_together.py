"""uvicorn's connection, with one write to the socket where it makes two or three.

It writes a response's head, its body and its end apart, and each write wakes the client. What is written in one moment
of the event loop goes out together here, in its order and before the connection closes.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HELD_BYTES = 64 << 10
"""What is held back at most: more goes out at once, so that the transport sees it, and can say that it is full."""


class Together:
    """A transport that writes a moment later. All that it doesn't know is the transport's own."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not data:
            return
        self._size += len(data)
        if self._size > HELD_BYTES:
            self._flush()
            self._transport.write(data)
            return
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        held, self._held, self._size = self._held, [], 0
        if held:
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))


class TogetherProtocol(H11Protocol):
    """What uvicorn runs for each connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(Together(transport))  # type: ignore[arg-type]  # in all that is used of it
