"""One story for each published server: what is listed, a call that is granted, one that isn't, and where either shows.

Whether a call happened is read from what the server changes, never from what the guard says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mcp.client.client import Client

from tests.end_to_end.world import World

Arguments = dict[str, Any]
MEANING = "mcp-guard/decision"


@dataclass(frozen=True)
class Story:
    """`seen` is the part of the world that the granted and the refused call would change, each in its own way."""

    server: str
    listed: frozenset[str]
    granted: tuple[str, Callable[[World], Arguments]]
    refused: tuple[str, Callable[[World], Arguments]]
    seen: Callable[[World], object]

    def __str__(self) -> str:
        return self.server


def names(words: str) -> frozenset[str]:
    return frozenset(words.split())


def notes(world: World) -> dict[str, str]:
    """The texts in and beside the project, less the guard's own files."""
    found = (path for folder in (world.project, world.other) for path in folder.glob("*.md"))
    return {str(path.relative_to(world.home)): path.read_text() for path in found}


def commits(world: World) -> list[str]:
    return [world.git(repository, "log", "--format=%s") for repository in (world.project, world.other)]


def entity(name: str) -> dict[str, Any]:
    return {"name": name, "entityType": "note", "observations": ["seen"]}


STORIES = {
    story.server: story
    for story in (
        Story(
            "files",
            names(
                "list_directory list_directory_with_sizes directory_tree search_files get_file_info"
                " list_allowed_directories read_text_file read_file read_media_file read_multiple_files"
                " write_file edit_file create_directory move_file"
            ),
            granted=("write_file", lambda world: {"path": str(world.project / "b.md"), "content": "written\n"}),
            refused=("write_file", lambda world: {"path": str(world.other / "b.md"), "content": "written\n"}),
            seen=notes,
        ),
        Story(
            "memory",
            names("create_entities read_graph"),
            granted=("create_entities", lambda world: {"entities": [entity("one")]}),
            refused=("create_entities", lambda world: {"entities": [entity("two"), entity("three")]}),
            seen=lambda world: world.graph.read_text() if world.graph.exists() else "",
        ),
        Story(
            "git",
            names("git_status git_log git_diff_unstaged git_diff_staged git_show git_diff git_add git_commit"),
            granted=("git_commit", lambda world: {"repo_path": str(world.project), "message": "by the agent"}),
            refused=("git_commit", lambda world: {"repo_path": str(world.other), "message": "by the agent"}),
            seen=commits,
        ),
        Story(
            "time",
            names("get_current_time"),
            granted=("get_current_time", lambda world: {"timezone": "Europe/Berlin"}),
            refused=("get_current_time", lambda world: {"timezone": "Asia/Tokyo"}),
            seen=lambda world: [line for line in world.heard.read_text().splitlines() if '"tools/call"' in line],
        ),
        Story(
            "fetch",
            names("fetch"),
            granted=("fetch", lambda world: {"url": f"{world.site.origin}/page"}),
            refused=("fetch", lambda world: {"url": f"{world.site.other_origin}/page"}),
            seen=lambda world: list(world.site.log),
        ),
    )
}


async def tell(story: Story, client: Client, world: World, *, prefix: str = "") -> None:
    """The whole story through a client that is connected to a guard; `prefix` stands before the tools' names."""
    tools = (await client.list_tools()).tools
    assert {tool.name for tool in tools if tool.name.startswith(prefix)} == {prefix + name for name in story.listed}

    before = story.seen(world)
    tool, arguments = story.granted
    result = await client.call_tool(prefix + tool, arguments(world))
    assert not result.is_error, result
    granted = story.seen(world)
    assert granted != before

    tool, arguments = story.refused
    result = await client.call_tool(prefix + tool, arguments(world))
    assert result.is_error
    assert (result.meta or {})[MEANING]["kind"] == "denied"
    assert story.seen(world) == granted
