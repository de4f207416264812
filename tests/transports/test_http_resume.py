"""A legacy client whose connection broke comes back for the rest; and what of that is kept, for whom."""

from __future__ import annotations

import gc
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2
import pytest
from mcp_types import JSONRPCError, JSONRPCResponse

from mcp_guard.transports.http_intake import Bounds
from mcp_guard.transports.http_resume import KEPT_BYTES, KEPT_EVENTS, SessionEvents, Sessions
from tests.patience import PATIENCE
from tests.transports.http_support import LEGACY, Conversations, Request, events, front, handshake, http, message

SLOW = message("tools/call", {"name": "slow"}, 7)
DONE: dict[str, Any] = {"content": [], "x-unknown": None}


@dataclass
class Broken:
    """A call whose connection broke: where, in which session, after which event, and the call as the gateway has it."""

    client: httpx2.AsyncClient
    url: str
    session: dict[str, str]
    last: str
    call: Request
    conversations: Conversations

    async def come_back(self, there: anyio.Event | None = None) -> list[object]:
        """What arrives on a stream that is asked for from an event on, until the first answer. `there` is set with the
        first byte of it."""
        headers = {**self.session, "last-event-id": self.last}
        text = ""
        async with self.client.stream("GET", self.url, headers=headers) as stream:
            with anyio.fail_after(PATIENCE):
                async for piece in stream.aiter_text():
                    text += piece
                    if there is not None:
                        there.set()
                    if '"result"' in text or '"error"' in text:
                        break
        return events(text)


def first_id(text: str) -> str | None:
    found = re.search(
        r"^id: (\S+)\r\nretry: 1000\r\ndata: \r\n|^id: (\S+)\r\ndata: \r\nretry: 1000", text, re.MULTILINE
    )
    return (found[1] or found[2]) if found else None


@asynccontextmanager
async def broken(reconnection: float = 30.0, revision: str = LEGACY) -> AsyncIterator[Broken]:
    """Begin a slow call, read the first event of its stream, and hang up."""
    conversations = Conversations()
    async with front(conversations, bounds=Bounds(reconnection=reconnection)) as url, http() as client:
        session = {**await handshake(client, url), "mcp-protocol-version": revision}
        text = ""
        async with client.stream("POST", url, json=SLOW, headers=session) as stream:
            [call] = await conversations.call("slow")
            if revision == LEGACY:
                async for piece in stream.aiter_text():
                    text += piece
                    if first_id(text):
                        break
        yield Broken(client, url, session, first_id(text) or "", call, conversations)


async def test_a_client_that_comes_back_gets_the_answer_that_it_missed() -> None:
    async with broken() as it:
        it.call.notify("notifications/progress", {"progressToken": 1, "progress": 1})
        it.call.answer({"result": DONE})
        told, answer = await it.come_back()
        assert told["method"] == "notifications/progress"  # type: ignore[index]
        assert answer == {"jsonrpc": "2.0", "id": 7, "result": DONE}
    assert it.call.cancelled == []


async def test_a_client_that_comes_back_before_the_answer_waits_for_it() -> None:
    async with broken() as it, anyio.create_task_group() as tasks:
        arrived: list[object] = []
        there = anyio.Event()

        async def come_back() -> None:
            arrived.extend(await it.come_back(there))

        tasks.start_soon(come_back)
        with anyio.fail_after(PATIENCE):
            await there.wait()
        it.call.answer({"result": DONE})
    assert arrived == [{"jsonrpc": "2.0", "id": 7, "result": DONE}]
    assert it.call.cancelled == []


async def test_a_client_that_stays_away_cancels_its_call() -> None:
    async with broken(reconnection=0.1) as it:
        with anyio.fail_after(PATIENCE):
            await it.call.cancelling.wait()
    assert it.call.cancelled == ["the client disconnected"]


async def test_a_client_that_came_back_and_left_again_cancels_its_call() -> None:
    async with broken(reconnection=0.5) as it:
        headers = {**it.session, "last-event-id": it.last}
        async with it.client.stream("GET", it.url, headers=headers) as stream:
            assert stream.status_code == 200
            assert it.call.cancelled == []
        with anyio.fail_after(PATIENCE):
            await it.call.cancelling.wait()
    assert it.call.cancelled == ["the client disconnected"]


