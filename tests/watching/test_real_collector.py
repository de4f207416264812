"""Telemetry of a real guard, taken by a published product and read back from it: Arize Phoenix, over OTLP and HTTP.

Phoenix keeps spans and answers 405 to metrics, so a second thing is shown: what a collector refuses fails no call.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.guards import REPOSITORY, Stand
from tests.patience import PATIENCE
from tests.ports import free_port
from tests.watching.test_processes import client

pytestmark = pytest.mark.collector

PHOENIX = REPOSITORY / ".collector" / "venv" / "bin" / "phoenix"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
STARTING = 120.0
"""Seconds: it makes a database and imports some 800 MB of packages first."""
POLICY = "version: 1\ngrants: [{id: say, tool: raw/echo, args: {text: {not_in: [poison]}}}]\n"


@asynccontextmanager
async def phoenix(home: Path) -> AsyncIterator[str]:
    """Its address, once it takes requests. It has a home of its own, and is told to fetch and report nothing."""
    if not PHOENIX.exists():
        pytest.fail(f"{PHOENIX.relative_to(REPOSITORY)} isn't there; `make test-collector` installs it")
    home.mkdir()
    port = free_port()
    own = {"HOST": "127.0.0.1", "PORT": str(port), "GRPC_PORT": str(free_port()), "WORKING_DIR": str(home)}
    own |= {"TELEMETRY_ENABLED": "false", "ALLOW_EXTERNAL_RESOURCES": "false"}
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), **{f"PHOENIX_{key}": own[key] for key in own}}
    with (home / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(str(PHOENIX), "serve", env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(STARTING), httpx2.AsyncClient(trust_env=False) as http:
            while await answer(http, f"{url}/healthz") is None:
                assert process.returncode is None, (home / "log").read_text()
                await moment()
        yield url
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def answer(http: httpx2.AsyncClient, url: str) -> httpx2.Response | None:
    try:
        response = await http.get(url)
    except httpx2.TransportError:
        return None
    return response if response.status_code == 200 else None


async def moment() -> None:
    """Before asking again what another program has to say by itself."""
    await asyncio.sleep(0.05)


async def spans(url: str, count: int) -> dict[str, dict[str, Any]]:
    """The spans that it keeps, as OTLP in JSON, by what the guard decided; once there are so many."""
    async with asyncio.timeout(PATIENCE), httpx2.AsyncClient(trust_env=False) as http:
        found: list[dict[str, Any]] = []
        while len(found) < count:
            response = await answer(http, f"{url}/v1/projects/default/spans/otlpv1")
            found = response.json()["data"] if response is not None else []
            if len(found) < count:
                await moment()
    assert len(found) == count
    return {attribute(one, "mcp_guard.effect"): one for one in found}


def attribute(span: dict[str, Any], name: str) -> Any:
    (value,) = (one["value"] for one in span["attributes"] if one["key"] == name)
    return next(iter(found for found in value.values() if found is not None))


async def test_a_published_collector_keeps_the_guards_spans_as_they_were_sent(tmp_path: Path) -> None:
    stand = Stand(tmp_path / "stand", POLICY)
    async with phoenix(tmp_path / "phoenix") as url:
        async with client(stand, f"telemetry: {{endpoint: '{url}', every: 0.1}}\n") as guarded:
            await guarded.initialize()
            parent = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
            call = {"name": "raw__echo", "arguments": {"text": "hunter2"}, "_meta": parent}
            assert "isError" not in await guarded.request("tools/call", call)
            await guarded.call("raw__echo", {"text": "poison"})
        kept = await spans(url, count=2)
        allowed, refused = kept["allow"], kept["deny"]
        assert (allowed["name"], allowed["trace_id"], allowed["parent_span_id"]) == ("tools/call echo", TRACE, SPAN)
        assert attribute(allowed, "gen_ai.tool.name") == "echo"
        assert attribute(allowed, "mcp_guard.rule") == "policy/say"
        assert attribute(allowed, "mcp_guard.entry") == stand.decisions()[0].id
        assert attribute(refused, "mcp_guard.reason") == "no_grant"
        assert "hunter2" not in str(kept) and "poison" not in str(kept)
    assert len(stand.ledger()) == 1
