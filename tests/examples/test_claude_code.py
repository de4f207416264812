"""Story 1: the filesystem server in Claude Code. It is published elsewhere, so the calls need it installed."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from mcp.client.stdio import StdioServerParameters

from tests.examples.following import Story, converse, stdio
from tests.examples.readme import Asked, Command, Conversation, Step
from tests.examples.stage import REPOSITORY, Stage, executed

PUBLISHED = (
    REPOSITORY / ".servers" / "node_modules" / "@modelcontextprotocol" / "server-filesystem" / "dist" / "index.js"
)
NPX = '[ "$1 $2" = "-y @modelcontextprotocol/server-filesystem@2026.8.31" ] && [ -d "$3" ] || exit 2; '


def claude_code(stage: Stage) -> StdioServerParameters:
    (entry,) = json.loads((stage.home / ".claude.json").read_text())["mcpServers"].values()
    return stdio(stage, entry["command"], entry["args"], entry.get("env", {}))


@pytest.fixture
def stage(root: Path) -> Stage:
    return Stage.of("01-claude-code", root)


def needs_the_server(step: Step) -> bool:
    """The conversation, and what `log` says of it."""
    return isinstance(step, Conversation) or (isinstance(step, Command) and "mcp-guard log" in step.line)


async def test_the_configuration_goes_to_the_guard_and_back_as_it_is_written(stage: Stage) -> None:
    await Story(stage, claude_code).follow(without=needs_the_server)
    before = stage.example / "home" / ".claude.json"
    assert (stage.home / ".claude.json").read_bytes() == before.read_bytes()


async def test_a_server_that_only_has_the_known_ones_name_is_granted_nothing(stage: Stage) -> None:
    """The starter policy rests on what was judged: tools that are described otherwise count as doing everything."""
    other = [str(stage.example.parents[1] / "servers" / "files.py"), "--state", str(stage.home / "state"), "--root"]
    stage.command("npx", f'{NPX} shift 2; exec python {shlex.join(other)} "$@"')
    story = Story(stage, claude_code)
    await story.follow(until=lambda step: isinstance(step, Command) and "explain" in step.line)
    path = str(stage.home / "shop" / "README.md")
    rows = [
        Asked("", {}, ""),
        Asked("files__read_text_file", {"path": path}, "no such tool"),
    ]
    await converse(claude_code(stage), rows)
    assert executed(stage.home / "state" / "ledger.jsonl") == []


@pytest.mark.servers
async def test_the_story_goes_as_it_is_written_with_the_published_server(stage: Stage) -> None:
    stage.command("npx", f'{NPX} shift 2; exec node {shlex.quote(str(PUBLISHED))} "$@"')
    await Story(stage, claude_code).follow()
    project = stage.home / "shop"
    assert (project / "notes" / "plan.md").read_text() == "a plan"
    before = stage.example / "home" / "shop"
    assert (project / "src" / "app.py").read_bytes() == (before / "src" / "app.py").read_bytes()
    assert (stage.home / ".config" / "mcp-guard" / "claude-code" / "policy.yaml").read_text() != "x"
