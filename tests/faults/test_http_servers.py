"""A server behind a URL that breaks, lies or vanishes: what became of a call is told as it is, and nothing is replayed.

Group 23 of the faults that proxies are known for, and what of the others looks different over HTTP. What was executed
is read from the server's own ledger.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_guard import downstream, log
from mcp_guard.downstream import State
from mcp_guard.eras import Era
from mcp_guard.record.query import Filter, Row, open_for_reading
from mcp_guard.transports import http_link_stream
from mcp_guard.transports.link import never_dial
from tests.fixtures.http_server import Heard, Script, Wire, event, result, serving
from tests.guards import Scene, decision_in
from tests.remote_scene import ONCE, begin, remote, remote_scene
from tests.transports.processes import until

ERAS = (Era.LEGACY, Era.MODERN)
CHUNKED = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_link_stream, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(http_link_stream, "LEAST_WAIT", 0.01)
    monkeypatch.setattr(downstream, "FIRST_BACK_OFF", 0.02)


def responds(status: int, body: bytes = b"", **headers: str) -> Script:
    return lambda heard, wire: wire.respond(status, body, **headers)


def says(text: str | bytes, *, cut: bool = False) -> Script:
    """These bytes, and the end of the connection."""

    async def script(_: Heard, wire: Wire) -> None:
        await wire.send(text.encode("latin-1") if isinstance(text, str) else text)
        if cut:
            wire.cut()
        else:
            wire.writer.write_eof()
            await wire.until_left()

    return script


def streams(*events: bytes, cut: bool = False) -> Script:
    async def script(_: Heard, wire: Wire) -> None:
        await wire.stream(*events)
        if cut:
            wire.cut()
        else:
            await wire.finish()

    return script


def packed(pack: Callable[[bytes], bytes], coding: str) -> Script:
    async def script(heard: Heard, wire: Wire) -> None:
        body = pack(json.dumps(result(heard)).encode())
        await wire.respond(200, body, content_type="application/json", content_encoding=coding)

    return script


def other_id(change: Callable[[int], object]) -> Script:
    async def script(heard: Heard, wire: Wire) -> None:
        await wire.json({**result(heard), "id": change(heard.message["id"])})

    return script


async def two_lengths(_: Heard, wire: Wire) -> None:
    lengths = b"content-length: 2\r\ncontent-length: 3"
    await wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + lengths + b"\r\n\r\n{}")
    await wire.until_left()


async def endless_head(_: Heard, wire: Wire) -> None:
    await wire.send(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000)
    await wire.until_left()


async def a_request_instead(heard: Heard, wire: Wire) -> None:
    await wire.json({"jsonrpc": "2.0", "id": heard.message["id"], "method": "roots/list"})


FAULTS: dict[str, Script] = {
    "connection cut": says("", cut=True),
    "connection ended": says(""),
    "head cut": says("HTTP/1.1 200 OK\r\ncontent-le", cut=True),
    "body cut": says("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{", cut=True),
    "no HTTP": says("SSH-2.0-OpenSSH_9.9\r\n"),
    "two lengths": two_lengths,
    "endless head": endless_head,
    "interim responses without end": says("HTTP/1.1 103 Early Hints\r\n\r\n" * 50),
    "another protocol": says("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"),
    "202": responds(202),
    "204": responds(204),
    "500": responds(500, b"Traceback: hunter2"),
    "502 page": responds(502, b"<html>", content_type="text/html"),
    "401": responds(401, www_authenticate="Bearer"),
    "403": responds(403),
    "404": responds(404),
    "429": responds(429, retry_after="1"),
    "redirect": responds(307, location="https://evil.example/mcp?hunter2"),
    "redirect to itself": responds(308, location="/mcp"),
    "redirect as answer": responds(303, location="http://127.0.0.1:1/"),
    "page": responds(200, b"<html>", content_type="text/html"),
    "no type": responds(200, b"{}"),
    "empty body": responds(200, b"", content_type="application/json"),
    "no JSON": responds(200, b"{", content_type="application/json"),
    "batch": responds(200, b"[]", content_type="application/json"),
    "another's id": other_id(lambda own: own + 1000),
    "id as text": other_id(str),
    "id null": other_id(lambda _: None),
    "request instead": a_request_instead,
    "gzip": packed(gzip.compress, "gzip"),
    "deflate": packed(zlib.compress, "deflate"),
    "bomb": responds(200, gzip.compress(b"0" * 10_000_000), content_type="application/json", content_encoding="gzip"),
    "stream without answer": streams(),
    "stream of comments": streams(b": x\n\n" * 100),
    "stream cut": streams(event({"jsonrpc": "2.0", "method": "notifications/message", "params": {}}), cut=True),
    "answer of another call on the stream": streams(event({"jsonrpc": "2.0", "id": 999, "result": {}})),
    "half an event": streams(b'data: {"jsonrpc":"2.0"'),
    "answer in another event type": streams(event({"jsonrpc": "2.0", "id": 3, "result": {}}, event="endpoint")),
    "chunk size that is none": says(CHUNKED + "zz\r\n"),
    "chunk size without end": says(CHUNKED + "0" * 100_000),
}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_call_whose_answer_never_comes_is_unknown_charged_and_sent_once(
    tmp_path: Path, fault: str, era: Era
) -> None:
    async with (
        serving(tools_call=FAULTS[fault]) as server,
        remote_scene(tmp_path, server, ONCE, era) as scene,
    ):
        await begin(scene)
        assert await scene.listed() == ["echo"]
        answer = await scene.call("echo", {"text": "pay"})
        assert decision_in(answer["error"])["kind"] == "unknown", answer
        assert "hunter2" not in json.dumps(answer)
        (row,) = [row for row in scene.rows() if row.method == "tools/call"]
        assert (row.outcome, "hunter2" in row.note) == ("unknown", False)
        await until(lambda: remote(scene).state is State.READY)  # it is opened again, where that was needed
        await scene.listed()
        again = await scene.call("echo", {"text": "pay"})
        assert decision_in(again["result"])["reason"] == "budget_spent"
        assert server.executed == ["pay"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_server_that_is_not_there_is_sent_nothing_and_costs_nothing(tmp_path: Path, era: Era) -> None:
    async with serving() as server, remote_scene(tmp_path, server, ONCE, era) as scene:
        await begin(scene)
        await scene.listed()
        await server.vanish()
        answer = await scene.call("echo", {"text": "early"})
        assert decision_in(answer["result"])["reason"] == "unavailable"
        assert [row.outcome for row in scene.rows() if row.method == "tools/call"] == ["not_sent"]
        await server.come_back()
        answer = await scene.call("echo", {"text": "now"})
        assert "isError" not in answer["result"]
        assert server.executed == ["now"]


async def test_calls_that_wait_for_a_session_which_ends_first_are_not_sent(tmp_path: Path) -> None:
    """Two calls: the first one's 404 ends the session while the second is still under way on its own connection."""
    both = asyncio.Event()

    async def forgotten(heard: Heard, wire: Wire) -> None:
        if len(server.executed) == 2:
            both.set()
        await both.wait()
        await wire.respond(404)

    async with serving(tools_call=forgotten) as server, remote_scene(tmp_path, server) as scene:
        await begin(scene)
        await scene.listed()
        answers = await asyncio.gather(scene.call("echo", {"text": "1"}), scene.call("echo", {"text": "2"}))
        assert [decision_in(answer["error"])["kind"] for answer in answers] == ["unknown", "unknown"]
        await until(lambda: remote(scene).state is State.READY)
        assert len(server.of("initialize")) == 2
        assert sorted(server.executed) == ["1", "2"]


