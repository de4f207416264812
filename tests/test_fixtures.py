"""The fixtures keep their word: what the raw server does, and what the raw client sees of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.client import MODERN, RAW_SERVER, Gone, RawClient, RpcError
from tests.fixtures.ledger import executed, nonces, read_lines

Server = Callable[..., RawClient]


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """Makes a client of a raw server that keeps `ledger` and `trace` in the test's directory."""

    def make(*options: str) -> RawClient:
        files = ["--ledger", str(tmp_path / "ledger"), "--trace", str(tmp_path / "trace")]
        return RawClient([sys.executable, RAW_SERVER, *files, *options])

    return make


async def test_a_call_is_answered_and_stands_in_the_ledger(server: Server, tmp_path: Path) -> None:
    async with server() as client:
        result = await client.initialize("2024-11-05")
        assert result["protocolVersion"] == "2024-11-05"
        assert (await client.call("add", {"a": 2, "b": 3, "nonce": "n1"}))["content"][0]["text"] == "5"
        assert executed(tmp_path / "ledger") == ["add"]
        assert nonces(tmp_path / "ledger") == ["n1"]
    assert client.returncode == 0


async def test_the_modern_era_needs_no_handshake_and_dresses_its_results(server: Server) -> None:
    async with server() as client:
        assert (await client.discover())["supportedVersions"] == [MODERN]
        listing = await client.request("tools/list")
        assert {"resultType": "complete", "cacheScope": "public"}.items() <= listing.items()
        with pytest.raises(RpcError, match="-32601"):
            await client.request("ping")
        client.speak_modern("2030-01-01")
        with pytest.raises(RpcError, match="-32022"):
            await client.request("tools/list")


async def test_an_era_can_be_switched_off(server: Server) -> None:
    async with server("--no-modern") as client:
        with pytest.raises(RpcError, match="-32601"):
            await client.discover()
    async with server("--no-legacy") as client:
        with pytest.raises(RpcError, match="-32022"):
            await client.initialize()


async def test_listings_come_in_pages(server: Server) -> None:
    async with server("--tools", "20", "--page-size", "7") as client:
        await client.initialize()
        names = [tool["name"] for tool in await client.list_all()]
    assert len(names) == len(set(names)) == 35


async def test_a_slow_call_ends_by_a_file_by_release_or_by_its_cancellation(server: Server, tmp_path: Path) -> None:
    async with server() as client:
        await client.initialize()
        by_file = await client.start("tools/call", {"name": "slow", "arguments": {"until": str(tmp_path / "go")}})
        cancelled = await client.start("tools/call", {"name": "slow", "arguments": {}}, id="c")
        released = await client.start("tools/call", {"name": "slow", "arguments": {}})
        assert (await client.call("echo", {"text": "in between"}))["content"][0]["text"] == "in between"
        (tmp_path / "go").touch()
        assert (await client.result(by_file))["content"][0]["text"] == "done at last"
        await client.notify("notifications/cancelled", {"requestId": "c"})
        assert (await client.call("release"))["content"][0]["text"] == "released 1"
        await client.result(released)
        assert not cancelled.done()


async def test_progress_comes_before_the_result_and_keeps_its_token(server: Server) -> None:
    async with server() as client:
        await client.initialize()
        await client.call("progress", {"n": 3}, _meta={"progressToken": "p"})
        assert [note["params"]["progress"] for note in client.notifications] == [1, 2, 3]
        assert {note["params"]["progressToken"] for note in client.notifications} == {"p"}


async def test_the_server_asks_its_client_in_both_eras(server: Server) -> None:
    async with server() as client:
        client.answerers["elicitation/create"] = lambda _: {"action": "accept", "content": {"name": "Ada"}}
        await client.initialize()
        answer = await client.call("ask")
        assert answer["structuredContent"]["result"]["content"] == {"name": "Ada"}
    async with server() as client:
        client.speak_modern()
        asked = await client.call("ask")
        assert asked["resultType"] == "input_required"
        again = {"inputResponses": {"who": {"action": "accept"}}, "requestState": asked["requestState"]}
        assert (await client.call("ask", **again))["structuredContent"] == {"who": {"action": "accept"}}


async def test_a_grown_tool_is_listed_and_announced_to_those_who_listen(server: Server) -> None:
    async with server() as client:
        await client.discover()
        listening = await client.start("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, id="s")
        await client.wait_for_notification("notifications/subscriptions/acknowledged")
        await client.call("grow", {"name": "new"})
        (note,) = await client.wait_for_notification("notifications/tools/list_changed")
        assert note["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == "s"
        assert "new" in {tool["name"] for tool in await client.list_all()}
        assert not listening.done()


async def test_a_crash_is_seen_as_one_and_the_call_is_in_the_ledger(server: Server, tmp_path: Path) -> None:
    async with server() as client:
        await client.initialize()
        with pytest.raises(Gone):
            await client.call("crash")
        assert await client.ended() == 3
    assert executed(tmp_path / "ledger") == ["crash"]


async def test_a_child_that_ignores_sigterm_outlives_its_server(server: Server) -> None:
    async with server() as client:
        await client.initialize()
        pid = (await client.call("spawn_child"))["structuredContent"]["pid"]
        os.kill(pid, 15)
    try:
        os.kill(pid, 0)
    finally:
        os.kill(pid, 9)


@pytest.mark.parametrize(
    ("mode", "seen"),
    [
        ("garbage", lambda client: len(client.not_json) >= 5),
        ("unknown", lambda client: client.unmatched[0]["id"] == "never-asked"),
        ("flood", lambda client: len(client.notifications) == 50),
        ("huge", lambda client: len(client.received[-1]["result"]["content"][0]["text"]) == 50),
    ],
)
async def test_a_hostile_server_misbehaves_around_a_call(
    server: Server, mode: str, seen: Callable[[RawClient], bool]
) -> None:
    async with server("--hostile", mode, "--amount", "50") as client:
        await client.initialize()
        await client.call("echo", {"text": "hello"})
        assert seen(client)


async def test_a_duplicate_answer_comes_after_the_first(server: Server) -> None:
    async with server("--hostile", "duplicate") as client:
        await client.initialize()
        await client.call("echo", {"text": "hello"})
        await client.request("ping")
        assert [message["id"] for message in client.unmatched] == [2]


async def test_the_trace_has_what_was_sent_byte_by_byte_meanings_included(server: Server, tmp_path: Path) -> None:
    async with server() as client:
        await client.initialize()
        answer = client.expect("odd")
        await client.send_bytes(b'{"jsonrpc":"2.0","id":"odd","method":"ping","params":{"x":null}}\n')
        assert await client.result(answer) == {}
    assert read_lines(tmp_path / "trace")[-1] == {
        "jsonrpc": "2.0",
        "id": "odd",
        "method": "ping",
        "params": {"x": None},
    }
