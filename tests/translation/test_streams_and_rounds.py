"""A translation alone, before a link that keeps what it was given: streams, held calls, whose question is whose."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mcp_guard.eras import SUBSCRIPTION_KEY, Era
from mcp_guard.errors import ServerGone
from mcp_guard.translation import as_legacy, held, way
from mcp_guard.translation.as_legacy import AsLegacy
from mcp_guard.translation.as_modern import AsModern
from tests.transports.processes import until

HELLO: dict[str, Any] = {"capabilities": {"tools": {"listChanged": True}}}
ACK = "notifications/subscriptions/acknowledged"


class Kept:
    """A link that keeps requests and cancellations."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Any]] = []
        self.answers: list[Any] = []
        self.cancelled: list[int] = []
        self.gone = False

    async def start(self) -> None: ...
    def notify(self, method: str, params: Any) -> None: ...
    def pause(self, paused: bool) -> None: ...
    def close(self) -> None: ...

    def request(self, method: str, params: Any, answer: Any, progress: Any = None) -> int:
        if self.gone:
            raise ServerGone("it is a double that has gone")
        self.requests.append((method, params))
        self.answers.append(answer)
        return len(self.requests)

    def cancel(self, request_id: int, reason: str | None = None) -> None:
        self.cancelled.append(request_id)


def wanted(link: Kept) -> list[Any]:
    return [params["notifications"] for method, params in link.requests if method == "subscriptions/listen"]


async def test_a_stream_that_the_server_ends_is_asked_for_again_until_the_link_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(as_legacy, "FIRST_WAIT", 0.001)
    link = Kept()
    one = AsLegacy(link, HELLO, {})
    assert wanted(link) == [{"toolsListChanged": True}]
    link.answers[-1]({"result": {}})
    await until(lambda: len(wanted(link)) == 2, "it is not asked for again")
    link.answers[-1]({"error": {"code": -32601}})  # a refusal is one for good
    await asyncio.sleep(0.01)
    assert len(wanted(link)) == 2
    one.close()


async def test_a_resource_is_subscribed_to_when_the_server_says_so_and_not_before() -> None:
    link = Kept()
    one = AsLegacy(link, {}, {})
    said: list[Any] = []
    for number, taken in enumerate((["x:1"], [], None), 1):
        one.request("resources/subscribe", {"uri": "x:1"}, said.append)
        assert len(said) == number - 1
        if taken is None:
            link.answers[-1]({"error": {"code": -32601}})
        else:
            meta = {SUBSCRIPTION_KEY: len(link.requests)}
            told = {"notifications": {"resourceSubscriptions": taken}, "_meta": meta}
            assert list(one.notified(ACK, told)) == []
        await until(lambda number=number: len(said) == number, "no answer")  # type: ignore[misc]
    assert ["result" in reply for reply in said] == [True, False, False]
    assert link.cancelled == [1, 2]  # the first, since it was asked for anew


async def test_resources_beyond_the_bound_are_refused_and_leave_places_for_calls() -> None:
    link = Kept()
    one = AsLegacy(link, {}, {})
    said: list[Any] = []
    for number in range(as_legacy.MAX_STREAMS + 1):
        one.request("resources/subscribe", {"uri": f"x:{number}"}, said.append)
    await until(lambda: said, "no answer")
    assert len(wanted(link)) == as_legacy.MAX_STREAMS
    one.close()


async def test_what_comes_on_a_stream_that_nobody_asked_for_is_told_to_nobody() -> None:
    one = AsLegacy(Kept(), HELLO, {})
    changed = "notifications/tools/list_changed"
    assert list(one.notified(changed, {"_meta": {SUBSCRIPTION_KEY: 9}})) == []
    assert list(one.notified(changed, {"_meta": {SUBSCRIPTION_KEY: "1"}})) == [(changed, None)]
    one.close()


@pytest.mark.parametrize("shared", [False, True])
async def test_among_several_clients_calls_nobody_is_asked_what_may_be_anothers(shared: bool) -> None:
    link = Kept()
    one = AsModern(link, HELLO, lambda *_: None, shared=shared)
    first, second, refused = list[Any](), list[Any](), list[Any]()
    one.request("tools/call", {"name": "a"}, first.append)
    one.request("tools/call", {"name": "b"}, second.append)
    one.asked("elicitation/create", {"message": "Who?"}, refused.append, None)
    await asyncio.sleep(held.TOGETHER * 2)
    assert first == []
    assert bool(refused) is shared
    assert [reply["result"]["resultType"] for reply in second] == ([] if shared else ["input_required"])
    one.asked("elicitation/create", {"message": "Who?"}, refused.append, 1)  # here the transport says whose it is
    await until(lambda: first, "nobody is asked")
    one.close()


async def test_an_answer_that_comes_while_nobody_waits_is_kept_for_who_comes_back() -> None:
    link = Kept()
    one = AsModern(link, HELLO, lambda *_: None, shared=False)
    said, heard = list[Any](), list[Any]()
    one.request("tools/call", {"name": "a"}, said.append)
    take_back = one.asked("elicitation/create", {"message": "Who?"}, heard.append, 1)
    await until(lambda: said, "nobody is asked")
    state = said.pop()["result"]["requestState"]
    take_back("enough")
    link.answers[0]({"result": {"content": []}})
    assert said == []
    one.request("tools/call", {"name": "a", "requestState": "another"}, said.append)
    await until(lambda: said, "no answer")
    assert said.pop()["error"]["code"] == -32602
    one.request("tools/call", {"name": "a", "requestState": state, "inputResponses": {"q1": {}}}, said.append)
    await until(lambda: said, "no answer")
    assert said == [{"result": {"content": [], "resultType": "complete"}}]
    assert heard == []  # what was taken back gets no answer
    assert len(link.requests) == 1


async def test_a_call_that_nobody_comes_back_for_is_cancelled_at_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "HELD_SECONDS", 0.05)
    link = Kept()
    one = AsModern(link, HELLO, lambda *_: None, shared=False)
    said: list[Any] = []
    one.request("tools/call", {"name": "a"}, said.append)
    one.asked("elicitation/create", {"message": "Who?"}, lambda _: None, 1)
    await until(lambda: link.cancelled == [1], "it is held for ever")
    assert len(said) == 1


@pytest.mark.parametrize("era", list(Era))
async def test_a_server_that_refuses_one_era_and_is_silent_on_the_other_speaks_neither(
    monkeypatch: pytest.MonkeyPatch, era: Era
) -> None:
    monkeypatch.setattr(way, "DEADLINE", 0.02)
    link = Kept()
    found: list[Any] = []
    way.begin(link, era, {}, lambda *_: None, found.append)
    assert [method for method, _ in link.requests] == ["server/discover" if era is Era.LEGACY else "initialize"]
    await until(lambda: found == [None], "the client would wait for ever")
    assert link.cancelled == ([1] if era is Era.LEGACY else [])
    link.answers[0]({"result": {"supportedVersions": ["2026-07-28"], "protocolVersion": "2025-11-25"}})
    assert found == [None]
