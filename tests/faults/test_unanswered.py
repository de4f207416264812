"""The ways in which a request could wait for an answer that never comes, each provoked by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h11
import pytest

from mcp_guard.downstream import NOT_OPENED, Downstream, State
from mcp_guard.eras import Era
from mcp_guard.translation.as_legacy import AsLegacy
from mcp_guard.translation.as_modern import AsModern
from mcp_guard.transports.front import Answer
from mcp_guard.transports.http_link_connection import Connection
from mcp_guard.transports.http_link_pool import give_back, pool_for
from mcp_guard.transports.http_link_remote import Remote
from mcp_guard.transports.link import _leaving
from tests.fixtures.http_server import serving, silent
from tests.guards import Given, RecordingDownstream, Scene, tool
from tests.test_downstream import DISCOVER, INITIALIZE, Server, server
from tests.transports.link_support import linked, settle
from tests.transports.processes import until

Reply = dict[str, Any]


class HeldLink:
    """A link that is attached when `go` is set, and answers nothing by itself."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.go = asyncio.Event()
        self.failure = failure
        self.asked: list[tuple[str, Any, Answer]] = []
        self.closed = 0

    async def start(self) -> None:
        await self.go.wait()
        if self.failure is not None:
            raise self.failure

    def request(self, method: str, params: Any, answer: Answer, progress: Any = None) -> int:
        self.asked.append((method, params, answer))
        return len(self.asked)

    def cancel(self, request_id: int, reason: str | None = None) -> None: ...

    def notify(self, method: str, params: Any) -> None: ...

    def pause(self, paused: bool) -> None: ...

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> list[HeldLink]:
    """What a downstream gets for links, in order."""
    made: list[HeldLink] = []
    given = iter(made)
    monkeypatch.setattr(Downstream, "_new_link", lambda self, life: (next(given), "held"))
    return made


def opened(raw: Server, era: Era) -> list[Reply]:
    replies: list[Reply] = []
    method, params = ("initialize", INITIALIZE) if era is Era.LEGACY else ("server/discover", DISCOVER)
    raw.open(era, method, params, replies.append)
    return replies


async def test_an_opening_that_is_overtaken_while_its_link_is_attached_is_answered(links: list[HeldLink]) -> None:
    links += [HeldLink(), HeldLink()]
    raw = server()
    first, second = opened(raw, Era.MODERN), opened(raw, Era.LEGACY)
    for link in links:
        link.go.set()
    await settle()
    assert [one["error"]["code"] for one in first] == [NOT_OPENED]
    assert second == []
    assert [[method for method, *_ in link.asked] for link in links] == [[], ["initialize"]]
    assert [link.closed for link in links] == [1, 0]
    raw.close()


async def test_whatever_goes_wrong_while_a_link_is_attached_is_an_answer(links: list[HeldLink]) -> None:
    links.append(HeldLink(RuntimeError("a secret: hunter2")))
    raw = server()
    replies, parked = opened(raw, Era.LEGACY), list[bool]()
    raw.when_ready(parked.append)
    links[0].go.set()
    await settle()
    assert [one["error"]["code"] for one in replies] == [NOT_OPENED]
    assert "hunter2" not in str(replies)
    assert (raw.state, links[0].closed) == (State.DOWN, 1)
    raw.close()
    assert parked == [False]


async def test_what_is_under_way_or_queued_when_a_session_is_closed_is_answered_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mcp_guard.transports.http_link.MAX_OPEN", 1)
    async with serving(tools_call=silent) as remote, linked(remote) as client:
        await client.open()
        (_, sent), (_, queued) = client.start("tools/call", {"name": "echo"}), client.start("tools/call", {"name": "q"})
        await until(lambda: remote.held == 1)
        client.link.close()
        await until(lambda: sent and queued)
        await settle()
        assert sent == [{"gone": "closed"}]
        assert queued == [{"gone": "closed", "unsent": True}]
        assert len(remote.of("tools/call")) == 1


