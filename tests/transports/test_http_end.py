"""Failures inside the guard, and how the HTTP front ends."""

from __future__ import annotations

import os
import signal
from typing import Any

import anyio
import pytest

from mcp_guard.errors import InputError
from mcp_guard.transports.http import serve
from mcp_guard.transports.http_access import Access
from tests.transports.http_support import (
    TOKEN,
    Conversations,
    events,
    front,
    handshake,
    http,
    message,
    modern,
)


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_an_error_inside_the_guard_says_nothing_about_itself(era: str, caplog: pytest.LogCaptureFixture) -> None:
    async with front(Conversations()) as url, http() as client:
        if era == "legacy":
            session = await handshake(client, url)
            response = await client.post(url, json=message("tools/call", {"name": "breaks"}, 2), headers=session)
            [answer] = events(response.text)
        else:
            body, headers = modern("tools/call", {"name": "breaks"})
            answer = (await client.post(url, json=body, headers=headers)).json()
    assert answer["error"] == {"code": -32603, "message": "internal error"}
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_conversation_that_cannot_be_opened_is_an_error_for_that_request_only() -> None:
    class Full(Conversations):
        def open(self, **_: Any) -> Any:
            raise OSError("/secret is full")

    async with front(Full()) as url, http() as client:
        for _ in range(2):
            body, headers = modern("tools/call", {"name": "echo"})
            response = await client.post(url, json=body, headers=headers)
            assert response.json()["error"] == {"code": -32603, "message": "internal error"}


async def test_an_answer_that_is_neither_result_nor_error_is_an_internal_error() -> None:
    script = {"odd": lambda request: request.answer({"error": {"code": "x"}})}
    async with front(Conversations(**script)) as url, http() as client:
        body, headers = modern("tools/call", {"name": "odd"})
        response = await client.post(url, json=body, headers=headers)
    assert response.json()["error"] == {"code": -32603, "message": "internal error"}


async def test_stopping_answers_what_is_under_way_and_closes_every_conversation() -> None:
    conversations = Conversations()
    answers: list[Any] = []
    async with http() as client, anyio.create_task_group() as tasks, front(conversations) as url:
        session = await handshake(client, url)

        async def old() -> None:
            response = await client.post(url, json=message("tools/call", {"name": "slow"}, 7), headers=session)
            answers.extend(events(response.text))

        async def new() -> None:
            body, headers = modern("tools/call", {"name": "slow"}, 7)
            answers.append((await client.post(url, json=body, headers=headers)).json())

        async def listen() -> None:
            async with client.stream("GET", url, headers=session) as stream:
                with pytest.raises(Exception, match="peer closed connection"):
                    await stream.aread()

        for task in (old, new, listen):
            tasks.start_soon(task)
        await conversations.call("slow", 2)
        began = anyio.current_time()
    assert anyio.current_time() - began < 2
    assert [answer["error"]["code"] for answer in answers] == [-32011, -32011]
    assert [each.calls("slow")[0].cancelled for each in conversations.opened] == [["the guard is stopping"]] * 2
    assert [each.closed for each in conversations.opened] == [1, 1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_front_in_order(number: signal.Signals) -> None:
    conversations = Conversations()
    ready = anyio.Event()
    urls: list[str] = []

    def on_ready(url: str) -> None:
        urls.append(url)
        ready.set()

    async with http() as client, anyio.create_task_group() as tasks:
        tasks.start_soon(
            lambda: serve(conversations, host="127.0.0.1", port=0, access=Access(TOKEN), on_ready=on_ready)
        )
        await ready.wait()
        await handshake(client, urls[0])
        os.kill(os.getpid(), number)  # would end the tests, were the signal raised again
    assert conversations.opened[0].closed == 1


async def test_a_caller_that_fails_when_it_is_told_the_url_ends_the_front_in_order() -> None:
    def on_ready(url: str) -> None:
        raise OSError("stderr is gone")

    with pytest.raises(ExceptionGroup) as caught:
        await serve(Conversations(), host="127.0.0.1", port=0, access=Access(TOKEN), on_ready=on_ready)
    assert caught.group_contains(OSError, match="stderr is gone")


async def test_bytes_that_are_no_http_leave_no_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with front(Conversations()) as url:
        port = int(url.split(":")[2].removesuffix("/mcp"))
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(b"\x16\x03 your log is mine\r\n\r\n")
            assert b"400" in await stream.receive()
    assert caplog.records == []


async def test_a_place_that_is_taken_is_an_input_error() -> None:
    async with front(Conversations()) as url:
        port = int(url.split(":")[2].removesuffix("/mcp"))
        with pytest.raises(InputError, match="can't listen on"):
            await serve(Conversations(), host="127.0.0.1", port=port, access=Access(TOKEN), on_ready=lambda url: None)


async def test_a_host_that_others_can_reach_is_an_input_error() -> None:
    with pytest.raises(InputError, match="other machines"):
        await serve(Conversations(), host="0.0.0.0", port=0, access=Access(TOKEN), on_ready=lambda url: None)  # noqa: S104
