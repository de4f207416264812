"""Bounded newline framing over asyncio pipes, by callbacks: no task and no thread where nothing waits.

Knows bytes and flow control, nothing of JSON.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio.streams import FlowControlMixin
from collections.abc import Callable
from typing import IO, Any

from mcp_guard.wire import MAX_LINE

PIPE_SIZE = 64 << 10
"""Bytes that a pipe holds by default."""
TOGETHER = 8
"""Messages that are written at once, when so many lines came at once. More would let the other side wait for them."""


class _Batch(threading.local):
    """The writers that hold something back while the lines of one read are handled; None while they don't."""

    writers: list[LineWriter] | None = None


_batch = _Batch()


class LineReader(asyncio.Protocol):
    """Calls `on_line` with each line and `on_end` once, with the reason, when no more will come.

    A line over `limit` bytes ends the stream: what follows it could not be told apart from its rest. Reading stays
    linear in the bytes read, whatever their chunks. A last line without its end is dropped: it may be half of one.
    """

    def __init__(self, on_line: Callable[[bytes], None], on_end: Callable[[str], None], limit: int = MAX_LINE) -> None:
        self._on_line = on_line
        self._on_end = on_end
        self._limit = limit
        self._rest = bytearray()  # one buffer, not a list of chunks: those of one byte would take 40 times their size
        self._paused = False
        self._closed = False
        self._ended = False
        self._transport: asyncio.ReadTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # asyncio types the base class only
        # asyncio asks for 256 KiB at a time: memory that the system maps anew for every line. A pipe holds 64.
        transport.max_size = PIPE_SIZE  # type: ignore[attr-defined]
        if self._closed:
            transport.close()
        elif self._paused:
            self._transport.pause_reading()  # type: ignore[union-attr]

    def data_received(self, data: bytes) -> None:
        end = data.find(b"\n")
        if end == len(data) - 1 and not self._rest and not self._closed and end <= self._limit:  # nearly always
            line = data[:end]
            if line and not line.isspace():
                self._on_line(line)
            return None
        if data.find(b"\n", end + 1) < 0 or _batch.writers is not None:  # less than two lines end here
            return self._take(data)
        # A write wakes another process, which costs more than a judgement: what several lines lead to goes together.
        _batch.writers = []
        try:
            return self._take(data)
        finally:
            held, _batch.writers = _batch.writers, None
            for writer in held:
                writer.release()

    def _take(self, data: bytes) -> None:
        start = 0
        while (end := data.find(b"\n", start)) >= 0:  # of a long line, `find` takes a fraction of what `split` does
            line = data[start:end]
            start = end + 1
            if self._rest:
                self._rest += line
                line = bytes(self._rest)
                self._rest = bytearray()
            if len(line) > self._limit:
                return self._too_long()
            if self._closed:
                return None
            if line and not line.isspace():
                self._on_line(line)
        if len(self._rest) + len(data) - start > self._limit:
            return self._too_long()
        self._rest += data[start:]
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish("closed" if exc is None else f"broken: {type(exc).__name__}")

    def pause(self, paused: bool) -> None:
        """Stop or go on reading; what was read already is still handed over. It may come before the pipe is there."""
        self._paused = paused
        if self._transport is not None and not self._closed:
            self._transport.pause_reading() if paused else self._transport.resume_reading()

    def close(self) -> None:
        """Stop reading: no line follows. `on_end` follows, unless it was already called or no pipe was there."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()

    def _too_long(self) -> None:
        self._rest = bytearray()
        self.close()
        self._finish(f"a line of more than {self._limit} bytes")

    def _finish(self, why: str) -> None:
        self._closed = True
        if not self._ended:
            self._ended = True
            self._on_end(why)


class LineWriter(FlowControlMixin):
    """Writes lines; tells `on_pressure(True)` when the pipe is full, and `on_pressure(False)` when it has drained.

    `on_end` is called once when the pipe is gone, whoever closed it.
    """

    def __init__(
        self, on_pressure: Callable[[bool], None] | None = None, on_end: Callable[[], None] | None = None
    ) -> None:
        super().__init__()
        self._on_pressure = on_pressure
        self._on_end = on_end
        self._closed = False
        self._held: list[bytes] = []
        self._transport: asyncio.WriteTransport | None = None
        self._lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        if self._closed:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._lost.set()
        if self._on_end:
            self._on_end()

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
        if _batch.writers is not None and len(message) <= PIPE_SIZE:
            return self._hold(message, _batch.writers)
        if self._held:
            self.release()
        self._transport.write(message + b"\n")
        return not self._transport.is_closing()  # it is, if the pipe took nothing at all

    def _hold(self, message: bytes, writers: list[LineWriter]) -> bool:
        """Keep it for a moment. A pipe that is gone by then is told of as one that went with the message in it."""
        if not self._held:
            writers.append(self)
        self._held.append(message)
        if len(self._held) >= TOGETHER:
            self.release()
        return True

    def release(self) -> None:
        """Write what is held back, in its order."""
        if self._held and self._transport is not None:
            held, self._held = self._held, []
            if not self._transport.is_closing():
                self._transport.write(b"\n".join(held) + b"\n")

    @property
    def waiting(self) -> int:
        """Bytes that the other side hasn't taken yet."""
        return self._transport.get_write_buffer_size() if self._transport else 0

    def close(self) -> None:
        """Send what is waiting, then close."""
        self.release()
        self._closed = True
        if self._transport is not None:
            self._transport.close()

    async def flushed(self, seconds: float) -> None:
        """After `close`: wait until all is sent; after `seconds`, drop the rest."""
        if self._transport is None:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._lost.wait()
        except TimeoutError:
            self._transport.abort()
            await self._lost.wait()


async def connect(reader: LineReader, source: IO[Any], writer: LineWriter, sink: IO[Any]) -> None:
    """Attach both ends to pipes. The writer first: the first line read may want an answer."""
    loop = asyncio.get_running_loop()
    await loop.connect_write_pipe(lambda: writer, sink)
    await loop.connect_read_pipe(lambda: reader, source)