async def test_a_translated_call_whose_session_ends_still_gets_the_answer_that_comes_and_no_question() -> None:
    link, replies, questions = HeldLink(), list[Reply](), list[Reply]()
    translation = AsModern(link, {"capabilities": {}}, lambda *_: None, shared=False)
    number = translation.request("tools/call", {"name": "a"}, replies.append)
    translation.asked("elicitation/create", {"message": "who?"}, questions.append, number)
    translation.close()
    await asyncio.sleep(0.05)  # longer than a question waits for others
    assert replies == []
    link.asked[0][2]({"result": {"content": []}})
    assert [reply["result"]["content"] for reply in replies] == [[]]


async def test_a_call_whose_client_is_to_come_back_is_over_with_its_session() -> None:
    link, first, second = HeldLink(), list[Reply](), list[Reply]()
    translation = AsModern(link, {"capabilities": {}}, lambda *_: None, shared=False)
    number = translation.request("tools/call", {"name": "a"}, first.append)
    translation.asked("elicitation/create", {"message": "who?"}, lambda _: None, number)
    await until(lambda: first)
    translation.close()
    again = {"name": "a", "requestState": first[0]["result"]["requestState"], "inputResponses": {}}
    translation.request("tools/call", again, second.append)
    await until(lambda: second)
    assert "error" in second[0]
    assert len(link.asked) == 1


async def test_who_waits_to_be_subscribed_is_told_of_the_end_of_the_session() -> None:
    link, replies = HeldLink(), list[Reply]()
    translation = AsLegacy(link, {"capabilities": {}}, {})
    translation.request("resources/subscribe", {"uri": "file:///one"}, replies.append)
    translation.close()
    link.asked[0][2]({"gone": "closed"})
    await settle()
    assert [list(reply) for reply in replies] == [["gone"]]


async def test_a_listing_of_a_session_that_has_ended_keeps_no_later_call_waiting(tmp_path: Path) -> None:
    late = Forgetful("raw", tools=[tool("echo")])
    with Scene(tmp_path, servers=[late]) as scene:
        _, before = scene.start("tools/call", {"name": "echo", "arguments": {}})
        await until(lambda: late.kept)
        late.forgets = False
        scene.gateway.server_changed(late, "ended", "its session has ended")  # type: ignore[arg-type]
        assert "isError" not in (await scene.call("echo"))["result"]
        late.kept[0]({"gone": "its stream ended"})
        assert "isError" not in (await before)["result"]  # by now its tools are known


class Forgetful(RecordingDownstream):
    """Keeps the answer to a listing back."""

    forgets = True

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.kept: list[Callable[[Reply], None]] = []

    def request(self, method: str, params: Any, answer: Any, progress: Any = None) -> Given:
        if method == "tools/list" and self.forgets:
            self.kept.append(answer)
            return Given(0, self.cancelled.append)
        return super().request(method, params, answer, progress)


class Outcomes:
    """Takes a response: only how it ends."""

    def __init__(self) -> None:
        self.ends: list[str] = []

    def head(self, status: int, headers: Any) -> None: ...

    def data(self, chunk: bytes) -> None: ...

    def ended(self) -> None:
        self.ends.append("ended")

    def failed(self, why: str) -> None:
        self.ends.append(why)


async def test_a_connection_that_is_lost_before_it_is_used_is_answered_and_not_waited_for_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def lost_at_once(make: Callable[[], Connection], *_: Any, **__: Any) -> tuple[None, Connection]:
        connection = make()
        connection.connection_made(asyncio.Transport())
        connection.connection_lost(None)
        return None, connection

    pool = pool_for(Remote("http://127.0.0.1:9/mcp"))
    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", lost_at_once)
    taker = Outcomes()
    pool.send(h11.Request(method="POST", target="/", headers=[("Host", "127.0.0.1")]), b"", taker)
    await until(lambda: taker.ends)
    assert taker.ends == ["the connection was lost"]
    give_back(pool)
    assert _leaving == set()  # what the end of the guard waits for
