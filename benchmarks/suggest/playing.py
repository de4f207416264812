"""Plays an example's README as its test does, with values kept, and finds the records and policies that it leaves."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mcp_guard.record.place import DATABASE
from tests.examples.following import Story
from tests.examples.readme import Command, Step
from tests.examples.stage import STORIES, Stage, program
from tests.examples.test_agent_http import at_free_ports
from tests.examples.test_agent_mandate import without_mandate

CLIENTS = {
    "02-claude-desktop": ("test_claude_desktop", "claude_desktop"),
    "03-cursor": ("test_cursor", "cursor"),
    "04-vscode": ("test_vscode", "vscode"),
    "05-codex": ("test_codex", "codex"),
}
"""Where the client of a story is played; the others bring their own program."""
PUBLISHED = {"01-claude-code"}
"""Stories whose server is published elsewhere: they are played by the tests that have it."""
KEEPING = """case "$1" in run|wrap) first="$1"; shift; set -- "$first" --record values "$@" ;; esac
exec "{python}" -P -m mcp_guard "$@"
"""


def stories() -> list[str]:
    """Those that can be played here."""
    return [name for name in STORIES if name not in PUBLISHED]


async def played(name: str, root: Path) -> Stage:
    """One story, up to where it takes the guard out again."""
    stage = at_free_ports(root) if name == "07-agent-http" else Stage.of(name, root)
    place = stage.example.parents[1] / ".venv" / "bin"
    program(place / "mcp-guard", KEEPING.format(python=place / "python"))
    await Story(stage, _client(name)).follow(until=_until(name))
    return stage


def records(stage: Stage) -> Iterator[Path]:
    """The state directories that it left."""
    yield from sorted(path.parent for path in stage.root.rglob(DATABASE))


def clear(root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)  # a server that was told to end may still be writing


def _client(name: str) -> Any:
    if name not in CLIENTS:
        return None
    module, function = CLIENTS[name]
    return getattr(importlib.import_module(f"tests.examples.{module}"), function)


def _takes_it_out(step: Step) -> bool:
    return isinstance(step, Command) and "--undo" in step.line


def _until(name: str) -> Callable[[Step], bool]:
    """Story 8 plays three times, each with a new record; the first is the one under its mandate."""
    return without_mandate if name == "08-agent-mandate" else _takes_it_out