async def test_an_older_client_that_has_no_id_to_come_back_with_is_not_waited_for() -> None:
    async with broken(revision="2025-06-18") as it:
        with anyio.fail_after(PATIENCE):
            await it.call.cancelling.wait()
    assert it.call.cancelled == ["the client disconnected"]


async def test_the_id_of_a_call_stays_taken_while_its_client_is_away_and_no_longer() -> None:
    async with broken() as it:
        again = message("tools/call", {"name": "echo"}, 7)
        taken = await it.client.post(it.url, json=again, headers=it.session)
        assert (taken.status_code, taken.json()["error"]["code"]) == (400, -32600)
        it.call.answer({"result": DONE})
        await it.come_back()
        free = await it.client.post(it.url, json=again, headers=it.session)
        assert events(free.text)[-1]["result"]["content"]
    assert len(it.conversations.opened[0].calls("echo")) == 1


async def test_a_cancellation_reaches_a_call_whose_client_is_away() -> None:
    async with broken() as it:
        cancel = message("notifications/cancelled", {"requestId": 7, "reason": "enough"}, id=None)
        assert (await it.client.post(it.url, json=cancel, headers=it.session)).status_code == 202
        with anyio.fail_after(PATIENCE):
            await it.call.cancelling.wait()
    assert it.call.cancelled == ["enough"]


async def test_an_event_of_another_session_leads_nowhere() -> None:
    async with broken() as it:
        it.call.answer({"result": {"content": [], "secret": 1}})
        other = await handshake(it.client, it.url)
        headers = {**other, "last-event-id": it.last}
        async with it.client.stream("GET", it.url, headers=headers) as stream:
            it.conversations.opened[1].notify("notifications/tools/list_changed", None)
            text = ""
            with anyio.fail_after(PATIENCE):
                async for piece in stream.aiter_text():
                    text += piece
                    if "list_changed" in text:
                        break
        assert [event["method"] for event in events(text)] == ["notifications/tools/list_changed"]
        assert "secret" not in text


def answer(text: str, id: int = 1) -> JSONRPCResponse:
    return JSONRPCResponse(jsonrpc="2.0", id=id, result={"text": text})


def test_events_are_given_in_order_after_the_one_that_was_seen_and_of_its_stream_only() -> None:
    kept = SessionEvents()
    first = kept.keep("1", None)
    kept.keep("2", answer("other", 2))
    second = kept.keep("1", answer("a"))
    kept.keep("1", answer("b"))
    assert [message.result for _, message in kept.after(first) if isinstance(message, JSONRPCResponse)] == [
        {"text": "a"},
        {"text": "b"},
    ]
    assert len(list(kept.after(second))) == 1


@pytest.mark.parametrize("known", ["1", "", "x-1", "-1"])
def test_an_id_that_was_never_given_is_no_event(known: str) -> None:
    kept = SessionEvents()
    kept.keep("1", None)
    assert kept.stream_of(known) is None
    assert list(kept.after(known)) == []


def test_two_sessions_give_no_id_twice() -> None:
    assert SessionEvents().keep("1", None) != SessionEvents().keep("1", None)


def test_what_is_kept_is_bounded_by_number_and_by_bytes() -> None:
    kept = SessionEvents()
    ids = [kept.keep("1", None) for _ in range(KEPT_EVENTS + 1)]
    assert kept.stream_of(ids[0]) is None
    assert kept.stream_of(ids[1]) == "1"
    large = [kept.keep("1", answer("x" * (KEPT_BYTES // 2))) for _ in range(2)]
    assert kept.stream_of(ids[-1]) is None
    assert [kept.stream_of(one) for one in large] == [None, "1"]


def test_an_answer_too_large_to_keep_is_replaced_by_one_that_says_so() -> None:
    kept = SessionEvents()
    first = kept.keep("1", None)
    kept.keep("1", answer("x" * KEPT_BYTES))
    [(_, message)] = kept.after(first)
    assert isinstance(message, JSONRPCError)
    assert message.id == 1
    assert "too large" in message.error.message


def test_the_events_of_a_session_go_with_it() -> None:
    sessions, kept = Sessions(), SessionEvents()
    sessions.begun("s", kept)
    assert sessions.of("s") is kept
    del kept
    gc.collect()
    assert sessions.of("s") is None
    assert sessions.of(None) is None