async def test_a_session_that_ended_is_opened_again_and_the_client_hears_of_it(tmp_path: Path) -> None:
    lose = True

    async def sometimes(heard: Heard, wire: Wire) -> None:
        nonlocal lose
        if lose:
            lose = False
            return await wire.respond(404)
        return await wire.json(result(heard))

    async with serving(tools_call=sometimes) as server, remote_scene(tmp_path, server) as scene:
        await begin(scene)
        await scene.listed()
        await scene.call("echo", {"text": "lost"})
        await until(lambda: scene.notified)
        assert scene.notified[-1][0] == "notifications/tools/list_changed"
        assert "isError" not in (await scene.call("echo", {"text": "found"}))["result"]
        assert server.executed == ["lost", "found"]
        kinds = [row.kind.value for row in all_rows(scene)]
        assert (kinds.count("server_started"), kinds.count("server_exited")) == (2, 1)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("place", ["same", "next", "own stream"])
async def test_an_answer_counts_once(tmp_path: Path, era: Era, place: str) -> None:
    """A second one on the same stream, on the stream of the next call, or on the server's own."""
    first: list[Heard] = []

    async def twice(heard: Heard, wire: Wire) -> None:
        first.append(heard)
        forged = result(first[0], {"content": [{"type": "text", "text": "forged"}], "resultType": "complete"})
        events = [event(forged)] if place == "next" and len(first) == 2 else []
        events += [event(result(heard))]
        events += [event(forged)] if place == "same" else []
        await wire.stream(*events)
        await wire.finish()

    async def own(heard: Heard, wire: Wire) -> None:
        await wire.stream(*(event({"jsonrpc": "2.0", "id": number, "result": {}}) for number in range(1, 20)))
        await wire.until_left()

    scripts: dict[str, Script] = {"tools_call": twice, **({"GET": own} if place == "own stream" else {})}
    async with serving(**scripts) as server, remote_scene(tmp_path, server, era=era) as scene:
        await begin(scene)
        await scene.listed()
        for text in ("one", "two"):
            answer = await scene.call("echo", {"text": text})
            assert answer["result"]["content"][0]["text"] == text
        assert server.executed == ["one", "two"]


