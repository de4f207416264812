"""Legacy sessions over HTTP: the server's own stream, its requests, sessions that end, streams that are taken up."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mcp_guard.eras import Era
from mcp_guard.errors import ServerGone
from mcp_guard.transports import http_link, http_link_asides, http_link_stream
from tests.fixtures.http_server import SESSION, Heard, Wire, event, result, serving, silent
from tests.transports.link_support import linked, said, settle
from tests.transports.processes import until

CHANGED = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}


def asking(id: int | str = 7, method: str = "roots/list") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_link_stream, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(http_link_stream, "LEAST_WAIT", 0.01)


class OwnStream:
    """A server's own stream: one list of events for each time that it is opened; the last one stays open."""

    def __init__(self, *lists: list[bytes]) -> None:
        self.lists = list(lists)

    async def __call__(self, heard: Heard, wire: Wire) -> None:
        await wire.stream(*self.lists.pop(0))
        if self.lists:
            await wire.finish()
        else:
            await wire.until_left()


async def test_what_a_server_says_by_itself_arrives_on_its_own_stream() -> None:
    async with serving(GET=OwnStream([event(CHANGED)])) as server, linked(server) as link:
        await link.open()
        await until(lambda: link.notified)
        assert link.notified == [("notifications/tools/list_changed", None)]
        assert server.of("GET")[0].header("accept") == "text/event-stream"


async def test_a_stream_that_ends_is_opened_again_where_it_ended() -> None:
    first, second = [event(CHANGED, id="a"), event(CHANGED, id="b", retry="10")], [event(CHANGED, id="c")]
    async with serving(GET=OwnStream(first, second)) as server, linked(server) as link:
        await link.open()
        await until(lambda: len(link.notified) == 3)
        assert [heard.header("last-event-id") for heard in server.of("GET")] == [None, "b"]


async def test_a_server_without_a_stream_of_its_own_is_asked_once() -> None:
    async with serving() as server, linked(server) as link:
        await link.open()
        await link.call()
        await until(lambda: server.of("GET"))
        await link.call()
        assert len(server.of("GET")) == 1


async def test_a_ping_is_answered_and_the_client_hears_nothing_of_it() -> None:
    async with serving(GET=OwnStream([event(asking("p", "ping"))])) as server, linked(server) as link:
        await link.open()
        await until(lambda: server.of("(answer)"))
        assert server.of("(answer)")[0].message == {"jsonrpc": "2.0", "id": "p", "result": {}}
        assert server.of("(answer)")[0].header("mcp-session-id") == SESSION
        assert link.asked == []


async def test_a_request_on_a_calls_stream_belongs_to_that_call_and_its_answer_goes_back() -> None:
    answered = asyncio.Event()

    async def asks(heard: Heard, wire: Wire) -> None:
        await wire.stream(event(asking()))
        await answered.wait()
        await wire.chunk(event(result(heard)))
        await wire.finish()

    async with serving(tools_call=asks) as server, linked(server) as link:
        await link.open()
        request_id, answers = link.start("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        await until(lambda: link.asked)
        method, params, answer, during = link.asked[0]
        assert (method, params, during) == ("roots/list", None, request_id)
        answer({"result": {"roots": []}})
        answer({"result": {"roots": ["a second answer"]}})
        await until(lambda: server.of("(answer)"))
        answered.set()
        await until(lambda: answers)
        assert [heard.message for heard in server.of("(answer)")] == [
            {"jsonrpc": "2.0", "id": 7, "result": {"roots": []}}
        ]


async def test_a_request_on_the_servers_own_stream_belongs_to_no_call() -> None:
    async with serving(GET=OwnStream([event(asking())])) as server, linked(server) as link:
        await link.open()
        await until(lambda: link.asked)
        assert link.asked[0][3] is None


async def test_a_request_that_the_server_takes_back_is_not_answered() -> None:
    back = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7, "reason": "enough"}}
    async with serving(GET=OwnStream([event(asking()), event(back)])) as server, linked(server) as link:
        await link.open()
        await until(lambda: link.taken_back)
        link.asked[0][2]({"result": {}})
        await link.call()
        assert link.taken_back == ["enough"]
        assert server.of("(answer)") == []


async def test_two_requests_of_one_id_are_not_taken_for_each_other() -> None:
    events = [event(asking(7)), event(asking(7)), event(asking("7"))]
    async with serving(GET=OwnStream(events)) as server, linked(server) as link:
        await link.open()
        await until(lambda: server.of("(answer)") and len(link.asked) == 2)
        (refused,) = [heard.message for heard in server.of("(answer)")]
        assert (refused["id"], refused["error"]["code"]) == (7, -32600)


