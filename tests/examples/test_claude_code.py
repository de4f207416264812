"""Example 1: `.mcp.json` is started as Claude Code would start it, and the README's table comes true."""

from __future__ import annotations

import json
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.types import CallToolResult

from tests.examples.stage import REPOSITORY, Stage, executed

PUBLISHED = (
    REPOSITORY / ".servers" / "node_modules" / "@modelcontextprotocol" / "server-filesystem" / "dist" / "index.js"
)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """The example's files in a project with sources, notes and a secret."""
    stage = Stage.of("01-claude-code", tmp_path)
    (stage.example / "notes").mkdir()
    (stage.example / "src").mkdir()
    (stage.example / "src" / "app.py").write_text("print('hello')\n")
    (stage.example / ".env").write_text("TOKEN=secret\n")
    return stage


@asynccontextmanager
async def claude_code(stage: Stage) -> AsyncIterator[Client]:
    """A client that starts the one server of `.mcp.json`, in the project's directory."""
    (server,) = json.loads((stage.example / ".mcp.json").read_text())["mcpServers"].values()
    command = StdioServerParameters(**server, cwd=stage.example, env=stage.environment)
    async with Client(command, read_timeout_seconds=60) as client:
        yield client


async def read(client: Client, path: Path | str) -> CallToolResult:
    return await client.call_tool("read_text_file", {"path": str(path)})


async def write(client: Client, path: Path) -> CallToolResult:
    return await client.call_tool("write_file", {"path": str(path), "content": "a plan"})


async def play_the_table(client: Client, project: Path) -> None:
    """The rows of the README: what is granted works, and the rest is refused."""
    for granted in (
        await read(client, project / "README.md"),
        await client.call_tool("list_directory", {"path": str(project)}),
        await write(client, project / "notes" / "plan.md"),
    ):
        assert not granted.is_error, granted.content
    for path in (
        project / ".env",
        project / ".ENV",
        f"{project}/src/../.env",
        "/etc/passwd",
        "src/app.py",
        project / "policy.yaml",
    ):
        answer = await read(client, path)
        assert answer.is_error, path
        assert (answer.meta or {}).get("mcp-guard/decision", {}).get("kind") == "denied", path
    for path in (project / "src" / "app.py", project / "policy.yaml"):
        assert (await write(client, path)).is_error


async def test_the_table_of_the_readme_comes_true_and_the_ledger_agrees(stage: Stage) -> None:
    state = stage.home / "state"
    server = shlex.join([str(stage.home / "servers" / "files.py"), "--state", str(state), "--root"])
    # Stands in for `npx -y PACKAGE DIRECTORY`: nothing is downloaded in a test.
    stage.command("npx", f'[ "$1" = -y ] && [ -d "$3" ] || exit 2; shift 2; exec python {server}')
    project = stage.example
    async with claude_code(stage) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {
            "list_directory",
            "read_text_file",
            "write_file",
        }
        await play_the_table(client, project)
    assert executed(state / "ledger.jsonl") == [
        ("read_text_file", {"path": str(project / "README.md")}),
        ("list_directory", {"path": str(project)}),
        ("write_file", {"path": str(project / "notes" / "plan.md"), "content": "a plan"}),
    ]


@pytest.mark.servers
async def test_the_table_comes_true_with_the_published_server(stage: Stage) -> None:
    stage.command("npx", f'[ "$1" = -y ] && [ -d "$3" ] || exit 2; shift 2; exec node {shlex.quote(str(PUBLISHED))}')
    async with claude_code(stage) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {
            "list_directory",
            "directory_tree",
            "search_files",
            "read_text_file",
            "write_file",
        }
        await play_the_table(client, stage.example)
    assert (stage.example / "notes" / "plan.md").read_text() == "a plan"
    assert (stage.example / "src" / "app.py").read_text() == "print('hello')\n"
