"""The least that a relay on stdio can do: read a line, map its id, write it on. The yardstick beside the guard.

    python relay.py -- COMMAND ARG...

Judges nothing, records nothing, knows no era and mends nothing. What the guard adds beyond this is the guard's own.
"""

import asyncio
import subprocess
import sys
from collections.abc import Callable

import orjson


class Pipe(asyncio.Protocol):
    """Splits what arrives into lines, and gives each message to `take`."""

    def __init__(self, take: Callable[[dict[str, object]], None], ended: asyncio.Event) -> None:
        self.take, self.ended, self.rest = take, ended, b""

    def data_received(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.take(orjson.loads(line))

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()


class Relay:
    """Maps the client's ids to its own and back; all else passes."""

    def __init__(self) -> None:
        self.ids: dict[object, object] = {}
        self.last = 0
        self.client: asyncio.WriteTransport
        self.server: asyncio.WriteTransport

    def from_client(self, message: dict[str, object]) -> None:
        if "id" in message and "method" in message:
            self.last += 1
            self.ids[self.last] = message["id"]
            message["id"] = self.last
        self.server.write(orjson.dumps(message) + b"\n")

    def from_server(self, message: dict[str, object]) -> None:
        if "id" in message and "method" not in message:
            message["id"] = self.ids.pop(message["id"])
        self.client.write(orjson.dumps(message) + b"\n")


async def relay(child: subprocess.Popen[bytes]) -> None:
    loop, sides, ended = asyncio.get_running_loop(), Relay(), asyncio.Event()
    sides.client, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, sys.stdout)
    sides.server, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, child.stdin)
    await loop.connect_read_pipe(lambda: Pipe(sides.from_server, ended), child.stdout)
    await loop.connect_read_pipe(lambda: Pipe(sides.from_client, ended), sys.stdin)
    await ended.wait()


if __name__ == "__main__":
    command = sys.argv[sys.argv.index("--") + 1 :]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    asyncio.run(relay(server))
    server.terminate()
