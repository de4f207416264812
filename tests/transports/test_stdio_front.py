"""The client's end: what it is told for every line it sends, with a conversation that does as it is told."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.transports.front import Answer, Ask, Notify
from mcp_guard.transports.lines import LineReader, LineWriter, connect
from mcp_guard.transports.stdio_front import StdioFront
from tests.patience import PATIENCE
from tests.transports.processes import open_files, until


@dataclass
class Asked:
    """One request that the conversation was given."""

    method: str
    params: Any
    id: int | str
    answer: Answer
    notify: Notify
    cancelled: list[str | None] = field(default_factory=list)

    def cancel(self, reason: str | None = None) -> None:
        self.cancelled.append(reason)


class Scripted:
    """Conversations, of which there is one: keeps what it is given; some methods are answered at once."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.notified: list[tuple[str, Any]] = []
        self.refusals: list[str] = []
        self.paused: list[bool] = []
        self.closed = 0
        self.notify: Notify
        self.ask: Ask

    def open(self, *, principal: str, notify: Notify, ask: Ask | None = None, grant: str = "") -> Scripted:
        assert principal == "somebody"
        assert ask is not None
        self.ask = ask
        self.notify = notify
        return self

    def request(
        self, method: str, params: Any, *, id: int | str, answer: Answer, notify: Notify, ask: Ask | None = None
    ) -> Asked:
        asked = Asked(method, params, id, answer, notify)
        self.asked.append(asked)
        if method == "at once":
            answer({"result": {"at": "once"}})
        if method == "fails":
            raise RuntimeError("hunter2")
        return asked

    def notification(self, method: str, params: Any) -> None:
        self.notified.append((method, params))

    def refused(self, why: str) -> None:
        self.refusals.append(why)
        if len(self.refusals) > 100:
            raise RuntimeError

    def pause(self, paused: bool) -> None:
        self.paused.append(paused)

    def close(self) -> None:
        self.closed += 1


class Client:
    """A front that serves a pair of pipes, and the other ends of them."""

    def __init__(self) -> None:
        self.there = Scripted()
        self.received: list[Any] = []
        self.reader = LineReader(lambda line: self.received.append(json.loads(line)), lambda _: None)
        self.writer = LineWriter()
        self.served: asyncio.Task[None]

    def send(self, *messages: Any) -> None:
        for message in messages:
            line = message if isinstance(message, bytes) else json.dumps({"jsonrpc": "2.0", **message}).encode()
            assert self.writer.write(line)

    async def gets(self, count: int) -> list[Any]:
        await until(lambda: len(self.received) >= count)
        return self.received

    async def given(self, count: int) -> list[Asked]:
        await until(lambda: len(self.there.asked) >= count)
        return self.there.asked


