"""`check` in front of servers behind URLs: whether they answer, why not, and nothing that is secret."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tests.fixtures.http_server import Heard, Wire, serving
from tests.guards import REPOSITORY
from tests.patience import PATIENCE


async def check(directory: Path, servers: str, *options: str, **environment: str) -> tuple[int, str]:
    """Exit code and all that is said."""
    (directory / "p.yaml").write_text("version: 1\ngrants: [{id: a, tool: web/echo, args: any}]\n")
    (directory / "guard.yaml").write_text(f"version: 1\npolicy: p.yaml\nservers:\n{servers}")
    state = {"MCP_GUARD_STATE": str(directory / "s"), "PYTHONPATH": str(REPOSITORY)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mcp_guard", "check", *options),
        cwd=directory,
        env={**os.environ, **state, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(PATIENCE):
        said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_a_server_behind_a_url_is_shown_like_the_others(tmp_path: Path) -> None:
    async with serving() as server:
        url = f"{server.url}?key=hunter2"
        code, said = await check(
            tmp_path, f'  web: {{url: "{url}", token_env: DOCS_TOKEN}}\n', DOCS_TOKEN="hunter2-token"
        )
        assert (code, f"web {server.url}: answers" in said, "web__echo(text?)" in said) == (0, True, True), said
        assert "terminal" not in said and "descendants" not in said  # nothing was started
        assert "hunter2" not in said
        assert {heard.target for heard in server.heard} == {"/mcp?key=hunter2"}
        assert {heard.header("authorization") for heard in server.heard} == {"Bearer hunter2-token"}
        assert server.of("DELETE")


async def test_a_credential_that_is_not_set_is_named_and_the_server_hears_nothing(tmp_path: Path) -> None:
    async with serving() as server:
        code, said = await check(tmp_path, f'  web: {{url: "{server.url}", token_env: NO_SUCH_TOKEN_HERE}}\n')
        assert (code, "`NO_SUCH_TOKEN_HERE`" in said, "is not set" in said) == (1, True, True), said
        assert server.connections == 0


async def test_credentials_that_are_refused_are_said_to_be(tmp_path: Path) -> None:
    async def refuse(_: Heard, wire: Wire) -> None:
        await wire.respond(401)

    async with serving(initialize=refuse) as server:
        code, said = await check(tmp_path, f'  web: {{url: "{server.url}"}}\n')
        assert (code, "refuses the guard's credentials (HTTP 401)" in said) == (1, True), said


async def test_a_server_that_is_not_there_is_said_not_to_be(tmp_path: Path) -> None:
    async with serving() as server:
        url = server.url
    code, said = await check(tmp_path, f'  web: {{url: "{url}"}}\n')
    assert (code, "it refuses connections" in said) == (1, True), said
