"""The official SDK's client that asks first, and the one that knows the modern era alone, before servers of both."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.end_to_end.clients import _line
from tests.guards import Stand
from tests.patience import PATIENCE

POLICY = 'version: 1\ngrants: [{id: all, tool: ["old/*", "new/*"], args: any}]\n'
MODES = {"auto": "2025-11-25", "2026-07-28": "2026-07-28"}


async def test_a_client_in_either_mode_has_the_tools_of_all_servers_over_http(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    servers = {"old": stand.server("old", "--no-modern"), "new": stand.server("new", "--no-legacy")}
    stand.run(servers)  # writes guard.yaml
    words = ["-m", "mcp_guard", "run", "--config", str(tmp_path / "guard.yaml"), "--http", "127.0.0.1:0"]
    guard = await asyncio.create_subprocess_exec(
        sys.executable, *words, env=stand.environment, cwd=tmp_path, stderr=asyncio.subprocess.PIPE
    )
    assert guard.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE):
            url = await _line(guard.stderr, r"serving (http\S+)")
            token = Path(await _line(guard.stderr, r"bearer token: in (.+)")).read_text()
        for mode, spoken in MODES.items():
            headers = {"authorization": f"Bearer {token}"}
            async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE) as http:
                transport = streamable_http_client(url, http_client=http)
                async with Client(transport, mode=mode, read_timeout_seconds=PATIENCE) as client:
                    assert client.protocol_version == spoken
                    assert len((await client.list_tools()).tools) == 30
                    for name in servers:
                        said = await client.call_tool(f"{name}__echo", {"text": name, "nonce": f"{mode} {name}"})
                        assert json.loads(said.model_dump_json())["content"][0]["text"] == name
    finally:
        with contextlib.suppress(ProcessLookupError):
            guard.terminate()
        await guard.communicate()
    for name in servers:
        assert [line["nonce"] for line in stand.ledger(name)] == [f"{mode} {name}" for mode in MODES]