@pytest.mark.parametrize("era", ERAS)
async def test_an_answer_after_the_end_of_its_stream_is_nobodys(tmp_path: Path, era: Era) -> None:
    async def late(heard: Heard, wire: Wire) -> None:
        await wire.stream()
        await wire.finish()
        await wire.json(result(heard))  # unasked, on a connection that was free again

    async with serving(tools_call=late) as server, remote_scene(tmp_path, server, era=era) as scene:
        await begin(scene)
        await scene.listed()
        answer = await scene.call("echo", {"text": "one"})
        assert decision_in(answer["error"])["kind"] == "unknown"
        assert len((await scene.ask("tools/list"))["result"]["tools"]) == 1


@pytest.mark.parametrize("size", [17 << 20, 40 << 20])
@pytest.mark.parametrize("how", ["body", "event", "line"])
async def test_an_answer_that_is_too_long_ends_its_own_connection_and_no_other(
    tmp_path: Path, how: str, size: int
) -> None:
    async def long(heard: Heard, wire: Wire) -> None:
        block = b"x" * (1 << 20)
        if how == "body":
            head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n\r\n"
            await wire.send(head.encode())
        else:
            await wire.stream(*([b"data: "] if how == "line" else []))
        for _ in range(size >> 20):
            if how == "body":
                await wire.send(block)
            else:
                await wire.chunk(block if how == "line" else b"data: " + block + b"\n")

    async with serving(tools_call=long) as server, remote_scene(tmp_path, server, era=Era.MODERN) as scene:
        await begin(scene)
        await scene.listed()
        answer = await scene.call("echo", {"text": "x"})
        assert decision_in(answer["error"])["kind"] == "unknown"
        assert "longer than" in answer["error"]["message"]
        assert await scene.listed() == ["echo"]


