"""The guard as a process in front of a server behind a URL, which is another process, made with the SDK."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client, ConnectMode
from mcp.client.streamable_http import streamable_http_client

from tests.fixtures.client import LEGACY, MODERN, RawClient
from tests.fixtures.ledger import read_lines
from tests.guards import REPOSITORY, Stand, decision_in
from tests.patience import PATIENCE
from tests.ports import free_port
from tests.transports.processes import until

SERVER = Path(__file__).parents[1] / "fixtures" / "sdk_http_server.py"
MODES = ((), ("--json",), ("--stateless",), ("--json", "--stateless"))
TOKEN = "a-token-of-these-tests-0123456789"
POLICY = """\
version: 1
grants:
  - {id: all, tool: [web/echo, web/steps, web/slow, web/routed], args: {text: {not_in: [secret]}}}
  - {id: notes, resource: {server: web, uri: {in: ["note://one"]}}}
"""


@dataclass
class Web:
    """The server's address and its ledger."""

    port: int
    ledger: Path
    process: asyncio.subprocess.Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def executed(self, tool: str) -> list[str]:
        return [line["text"] for line in read_lines(self.ledger) if line["tool"] == tool]


@asynccontextmanager
async def web(directory: Path, *options: str) -> AsyncIterator[Web]:
    ledger = directory / "web.ledger"
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SERVER), "--ledger", str(ledger), *options, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            port = int(await process.stdout.readline())
        yield Web(port, ledger, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def guarded(stand: Stand, url: str, **settings: Any) -> RawClient:
    file = stand.home / "guard.yaml"
    entry = json.dumps({"url": url, **settings})
    file.write_text(f"version: 1\npolicy: {stand.policy_file}\nservers:\n  web: {entry}\n")
    return stand.client(["run", "--config", str(file)])


async def begin(client: RawClient, era: str) -> None:
    await (client.initialize() if era == LEGACY else client.discover())


def text(answer: dict[str, Any]) -> str:
    found: str = answer["content"][0]["text"]
    return found


def outcomes(stand: Stand) -> list[str]:
    return [row.outcome or row.reason for row in stand.decisions()]


@pytest.mark.parametrize("era", [LEGACY, MODERN])
@pytest.mark.parametrize("mode", MODES, ids=" ".join)
async def test_what_is_granted_reaches_a_server_behind_a_url_and_nothing_else_does(
    tmp_path: Path, mode: tuple[str, ...], era: str
) -> None:
    stand = Stand(tmp_path, POLICY)
    async with web(tmp_path, *mode) as server:
        async with guarded(stand, server.url) as client:
            await begin(client, era)
            tools = {tool["name"] for tool in await client.list_all()}
            assert tools == {"web__echo", "web__steps", "web__slow", "web__routed"}
            assert text(await client.call("web__echo", {"text": "größe\n"})) == "größe\n"
            assert text(await client.call("web__routed", {"text": "größe\n"})) == "größe\n"
            assert text(await client.call("web__steps", {"text": "x"})) == "x"
            denied = await client.call("web__echo", {"text": "secret"})
            assert decision_in(denied)["reason"] == "no_grant"
            read = await client.request("resources/read", {"uri": "note://one"})
            assert read["contents"][0]["text"] == "the note one"
        assert server.executed("echo") == ["größe\n"]
        assert server.executed("routed") == ["größe\n"]
        assert client.returncode == 0
        assert "Warning" not in client.stderr
    assert outcomes(stand) == ["ok", "ok", "ok", "no_grant"]
    assert stand.verified() == []


@pytest.mark.parametrize("era", [LEGACY, MODERN])
async def test_a_cancelled_call_is_stopped_at_the_server(tmp_path: Path, era: str) -> None:
    stand = Stand(tmp_path, POLICY)
    async with web(tmp_path) as server, guarded(stand, server.url) as client:
        await begin(client, era)
        await client.list_all()
        await client.start("tools/call", {"name": "web__slow", "arguments": {"text": "x"}}, id="slow")
        await until(lambda: server.executed("slow"))
        await client.notify("notifications/cancelled", {"requestId": "slow"})
        await until(lambda: server.executed("stopped"))
        assert text(await client.call("web__echo", {"text": "next"})) == "next"
    assert outcomes(stand) == ["cancelled", "ok"]


@pytest.mark.parametrize("era", [LEGACY, MODERN])
async def test_a_server_that_is_killed_during_a_call_leaves_it_unknown(tmp_path: Path, era: str) -> None:
    stand = Stand(tmp_path, POLICY)
    async with web(tmp_path) as server, guarded(stand, server.url) as client:
        await begin(client, era)
        await client.list_all()
        call = await client.start("tools/call", {"name": "web__slow", "arguments": {"text": "x"}})
        await until(lambda: server.executed("slow"))
        server.process.kill()
        answer = await asyncio.wait_for(call, PATIENCE)
        assert decision_in(answer["error"])["kind"] == "unknown"
        await server.process.wait()  # until then its port may still take connections
        gone = await client.call("web__echo", {"text": "y"})
        assert decision_in(gone)["reason"] == "unavailable"
    assert outcomes(stand) == ["unknown", "not_sent"]
    assert server.executed("slow") == ["x"]


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_client_over_http_reaches_a_server_over_http_and_its_token_goes_no_further(
    tmp_path: Path, mode: ConnectMode
) -> None:
    stand = Stand(tmp_path, POLICY)
    async with web(tmp_path, "--headers") as server, serving_http(stand, server.url) as url:
        bearer = {"authorization": f"Bearer {TOKEN}", "cookie": f"session={TOKEN}"}
        async with httpx2.AsyncClient(headers=bearer, timeout=PATIENCE) as http:
            transport = streamable_http_client(url, http_client=http)
            async with Client(transport, mode=mode, read_timeout_seconds=20) as client:
                result = await client.call_tool("web__echo", {"text": "across"})
                assert result.content[0].text == "across"  # type: ignore[union-attr]
        assert server.executed("echo") == ["across"]
        headers = server.executed("headers")
        assert headers and TOKEN not in "".join(headers)


@asynccontextmanager
async def serving_http(stand: Stand, behind: str) -> AsyncIterator[str]:
    """A guard that serves HTTP in front of the server at `behind`; gives its URL."""
    file = stand.home / "guard.yaml"
    file.write_text(f'version: 1\npolicy: {stand.policy_file}\nservers:\n  web: {{url: "{behind}"}}\n')
    words = ["run", "--config", str(file), "--http", "127.0.0.1:0", "--token-env", "TEST_TOKEN"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mcp_guard", *words),
        env={**stand.environment, "TEST_TOKEN": TOKEN},
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            line = ""
            while not (found := re.search(r"serving (http\S+)", line)):
                line = (await process.stderr.readline()).decode()
                assert line, "the guard ended"
        yield found[1]
        process.terminate()
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_progress_of_a_call_reaches_the_client_in_order(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    async with web(tmp_path) as server, guarded(stand, server.url) as client:
        await client.initialize()
        params = {"name": "web__steps", "arguments": {"text": "x"}, "_meta": {"progressToken": "mine"}}
        await client.request("tools/call", params)
        steps = [m["params"] for m in client.received if m.get("method") == "notifications/progress"]
        assert [(step["progressToken"], step["progress"]) for step in steps] == [("mine", 1), ("mine", 2), ("mine", 3)]


async def test_a_guard_is_not_its_own_server(tmp_path: Path) -> None:
    """`run --http` on the port that guard.yaml names as a server's: every request would come back."""
    port = free_port()
    stand = Stand(tmp_path, POLICY)
    file = tmp_path / "guard.yaml"
    file.write_text(
        f'version: 1\npolicy: {stand.policy_file}\nservers:\n  web: {{url: "http://localhost:{port}/mcp"}}\n'
    )
    words = [sys.executable, "-m", "mcp_guard", "run", "--config", str(file), "--http", f"127.0.0.1:{port}"]
    environment = {**os.environ, "MCP_GUARD_STATE": str(stand.state), "PYTHONPATH": str(REPOSITORY)}
    done = await asyncio.create_subprocess_exec(*words, env=environment, stderr=asyncio.subprocess.PIPE)
    try:
        assert done.stderr is not None
        said = b""
        async with asyncio.timeout(PATIENCE):
            while b"own address" not in said:
                line = await done.stderr.readline()
                assert line, said
                said += line
            assert await done.wait() == 2
    finally:
        if done.returncode is None:
            done.kill()
            await done.wait()
