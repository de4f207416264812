from __future__ import annotations

import asyncio

from tests.fidelity.door import Door
from tests.patience import PATIENCE
from tests.ports import free_port

DOOR = Door(port=4000, inner=5000, token="let-me-in")


def head(*headers: str) -> bytes:
    return "\r\n".join(["POST /mcp HTTP/1.1", *headers, "", ""]).encode()


def test_the_token_is_added_and_the_doors_own_name_becomes_the_guards() -> None:
    lines = DOOR.let_in(head("Host: localhost:4000", "Connection: keep-alive")).split(b"\r\n")
    assert b"Authorization: Bearer let-me-in" in lines
    assert b"Host: localhost:5000" in lines
    assert b"Connection: keep-alive" not in lines


def test_a_forged_name_reaches_the_guard_as_it_is() -> None:
    for forged in ("evil.example.com", "evil.example.com:4000", "localhost:4001", "localhost:40000"):
        assert f"Host: {forged}".encode() in DOOR.let_in(head(f"Host: {forged}")).split(b"\r\n")


def test_other_headers_and_their_order_stay() -> None:
    sent = ["X-First: 1", "Mcp-Name: =?base64?w6k=?=", "X-First: 2"]
    assert DOOR.let_in(head("Host: localhost:4000", *sent)).decode().split("\r\n")[-5:-2] == sent


async def test_when_the_client_hangs_up_the_guard_notices() -> None:
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def guard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            await arrived.put(data)
        await arrived.put(b"gone")
        writer.close()

    door = Door(free_port(), free_port(), "let-me-in")
    async with await asyncio.start_server(guard, "127.0.0.1", door.inner), door.open():
        _, client = await asyncio.open_connection("127.0.0.1", door.port)
        client.write(head(f"Host: 127.0.0.1:{door.port}") + b"{}")
        async with asyncio.timeout(PATIENCE):
            first = await arrived.get()
            assert b"let-me-in" in first
            body = first.partition(b"\r\n\r\n")[2] or await arrived.get()
            assert body == b"{}"
            client.close()
            assert await arrived.get() == b"gone"
