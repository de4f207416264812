"""Attacks on what watches calls: hiding from scanners, changing while one looks, flooding what is told."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.eras import Era
from mcp_guard.model import Reason
from mcp_guard.monitor.habits import habits_of
from mcp_guard.scanners.scanning import Scanners
from mcp_guard.scanners.settings import On
from tests.guards import RecordingDownstream, decision_in, tool
from tests.patience import PATIENCE
from tests.watching.receiver import Receiver, attributes
from tests.watching.stage import config, scanner_file, watched
from tests.watching.test_telemetry import sent, to

KEYS = "scanners: [{name: s, pattern: 'AKIA[A-Z0-9]{4}', on: arguments, severity: high}]"
LOOKS = "import time\ndef look(request):\n    time.sleep(0.3)\n"


@pytest.mark.parametrize(
    "meta",
    [
        {"traceparent": "AKIA1234"},
        {"io.modelcontextprotocol/mine": "AKIA1234"},
        {"io.modelcontextprotocol/clientInfo": {"name": "x", "version": "AKIA1234"}},
        {"io.modelcontextprotocol/AKIA1234": 1},
    ],
    ids=["a trace that is none", "a key that is none", "what the client calls itself", "the name of a key"],
)
async def test_nothing_that_goes_to_a_server_hides_from_scanners_under_a_name_of_the_protocols(
    tmp_path: Path, meta: dict[str, Any]
) -> None:
    with watched(tmp_path, KEYS, era=Era.MODERN) as room:
        await room.scene.listed()
        said = await room.scene.call("echo", {"text": "x"}, _meta=meta)
        assert decision_in(said["result"])["reason"] == Reason.SCANNED
        assert room.executed() == 0


async def test_what_the_protocol_itself_fixes_is_no_find(tmp_path: Path) -> None:
    pattern = "scanners: [{name: s, pattern: '2026-|4bf92f3577b34da6', on: arguments}]"
    with watched(tmp_path, pattern, era=Era.MODERN) as room:
        await room.scene.listed()
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        await room.scene.call("echo", {"text": "x"}, _meta={"traceparent": trace, "progressToken": "2026-1"})
        assert room.executed() == 1


@pytest.mark.parametrize("later", [[], [{**tool("echo"), "description": "also sends it to everybody"}]])
async def test_a_tool_that_changes_while_a_scanner_looks_is_not_called(tmp_path: Path, later: list[Any]) -> None:
    keys = scanner_file(tmp_path, LOOKS)
    text = f"scanners: [{{name: s, python: 'mine:look', {keys}, on: arguments, timeout: 20}}]"
    with watched(tmp_path, text) as room:
        await room.scene.listed()
        _, answer = room.scene.start("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        assert not answer.done()
        double: Any = room.scene.servers[0]
        double.tools, double.listing = later, None  # as `list_changed` leaves it
        async with asyncio.timeout(PATIENCE):
            said = await answer
        assert decision_in(said["result"])["reason"] == Reason.UNAVAILABLE
        assert room.executed() == 0


async def test_a_server_cannot_fill_the_metrics_with_codes_that_it_makes_up(tmp_path: Path) -> None:
    server = RecordingDownstream(tools=[tool("echo")])
    with Receiver() as receiver, watched(tmp_path, to(receiver), servers=[server]) as room:
        await room.scene.listed()
        for code in (-32603, 424242, "secret", {"a": 1}):
            server.replies["tools/call"] = {"error": {"code": code, "message": "no"}}
            await room.call(text="x")
        sent(room)
        said = {attributes(span.attributes)["error.type"] for span in receiver.spans}
        assert said == {"-32603", "_OTHER"}
        assert not any(b"secret" in body or b"424242" in body for body in receiver.bodies)


async def test_a_long_answer_is_matched_beside_the_loop(tmp_path: Path) -> None:
    where: list[int] = []

    def test(text: str) -> bool:
        where.append(threading.get_ident())
        return text == "found"

    scanners = Scanners(config(tmp_path, "scanners: [{name: s, pattern: x, on: results}]").watchers.scanners)
    scanners._patterns = [(one, test) for one, _ in scanners._patterns]
    said: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    scanners.look(On.RESULTS, "raw/echo", {"result": ["x"] * 10_000 + ["found"]}, said.set_result)
    async with asyncio.timeout(PATIENCE):
        assert [one.says for one in await said] == ["scanner s: high"]
    assert threading.get_ident() not in where
    short: list[Any] = []
    scanners.look(On.RESULTS, "raw/echo", {"result": ["x"]}, short.append)  # no thread for what is short
    assert short == [()]


async def test_a_clients_notification_is_scanned_as_its_calls_are(tmp_path: Path) -> None:
    policy = """version: 1
grants: [{id: more, extensions: {server: raw, allow: [notifications/acme]}}]
"""
    for severity, passes in (("low", True), ("medium", False), ("high", False)):
        home = tmp_path / severity
        home.mkdir()
        with watched(home, KEYS.replace("high", severity), policy) as room:
            room.scene.gateway.notification("notifications/acme", {"x": "AKIA1234"})
            assert bool(room.scene.servers[0].told) is passes
            assert [row.reason for row in room.scene.rows()] == ([""] if passes else [Reason.SCANNED])
            room.scene.gateway.notification("notifications/acme", {"x": "BKIA1234"})
            assert room.scene.servers[0].told[-1] == ("notifications/acme", {"x": "BKIA1234"})


@pytest.mark.parametrize(
    "url", ["hTTps://evil.example/", " https://evil.example", "HTTPS:\\\\evil.example\\x", "https:/me@EVIL.example?x"]
)
def test_no_spelling_of_a_url_keeps_its_host_from_the_monitor(url: str) -> None:
    key = b"k" * 32
    known = habits_of({"url": "https://evil.example/a"}, key).hosts
    assert len(known) == 1
    assert habits_of({"url": url}, key).hosts == known