async def test_a_modern_server_makes_no_requests() -> None:
    async def asks(heard: Heard, wire: Wire) -> None:
        await wire.stream(event(asking()), event(result(heard)))
        await wire.finish()

    async with serving(tools_call=asks) as server, linked(server) as link:
        await link.open(Era.MODERN)
        assert said(await link.call("x")) == "x"
        assert (link.asked, len(link.odd)) == ([], 1)


async def test_a_session_that_the_server_forgot_is_over_and_its_call_is_not_sent_again() -> None:
    async def forgotten(_: Heard, wire: Wire) -> None:
        await wire.respond(404)

    async with serving(tools_call=forgotten) as server, linked(server) as link:
        await link.open()
        answer = await link.call("once")
        assert answer == {"gone": "its session has ended (HTTP 404)"}  # and not `unsent`: a 404 proves nothing
        assert link.gone == ["its session has ended"]
        with pytest.raises(ServerGone):
            await link.call("twice")
        assert server.executed == ["once"]
        assert server.of("DELETE") == []


async def test_a_server_that_says_400_for_a_session_it_lost_is_found_out_by_a_ping() -> None:
    async def unknown(_: Heard, wire: Wire) -> None:
        error = {"code": -32000, "message": "Bad Request: No valid session ID provided"}
        await wire.json({"jsonrpc": "2.0", "id": None, "error": error}, status=400)

    async with serving(tools_call=unknown, ping=unknown) as server, linked(server) as link:
        await link.open()
        assert (await link.call("x"))["error"]["code"] == -32000
        await until(lambda: link.gone)
        assert server.executed == ["x"]


async def test_a_400_for_one_request_alone_costs_no_session() -> None:
    async def bad(heard: Heard, wire: Wire) -> None:
        error = {"code": -32602, "message": "no such thing"}
        await wire.json({"jsonrpc": "2.0", "id": heard.message["id"], "error": error}, status=400)

    async with serving(tools_call=bad) as server, linked(server) as link:
        await link.open()
        assert (await link.call())["error"] == {"code": -32602, "message": "no such thing"}
        await until(lambda: server.of("ping"))
        await settle()
        await link.ask("tools/list")
        assert link.gone == []


@pytest.mark.parametrize("there", [True, False])
async def test_a_404_for_the_servers_own_stream_alone_costs_no_session(there: bool) -> None:
    """Servers that route POST alone say 404 where they should say 405."""

    async def nothing_here(_: Heard, wire: Wire) -> None:
        await wire.respond(404)

    scripts: dict[str, Any] = {"GET": nothing_here, **({} if there else {"ping": nothing_here})}
    async with serving(**scripts) as server, linked(server) as link:
        await link.open()
        await until(lambda: server.of("ping"))
        if there:
            await link.call()
            await settle()
        else:
            await until(lambda: link.gone)
        assert bool(link.gone) is not there
        assert len(server.of("GET")) == 1


async def test_a_404_with_an_error_about_the_request_itself_costs_no_session() -> None:
    async def unknown(heard: Heard, wire: Wire) -> None:
        error = {"code": -32601, "message": "Method not found"}
        await wire.json({"jsonrpc": "2.0", "id": heard.message["id"], "error": error}, status=404)

    async with serving(prompts_list=unknown) as server, linked(server) as link:
        await link.open()
        assert (await link.ask("prompts/list"))["error"]["code"] == -32601
        await until(lambda: server.of("ping"))
        await link.call()
        assert link.gone == []


async def test_a_server_that_pings_without_end_and_takes_no_answer_costs_a_bounded_number_of_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_link_asides, "MAX_ASIDES", 5)
    pings = [event(asking(number, "ping")) for number in range(200)]
    async with serving(GET=OwnStream(pings), answer=silent) as server, linked(server) as link:
        await link.open()
        await until(lambda: len(link.odd) == 195)
        await link.call()
        assert len(server.of("(answer)")) == 5


async def test_two_session_ids_at_once_open_nothing() -> None:
    async def torn(heard: Heard, wire: Wire) -> None:
        body = json.dumps(result(heard, {"protocolVersion": "2025-11-25"})).encode()
        head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: a\r\nmcp-session-id: b\r\n"
        await wire.send(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)

    async with serving(initialize=torn) as server, linked(server) as link:
        assert "gone" in await link.open()


async def test_calls_under_way_keep_their_answers_when_the_session_ends() -> None:
    release = asyncio.Event()

    async def sometimes(heard: Heard, wire: Wire) -> None:
        if heard.message["params"]["arguments"]["text"] == "lost":
            return await wire.respond(404)
        await release.wait()
        return await wire.json(result(heard))

    async with serving(tools_call=sometimes) as server, linked(server) as link:
        await link.open()
        _, answers = link.start("tools/call", {"name": "echo", "arguments": {"text": "kept"}})
        await until(lambda: server.executed)
        await link.call("lost")
        release.set()
        await until(lambda: answers)
        assert said(answers[0]) == "kept"


