"""What uvicorn writes for one response leaves in one write."""

from __future__ import annotations

import asyncio
from typing import Any

from mcp_guard.transports.http_together import HELD_BYTES, Together


class Wire:
    """A transport that keeps what it was told."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.written.append(b"closed")

    def is_closing(self) -> bool:
        return False


def together() -> tuple[Any, Wire]:
    wire = Wire()
    return Together(wire), wire  # type: ignore[arg-type]


async def test_what_is_written_in_one_moment_leaves_as_one() -> None:
    transport, wire = together()
    for part in (b"head", b"body", b""):
        transport.write(part)
    assert wire.written == []
    await asyncio.sleep(0)
    assert wire.written == [b"headbody"]
    transport.write(b"next")
    await asyncio.sleep(0)
    assert wire.written == [b"headbody", b"next"]


async def test_what_is_held_back_leaves_before_the_connection_closes_and_only_once() -> None:
    transport, wire = together()
    transport.write(b"last words")
    transport.close()
    await asyncio.sleep(0)
    assert wire.written == [b"last words", b"closed"]


async def test_no_more_is_held_back_than_a_bound_and_the_order_stays() -> None:
    transport, wire = together()
    transport.write(b"head")
    transport.write(b"x" * HELD_BYTES)
    assert wire.written == [b"head", b"x" * HELD_BYTES]
    transport.write(b"tail")
    await asyncio.sleep(0)
    assert wire.written[2:] == [b"tail"]


def test_the_rest_is_the_transports_own() -> None:
    async def asked() -> None:
        assert together()[0].is_closing() is False

    asyncio.run(asked())
