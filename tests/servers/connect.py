"""Starts a server by its path, as a user does, and speaks to it with the SDK's client over real pipes."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp.client.client import Client, ConnectMode
from mcp.client.stdio import StdioServerParameters
from mcp.types import CallToolResult

SERVERS = Path(__file__).parents[2] / "servers"
ERAS: tuple[ConnectMode, ...] = ("legacy", "2026-07-28")


@asynccontextmanager
async def connect(name: str, state: Path, *options: str, mode: ConnectMode = "legacy") -> AsyncIterator[Client]:
    """A client of `servers/NAME.py`, started in a directory that is not the repository."""
    command = StdioServerParameters(
        command=sys.executable,
        args=[str(SERVERS / f"{name}.py"), "--state", str(state), *options],
        cwd=state.parent,
    )
    async with Client(command, mode=mode, read_timeout_seconds=30) as client:
        yield client


def structured(result: CallToolResult) -> dict[str, Any]:
    """What a tool that succeeded answered."""
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


def complaint(result: CallToolResult) -> str:
    """What a tool that failed said."""
    assert result.is_error
    return "\n".join(getattr(block, "text", "") for block in result.content)


def executed(state: Path) -> list[tuple[str, dict[str, Any]]]:
    """Tool and arguments of every line of the ledger in `state`."""
    path = state / "ledger.jsonl"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1)), "the sequence has gaps"
    return [(line["tool"], line["arguments"]) for line in lines]