async def test_a_stream_that_breaks_is_taken_up_after_its_last_event_and_nothing_is_sent_again() -> None:
    calls: list[Heard] = []

    async def breaks(heard: Heard, wire: Wire) -> None:
        calls.append(heard)
        await wire.stream(event("", id="0"), event(CHANGED, id="1", retry="10"))
        wire.cut()

    async def goes_on(heard: Heard, wire: Wire) -> None:
        if heard.header("last-event-id") is None:
            return await wire.respond(405)
        await wire.stream(event(result(calls[0], {"content": [{"type": "text", "text": "after all"}]}), id="2"))
        return await wire.finish()

    async with serving(tools_call=breaks, GET=goes_on) as server, linked(server) as link:
        await link.open()
        assert said(await link.call("once")) == "after all"
        assert [heard.header("last-event-id") for heard in server.of("GET")] == [None, "1"]
        assert server.executed == ["once"]
        assert link.odd == []


async def test_a_cancelled_call_is_not_taken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ends(_: Heard, wire: Wire) -> None:
        await wire.stream(event("", id="1", retry="50"))
        await wire.finish()

    async with serving(tools_call=ends, notifications_cancelled=silent) as server, linked(server) as link:
        await link.open()
        request_id, answers = link.start("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        call = link.link._pending[request_id]
        await until(lambda: call.timer is not None)
        due = call.timer.when() if call.timer is not None else 0.0
        link.link.cancel(request_id)
        await until(lambda: asyncio.get_running_loop().time() > due)
        await settle()
        assert [heard.header("last-event-id") for heard in server.of("GET")] == [None]
        assert answers == []


async def test_a_stream_that_brings_nothing_more_is_given_up() -> None:
    async def ends(_: Heard, wire: Wire) -> None:
        await wire.stream(event("", id="1"))
        await wire.finish()

    async def nothing(heard: Heard, wire: Wire) -> None:
        if heard.header("last-event-id") is None:
            return await wire.respond(405)
        await wire.stream()
        return await wire.finish()

    async with serving(tools_call=ends, GET=nothing) as server, linked(server) as link:
        await link.open()
        assert await link.call() == {"gone": "its stream ended without an answer"}
        assert len(server.of("GET")) == 1 + 5
        assert len(server.executed) == 1


@pytest.mark.parametrize("id", ["line\tbreak\x01", "größe", "x" * 2000])
async def test_an_event_id_that_no_header_can_carry_resumes_nothing(id: str) -> None:
    async def ends(_: Heard, wire: Wire) -> None:
        await wire.stream(event("", id=id))
        await wire.finish()

    async with serving(tools_call=ends) as server, linked(server) as link:
        await link.open()
        assert "gone" in await link.call()
        assert [heard.header("last-event-id") for heard in server.of("GET")] == [None]


async def test_a_modern_stream_that_breaks_is_not_taken_up() -> None:
    async def ends(_: Heard, wire: Wire) -> None:
        await wire.stream(event("", id="1"))
        wire.cut()

    async with serving(tools_call=ends) as server, linked(server) as link:
        await link.open(Era.MODERN)
        assert await link.call() == {"gone": "the connection ended"}
        assert server.of("GET") == []


@pytest.mark.parametrize("session", ["two words", "größe", "x" * 2000, "a\tb"])
async def test_a_session_id_that_no_header_can_carry_opens_nothing(session: str) -> None:
    async def odd(heard: Heard, wire: Wire) -> None:
        await wire.json(result(heard, {"protocolVersion": "2025-11-25"}), mcp_session_id=session)

    async with serving(initialize=odd) as server, linked(server) as link:
        assert await link.open() == {"gone": "its session id can't stand in a header"}
        assert len(server.heard) == 1


async def test_an_opening_that_is_never_answered_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_link, "OPENING_DEADLINE", 0.05)
    async with serving(initialize=silent) as server, linked(server) as link:
        assert await link.open() == {"gone": "it did not answer in time"}
        await until(lambda: server.held == 0)


async def test_a_client_that_takes_nothing_more_holds_the_server_back() -> None:
    big = event({**CHANGED, "params": {"x": "y" * 100_000}})
    wires: list[Wire] = []
    written = 0

    async def floods(heard: Heard, wire: Wire) -> None:
        nonlocal written
        wires.append(wire)
        await wire.stream()
        for _ in range(400):
            await wire.chunk(big)
            written += 1
        await wire.chunk(event(result(heard)))
        await wire.finish()

    async with serving(tools_call=floods) as server, linked(server) as link:
        await link.open(Era.MODERN)
        link.link.pause(True)
        _, answers = link.start("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        await until(lambda: wires and wires[0].writer.transport.get_write_buffer_size() > len(big) // 2)
        assert written < 400
        assert link.notified == []
        link.link.pause(False)
        await until(lambda: answers)
        assert len(link.notified) == 400
