"""Follows a story from its first line to its last, and plays the client's part with the SDK's own client."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from mcp import MCPError
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from tests.examples.readme import Asked, Command, Conversation, Shown, Step, Written, matches, steps
from tests.examples.stage import REPOSITORY, Stage
from tests.examples.terminal import Terminal, terminal

Started = Callable[[Stage], Any]
"""What the client of a story connects to, by its own file as it is at this moment."""

TYPIST = REPOSITORY / "tests" / "fixtures" / "typist.py"
"""Types the PIN where a command asks for it, as a person at a terminal."""

Chosen = Callable[[Step], bool]


def _none(step: Step) -> bool:
    return False


@dataclass
class Story:
    """One README, followed. `client` is how its client reads its configuration."""

    stage: Stage
    client: Started | None = None  # None: the story's own program is the client

    async def follow(self, without: Chosen = _none, until: Chosen = _none) -> None:
        """Do every step but those, up to that one. Fails at the first that isn't as it is written."""
        with terminal(self.stage.example, self.stage.environment, self.stage.root / "stderr") as shell:
            for step in tuple(steps(self.stage.example / "README.md")):
                if until(step):
                    return
                if not without(step):
                    await self._do(step, shell)

    async def _do(self, step: Step, shell: Terminal) -> None:
        match step:
            case Command(line, output):
                asks = f"{sys.executable} {TYPIST} " if line.startswith("mcp-guard accept") else ""
                code, printed = shell.run(asks + self.stage.here(line))
                said = (self.stage.root / "stderr").read_text("utf-8", "replace")[-2000:]
                assert code in (0, 1), f"$ {line}\n{printed}{said}"  # 2: what the README says is wrong
                real = self.stage.there(printed)
                assert matches(self.stage.there(output), real), f"$ {line}\n{real}{said}"
            case Shown(file, text):
                real = self.stage.there(self.stage.path(file).read_text("utf-8"))
                assert matches(self.stage.there(text), real), f"{file}\n{real}"
            case Written(file, text):
                self.stage.path(file).write_text(text, "utf-8")
            case Conversation(rows):
                assert self.client is not None, "a table of calls needs a client"
                await converse(self.client(self.stage), rows)


async def converse(server: Any, rows: Sequence[Asked]) -> None:
    """One run of a client: every row of the table, in its order."""
    async with Client(server, read_timeout_seconds=60) as client:
        for row in rows:
            await _ask(client, row)


async def _ask(client: Client, row: Asked) -> None:
    if not row.tool:
        assert {tool.name for tool in (await client.list_tools()).tools} == row.listed
        return
    kind, _, words = row.answer.partition(": ")
    if kind == "no such tool":
        with pytest.raises(MCPError, match="Unknown tool"):
            await client.call_tool(row.tool, row.arguments)
        return
    result = await client.call_tool(row.tool, row.arguments)
    text = " ".join(getattr(block, "text", "") for block in result.content)
    decision = (result.meta or {}).get("mcp-guard/decision")
    assert {"done": not result.is_error, "refused": bool(result.is_error and decision)}.get(kind), f"{row}: {text}"
    assert words.strip("`") in text, f"{row}: {text}"


def stdio(
    stage: Stage, command: str, args: Sequence[str], env: dict[str, str], path: str = ""
) -> StdioServerParameters:
    """What a client starts for an entry: from the root directory, with its own environment and the entry's."""
    own = {**stage.environment, "HOME": str(stage.home)}
    if path:
        own["PATH"] = path
    return StdioServerParameters(command=command, args=list(args), env={**own, **env}, cwd=os.sep)