async def test_a_redirect_is_named_by_its_origin_and_nothing_goes_there(tmp_path: Path) -> None:
    async with serving() as other, serving(tools_call=responds(307, location=other.url + "?hunter2")) as server:
        async with remote_scene(tmp_path, server, era=Era.MODERN) as scene:
            await begin(scene)
            await scene.listed()
            answer = await scene.call("echo", {"text": "x"})
            assert f"redirects to http://127.0.0.1:{other.port}, which" in answer["error"]["message"]
        assert other.connections == 0


async def test_credentials_that_are_not_taken_are_told_to_the_person_by_name_and_to_nobody_by_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(log, "_taker", lambda text, values: told.append((text, values)))
    monkeypatch.setenv("DOCS_TOKEN", "hunter2")
    async with (
        serving(tools_call=responds(401)) as server,
        remote_scene(tmp_path, server, era=Era.MODERN, token_env="DOCS_TOKEN") as scene,
    ):
        await begin(scene)
        await scene.listed()
        answer = await scene.call("echo", {"text": "x"})
        assert "DOCS_TOKEN" not in json.dumps(answer)
        ((text, values),) = told
        assert text == "a tool server refuses credentials"
        assert values["variables"] == "DOCS_TOKEN"
        assert "hunter2" not in json.dumps([answer, told]) + str([row.body for row in all_rows(scene)])
    assert all(heard.header("authorization") == "Bearer hunter2" for heard in server.heard)


@pytest.mark.parametrize("era", list(Era))
async def test_a_credential_that_a_server_shows_in_its_answer_does_not_reach_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, era: Era
) -> None:
    monkeypatch.setenv("DOCS_TOKEN", "hunter2-hunter2")
    odd = {"headers": [{"Authorization": "Bearer hunter2-hunter2"}, "hunter2"], "hunter2-hunter2": 1.0}

    async def shows(heard: Heard, wire: Wire) -> None:
        await wire.json(result(heard, {"content": [], "structuredContent": odd, "resultType": "complete"}))

    async with (
        serving(tools_call=shows) as server,
        remote_scene(tmp_path, server, era=era, token_env="DOCS_TOKEN") as scene,
    ):
        await begin(scene)
        said = (await scene.call("echo", {"text": "x"}))["result"]["structuredContent"]
        assert said == {"headers": [{"Authorization": "..."}, "hunter2"], "...": 1.0}


@pytest.mark.parametrize("era", list(Era))
async def test_a_server_that_repeats_a_credential_in_its_refusal_does_not_show_it_to_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, era: Era
) -> None:
    told: list[object] = []
    monkeypatch.setattr(log, "_taker", lambda text, values: told.append((text, values)))
    monkeypatch.setenv("DOCS_TOKEN", "hunter2-hunter2")
    error = {"code": -32000, "message": "no such key: hunter2-hunter2", "data": {"header": "Bearer hunter2-hunter2"}}

    async def refuse(heard: Heard, wire: Wire) -> None:
        await wire.json({"jsonrpc": "2.0", "id": heard.message["id"], "error": error}, 401)

    for method in ("initialize", "server_discover", "tools_call"):
        (tmp_path / method).mkdir()
        async with (
            serving(**{method: refuse}) as server,
            remote_scene(tmp_path / method, server, era=era, token_env="DOCS_TOKEN") as scene,
        ):
            answers = [await begin(scene)]
            if "result" in answers[0]:
                await scene.listed()
                answers.append(await scene.call("echo", {"text": "x"}))
            assert server.heard
            assert "hunter2" not in json.dumps([answers, told]) + str([row.body for row in all_rows(scene)])


async def test_the_guards_own_address_is_never_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_guard.transports.link._own_ports", set())
    async with serving() as server:
        never_dial(server.port)
        async with remote_scene(tmp_path, f"http://localhost:{server.port}/mcp") as scene:
            assert "error" in await begin(scene)
        assert server.heard == []


def all_rows(scene: Scene) -> list[Row]:
    with open_for_reading(scene.directory / "state") as query:
        return list(query.entries(Filter()))
