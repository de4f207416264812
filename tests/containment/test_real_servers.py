"""Published servers, contained: they do what is granted, and beyond it the sandbox stops what a wide grant allows."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_guard.containment.possible import Mechanism
from tests.containment.rooms import SANDBOXES, sandbox
from tests.end_to_end.clients import on_stdio
from tests.end_to_end.stories import STORIES, tell
from tests.end_to_end.website import website
from tests.end_to_end.world import EVERY_SERVER, PUBLISHED, World

pytestmark = pytest.mark.servers


class RoomyWorld(World):
    """The graph has a directory of its own, since its server replaces the file instead of writing into it."""

    @property
    def graph(self) -> Path:
        return self.home / "graph" / "graph.jsonl"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with website() as site:
        yield RoomyWorld.at(tmp_path, site)


def contained(world: World) -> list[str]:
    """What starts the guard with every server contained."""
    world.graph.parent.mkdir()
    world.heard.touch()
    contain = {
        "files": True,
        "git": True,
        "memory": {"write": [str(world.graph.parent)]},
        "time": {"write": [str(world.heard)], "read": [str(PUBLISHED / "venv")]},  # `sh -c` doesn't say what it runs
        "fetch": {"network": "on"},
    }
    command = world.run(EVERY_SERVER)
    lines = []
    for line in world.config.read_text().splitlines():
        name, colon, form = line.strip().partition(": ")
        if name in contain and colon:
            line = f"  {name}: {json.dumps({**json.loads(form), 'contain': contain[name]})}"
        lines.append(line)
    world.config.write_text("\n".join(lines) + "\n")
    return command


LANDLOCK_ONLY = """
import sys
from mcp_guard.containment import binding, possible
binding.possible = lambda: possible.Possible(possible.Mechanism.LANDLOCK, why="as the test wants it")
sys.argv[0] = "mcp-guard"
from mcp_guard.__main__ import main
sys.exit(main())
"""
BESIDE_THE_PROJECT = ("memory", "time", "fetch")  # the guard's own files lie in it, which Landlock can't hide


@pytest.mark.parametrize("mechanism", SANDBOXES)
async def test_contained_servers_do_what_is_granted_and_nothing_else(world: World, mechanism: Mechanism) -> None:
    sandbox(mechanism)
    servers: tuple[str, ...] = EVERY_SERVER
    command = contained(world)
    if mechanism is Mechanism.LANDLOCK:
        servers, command = BESIDE_THE_PROJECT, [sys.executable, "-c", LANDLOCK_ONLY, *command[3:]]
    async with on_stdio(world, command, "legacy") as client:
        for server in servers:
            await tell(STORIES[server], client, world, prefix=f"{server}__")
        listed = {tool.name.partition("__")[0] for tool in (await client.list_tools()).tools}
        assert listed == set(servers)


async def test_a_contained_server_can_do_no_more_when_the_calls_are_not_limited(world: World) -> None:
    """One grant names the project for reading, another lets every argument through: the sandbox is what is left."""
    sandbox(Mechanism.BUBBLEWRAP)
    world.grant(
        "version: 1\ngrants:\n"
        "  - {id: read, tool: files/read_text_file, args: {path: {under: $project}}}\n"
        "  - {id: all, tool: [files/write_file, files/read_media_file], args: any}\n"
    )
    before = STORIES["files"].seen(world)
    async with on_stdio(world, contained(world), "legacy") as client:
        text = await client.call_tool("files__read_text_file", {"path": str(world.project / "a.md")})
        assert not text.is_error
        for place in (world.other / "b.md", world.project / "b.md"):
            await client.call_tool("files__write_file", {"path": str(place), "content": "x"})
        other = await client.call_tool("files__read_media_file", {"path": str(world.other / "a.md")})
        assert other.is_error
    assert STORIES["files"].seen(world) == before
