"""Bounded newline framing over asyncio pipes, by callbacks: no task and no thread where nothing waits.

Knows bytes and flow control, nothing of JSON.
"""

from __future__ import annotations

import asyncio
from asyncio.streams import FlowControlMixin
from collections.abc import Callable
from typing import IO, Any

from mcp_guard.wire import MAX_LINE


class LineReader(asyncio.Protocol):
    """Calls `on_line` with each line and `on_end` once, with the reason, when no more will come.

    A line over `limit` bytes ends the stream: what follows it could not be told apart from its rest. Reading stays
    linear in the bytes read, whatever their chunks.
    """

    def __init__(self, on_line: Callable[[bytes], None], on_end: Callable[[str], None], limit: int = MAX_LINE) -> None:
        self._on_line = on_line
        self._on_end = on_end
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._ended = False
        self.transport: asyncio.ReadTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # asyncio types the base class only

    def data_received(self, data: bytes) -> None:
        *lines, rest = data.split(b"\n")
        for line in lines:
            if self._parts:
                self._parts.append(line)
                line = b"".join(self._parts)
                self._parts, self._size = [], 0
            if len(line) > self._limit:
                return self._too_long()
            if line and not line.isspace() and not self._ended:
                self._on_line(line)
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
            if self._size > self._limit:
                self._too_long()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish("closed" if exc is None else f"broken: {type(exc).__name__}")

    def close(self) -> None:
        """Stop reading; `on_end` follows unless it was already called."""
        if self.transport is not None:
            self.transport.close()

    def _too_long(self) -> None:
        self._parts, self._size = [], 0
        self.close()
        self._finish(f"a line of more than {self._limit} bytes")

    def _finish(self, why: str) -> None:
        if not self._ended:
            self._ended = True
            self._on_end(why)


class LineWriter(FlowControlMixin):
    """Writes lines; tells `on_pressure(True)` when the pipe is full, and `on_pressure(False)` when it has drained."""

    def __init__(self, on_pressure: Callable[[bool], None] | None = None) -> None:
        super().__init__()
        self._on_pressure = on_pressure
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def pause_writing(self) -> None:
        if self._on_pressure:
            self._on_pressure(True)

    def resume_writing(self) -> None:
        if self._on_pressure:
            self._on_pressure(False)

    def write(self, message: bytes) -> bool:
        """Hand over one message; False if the pipe is gone, and then no byte of it was sent."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(message + b"\n")
        return True

    @property
    def waiting(self) -> int:
        """Bytes that the other side hasn't taken yet."""
        return self._transport.get_write_buffer_size() if self._transport else 0

    def close(self) -> None:
        """Send what is waiting, then close."""
        if self._transport is not None:
            self._transport.close()


async def connect(reader: LineReader, source: IO[Any], writer: LineWriter, sink: IO[Any]) -> None:
    """Attach both ends to pipes. The writer first: the first line read may want an answer."""
    loop = asyncio.get_running_loop()
    await loop.connect_write_pipe(lambda: writer, sink)
    await loop.connect_read_pipe(lambda: reader, source)