@asynccontextmanager
async def connected(limit: int = 1 << 20) -> AsyncIterator[Client]:
    files = open_files()
    client = Client()
    to_front, from_client = (os.fdopen(fd, mode, 0) for fd, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
    to_client, from_front = (os.fdopen(fd, mode, 0) for fd, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
    front = StdioFront(client.there, "somebody", limit)
    await connect(client.reader, to_client, client.writer, from_client)
    client.served = asyncio.create_task(front.serve(to_front, from_front))
    try:
        yield client
    finally:
        client.writer.close()
        async with asyncio.timeout(PATIENCE):
            await client.served
        client.reader.close()
        await until(lambda: open_files() <= files)
    assert client.there.closed == 1


async def test_a_request_is_answered_under_its_id_and_with_what_the_conversation_says() -> None:
    async with connected() as client:
        client.send({"id": "x", "method": "m", "params": {"a": None}}, {"id": 2, "method": "at once"})
        (first, second) = await client.given(2)
        first.answer({"error": {"code": 5, "message": "no"}})
        assert (first.method, first.params, first.id) == ("m", {"a": None}, "x")
        assert second.params is None
        assert await client.gets(2) == [
            {"jsonrpc": "2.0", "id": 2, "result": {"at": "once"}},
            {"jsonrpc": "2.0", "id": "x", "error": {"code": 5, "message": "no"}},
        ]


async def test_an_id_that_is_under_way_is_refused_and_free_again_after_the_answer() -> None:
    async with connected() as client:
        client.send({"id": 7, "method": "a"}, {"id": 7, "method": "b"})
        (refused,) = await client.gets(1)
        assert (refused["id"], refused["error"]["code"]) == (7, -32600)
        client.there.asked[0].answer({"result": {}})
        client.send({"id": 7, "method": "c"})
        assert [asked.method for asked in await client.given(2)] == ["a", "c"]


async def test_a_number_and_the_same_digits_as_text_are_two_ids() -> None:
    async with connected() as client:
        client.send(*({"id": one, "method": "m"} for one in (7, "7", "s7")))
        asked = await client.given(3)
        for one in reversed(asked):
            one.answer({"result": {"for": one.id}})
        assert [(one["id"], one["result"]["for"]) for one in await client.gets(3)] == [("s7", "s7"), ("7", "7"), (7, 7)]


@pytest.mark.parametrize(
    ("line", "id", "code"),
    [
        (b"{", None, -32700),
        (b"not json", None, -32700),
        (b"\xff\xfe", None, -32700),
        (b"[]", None, -32600),
        (b'{"jsonrpc":"2.0","id":5,"method":"m","params":[]}', 5, -32600),
        (b'{"jsonrpc":"2.0","id":"five","method":"m","params":{"a":1,"A":2}}', "five", -32600),
        (b'{"jsonrpc":"2.0","id":5,"method":"m","params":{"a":1,"a":2}}', None, -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"m"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"m"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"m"}', None, -32600),
        (b'{"jsonrpc":"2.0","method":"tools/call"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":5,"method":"m","params":{"a":NaN}}', None, -32700),
    ],
)
async def test_a_line_that_is_no_message_is_recorded_and_answered(line: bytes, id: Any, code: int) -> None:
    async with connected() as client:
        client.send(line, {"id": 9, "method": "at once"})
        refused, answered = await client.gets(2)
        assert (refused["id"], refused["error"]["code"]) == (id, code)
        assert answered["id"] == 9
        assert client.there.refusals == [refused["error"]["message"]]
        assert len(client.there.asked) == 1


async def test_answers_of_the_client_are_recorded_and_answered_by_nothing() -> None:
    async with connected() as client:
        client.send({"id": 1, "result": {}}, {"id": 9, "method": "at once"})
        await client.gets(1)
        assert client.there.refusals == ["an answer to no request"]
        assert [message["id"] for message in client.received] == [9]


async def test_a_conversation_that_fails_is_answered_for_in_fixed_words() -> None:
    async with connected() as client:
        client.send({"id": 1, "method": "fails"}, {"id": 1, "method": "at once"})
        failed, answered = await client.gets(2)
        assert failed["error"]["code"] == -32603
        assert "hunter2" not in json.dumps(failed)
        assert answered["result"] == {"at": "once"}


async def test_a_refusal_that_cannot_be_recorded_is_answered_all_the_same() -> None:
    async with connected() as client:
        client.there.refusals = ["x"] * 100
        client.send(b"{", {"id": 1, "method": "at once"})
        assert [message["id"] for message in await client.gets(2)] == [None, 1]


async def test_a_cancellation_reaches_its_request_once_and_no_answer_follows() -> None:
    cancel = {"method": "notifications/cancelled"}
    async with connected() as client:
        client.send({"id": 7, "method": "a"}, {"id": "7", "method": "b"})
        a, b = await client.given(2)
        client.send({**cancel, "params": {"requestId": "7", "reason": "x" * 1000}})
        client.send({**cancel, "params": {"requestId": "7"}})
        for odd in ({"requestId": True}, {"requestId": None}, {"requestId": 7.0}, {"requestId": [7]}, {}):
            client.send({**cancel, "params": odd})
        client.send(cancel, {"id": 9, "method": "at once"})
        await client.gets(1)
        assert (a.cancelled, b.cancelled) == ([], ["x" * 200])
        b.answer({"result": {"too": "late"}})
        client.send({"id": "7", "method": "c"})  # the id is free
        c = (await client.given(4))[3]
        b.answer({"result": {"too": "late"}})  # and isn't confused with its earlier use
        c.answer({"result": {"c": 1}})
        c.answer({"result": {"c": 2}})
        a.answer({"result": {"a": 1}})
        messages = await client.gets(3)
        assert [message["result"] for message in messages] == [{"at": "once"}, {"c": 1}, {"a": 1}]
        assert client.there.notified == []


async def test_a_cancellation_after_the_answer_changes_nothing() -> None:
    async with connected() as client:
        client.send({"id": 7, "method": "at once"})
        client.send({"method": "notifications/cancelled", "params": {"requestId": 7}}, {"id": 8, "method": "at once"})
        await client.gets(2)
        assert client.there.asked[0].cancelled == []


async def test_notifications_go_both_ways() -> None:
    async with connected() as client:
        client.send({"method": "notifications/initialized"}, {"id": 1, "method": "m"})
        (asked,) = await client.given(1)
        assert client.there.notified == [("notifications/initialized", None)]
        client.there.notify("notifications/tools/list_changed", None)
        asked.notify("notifications/progress", {"progress": 1})
        assert await client.gets(2) == [
            {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"},
            {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}},
        ]


async def test_a_line_over_the_limit_is_recorded_and_answered_and_ends_the_conversation() -> None:
    async with connected(limit=1000) as client:
        client.send({"id": 1, "method": "at once"}, b"x" * 5000)
        await client.served
        assert [message["id"] for message in await client.gets(2)] == [1, None]
        assert client.there.refusals == ["a line of more than 1000 bytes"]


async def test_what_was_written_before_the_end_still_arrives() -> None:
    async with connected() as client:
        client.send({"id": 1, "method": "m"})
        (asked,) = await client.given(1)
        client.reader.pause(True)
        asked.answer({"result": {"x": "x" * 300_000}})
        os.kill(os.getpid(), signal.SIGTERM)
        await until(lambda: client.there.closed)
        client.reader.pause(False)
        await client.served
        assert len((await client.gets(1))[0]["result"]["x"]) == 300_000


async def test_a_client_that_reads_nothing_is_left_after_a_bounded_time() -> None:
    async with connected() as client:
        client.send({"id": 1, "method": "m"})
        (asked,) = await client.given(1)
        client.reader.pause(True)
        asked.answer({"result": {"x": "x" * 1_000_000}})
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            await client.served


async def test_a_client_that_closes_its_reading_end_is_gone() -> None:
    async with connected() as client:
        client.reader.close()
        async with asyncio.timeout(PATIENCE):
            await client.served


async def test_the_end_of_file_ends_the_conversation() -> None:
    async with connected() as client:
        client.writer.close()
        await client.served
        assert client.there.closed == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_ends_the_conversation_in_order(number: signal.Signals) -> None:
    async with connected() as client:
        client.send({"id": 1, "method": "at once"})
        await client.gets(1)
        os.kill(os.getpid(), number)
        async with asyncio.timeout(PATIENCE):
            await client.served
        assert client.there.closed == 1
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_a_client_that_is_not_reading_is_not_read_from_and_its_servers_are_held_back() -> None:
    async with connected() as client:
        client.reader.pause(True)
        client.send({"id": 0, "method": "m"})
        await client.given(1)
        sent = 0
        while client.there.paused != [True]:
            client.there.notify("notifications/message", {"n": sent, "x": "x" * 10_000})
            sent += 1
            assert sent < 100
        client.send({"id": 1, "method": "m"})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.given(2)
        client.reader.pause(False)
        await client.given(2)
        assert len(await client.gets(sent)) == sent
        assert client.there.paused == [True, False]


PRINTING = """
import asyncio, os, subprocess, sys
sys.path.insert(0, sys.argv[1])
from mcp_guard.transports.stdio_front import StdioFront, take_stdio
from tests.transports.test_stdio_front import Scripted
print("before")
sys.stdout.flush()
source, sink = take_stdio()
async def main():
    print("printed by mistake", flush=True)
    os.write(1, b"written by mistake\\n")
    subprocess.run([sys.executable, "-c", "print('by a child'); import sys; print(repr(sys.stdin.read()))"], check=True)
    await StdioFront(Scripted(), "somebody").serve(source, sink)
asyncio.run(main())
print("after")
"""


def test_what_is_printed_by_mistake_does_not_come_between_messages() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINTING, str(Path(__file__).parents[2])],
        input=b'{"jsonrpc":"2.0","id":1,"method":"at once"}\n',
        capture_output=True,
        check=True,
        timeout=PATIENCE,
    )
    first, *rest = done.stdout.splitlines()
    assert first == b"before"
    assert [json.loads(line)["id"] for line in rest] == [1]
    for printed in (b"printed by mistake", b"written by mistake", b"by a child\n''", b"after"):
        assert printed in done.stderr
