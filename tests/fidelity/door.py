"""A door before a guarded HTTP address: lets in clients that bring no token, as the suite's do.

The guard demands its bearer token of everybody, and its own address in `Host`. The door adds the one and names the
other where the client named the door; all else, a forged `Host` too, goes through byte for byte. Each connection
carries one request, so that the door has to find only one head in it.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

MAX_HEAD = 64 << 10
"""Bytes of a request's line and headers."""
CHUNK = 64 << 10
NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Door:
    """From `port`, which clients know, to the guard's `inner` port, with the token."""

    port: int
    inner: int
    token: str

    def let_in(self, head: bytes) -> bytes:
        """The head of a request as the guard gets it."""
        line, *headers = head.split(b"\r\n")
        kept = [self._named(header) for header in headers if not header.lower().startswith(b"connection:")]
        ours = [b"Authorization: Bearer " + self.token.encode(), b"Connection: close"]
        return b"\r\n".join([line, *ours, *kept])

    def _named(self, header: bytes) -> bytes:
        """A header that names the door's address names the guard's."""
        name, colon, value = header.partition(b":")
        if name.lower() == b"host" and value.strip().decode("latin-1") in {f"{own}:{self.port}" for own in NAMES}:
            return name + colon + value.replace(b":%d" % self.port, b":%d" % self.inner)
        return header

    @contextlib.asynccontextmanager
    async def open(self):  # type: ignore[no-untyped-def]
        """Listen inside the block."""
        server = await asyncio.start_server(self._through, "127.0.0.1", self.port, limit=MAX_HEAD)
        try:
            yield
        finally:
            server.close()

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            inside, out = await asyncio.open_connection("127.0.0.1", self.inner)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.close()
            return
        out.write(self.let_in(head))
        pumps = [asyncio.ensure_future(_pump(reader, out)), asyncio.ensure_future(_pump(inside, writer))]
        # When either side hangs up, the other has to notice: that is how a call over HTTP is cancelled.
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        await asyncio.wait(pumps)
        for one in (writer, out):
            one.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(CHUNK):
            sink.write(data)
            await sink.drain()
