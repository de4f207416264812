"""What no grant opens: ways out of the project by links, and the guard's own files; through published servers."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from mcp.client.client import Client

from tests.end_to_end.clients import on_stdio
from tests.end_to_end.stories import MEANING
from tests.end_to_end.world import EVERYTHING, World

pytestmark = pytest.mark.servers

Way = tuple[str, Callable[[World], dict[str, Any]]]


async def refused(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The decision about a call that was refused."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result
    decision: dict[str, Any] = (result.meta or {})[MEANING]
    assert decision["kind"] == "denied"
    return decision


async def test_a_link_that_leads_out_of_the_project_leads_nowhere(world: World) -> None:
    (world.project / "docs").symlink_to(world.other)
    (world.project / "b.md").symlink_to(world.other / "b.md")
    secret = (world.other / "a.md").read_text()
    async with on_stdio(world, world.wrap("files"), "legacy") as client:
        await refused(client, "read_text_file", {"path": str(world.project / "docs" / "a.md")})
        for name in ("docs/new.md", "docs", "b.md"):
            await refused(client, "write_file", {"path": str(world.project / name), "content": "x"})
        edit = {"oldText": secret, "newText": "x"}
        await refused(client, "edit_file", {"path": str(world.project / "docs" / "a.md"), "edits": [edit]})
        moved = {"source": str(world.project / "a.md"), "destination": str(world.project / "docs" / "new.md")}
        await refused(client, "move_file", moved)
        out = {"source": str(world.project / "docs" / "a.md"), "destination": str(world.project / "c.md")}
        await refused(client, "move_file", out)
        assert not (await client.call_tool("read_text_file", {"path": str(world.project / "a.md")})).is_error
    assert {path.name for path in world.other.iterdir()} == {".git", "a.md"}
    assert (world.other / "a.md").read_text() == secret


TO_THE_POLICY_BY_FILES: dict[str, Way] = {
    "written": ("write_file", lambda world: {"path": str(world.policy), "content": EVERYTHING}),
    "edited": (
        "edit_file",
        lambda world: {"path": str(world.policy), "edits": [{"oldText": "version", "newText": "#version"}]},
    ),
    "moved away": (
        "move_file",
        lambda world: {"source": str(world.policy), "destination": str(world.project / "old.md")},
    ),
    "by a relative path": ("write_file", lambda world: {"path": "policy.yaml", "content": EVERYTHING}),
    "by dots": (
        "write_file",
        lambda world: {"path": f"{world.project}/../project/policy.yaml", "content": EVERYTHING},
    ),
    "by a link": ("write_file", lambda world: {"path": str(world.project / "link.md"), "content": EVERYTHING}),
    "by a hard link": ("write_file", lambda world: {"path": str(world.project / "hard.md"), "content": EVERYTHING}),
    "through a linked directory": (
        "write_file",
        lambda world: {"path": str(world.other / "by" / "policy.yaml"), "content": EVERYTHING},
    ),
}


@pytest.mark.parametrize("grants", ["the shipped policy", "everything"])
async def test_the_policy_in_the_project_is_not_changed_through_the_file_server(world: World, grants: str) -> None:
    if grants == "everything":
        world.grant(EVERYTHING)
    (world.project / "link.md").symlink_to(world.policy)
    os.link(world.policy, world.project / "hard.md")
    (world.other / "by").symlink_to(world.project)
    before = world.policy.read_text()
    async with on_stdio(world, world.wrap("files"), "legacy") as client:
        for tool, arguments in TO_THE_POLICY_BY_FILES.values():
            await refused(client, tool, arguments(world))
            assert world.policy.read_text() == before


@pytest.mark.parametrize("grants", ["the shipped policy", "everything"])
async def test_the_policy_in_the_project_is_not_staged_by_its_name(world: World, grants: str) -> None:
    if grants == "everything":
        world.grant(EVERYTHING)
    (world.project / "link.md").symlink_to(world.policy)
    async with on_stdio(world, world.wrap("git"), "legacy") as client:
        for name in ("policy.yaml", "./policy.yaml", str(world.policy), "POLICY.yaml", "link.md"):
            await refused(client, "git_add", {"repo_path": str(world.project), "files": [name]})
    assert world.staged() == {"a.md"}


async def test_the_shipped_policy_keeps_the_project_where_it_is(world: World) -> None:
    """Most calls name the project itself, so the guard's protection of its own files lets that name through."""
    policy = world.policy.read_text()
    (world.other / "policy.yaml").write_text(EVERYTHING)
    async with on_stdio(world, world.wrap("files"), "legacy") as client:
        moves = [(world.project, world.home / "old"), (world.other, world.project)]
        for source, destination in moves:
            await refused(client, "move_file", {"source": str(source), "destination": str(destination)})
    assert world.policy.read_text() == policy


async def test_the_shipped_policy_closes_what_the_protection_of_names_cannot_see(world: World) -> None:
    """Git takes patterns and whole directories, and a checkout writes files that no argument names."""
    world.git(world.project, "checkout", "--quiet", "-b", "loose")
    safe = world.policy.read_text()
    world.grant(EVERYTHING)
    world.git(world.project, "add", "policy.yaml")
    world.git(world.project, "commit", "--quiet", "--message=loose")
    world.git(world.project, "checkout", "--quiet", "main")
    world.grant(safe)
    async with on_stdio(world, world.wrap("git"), "legacy") as client:
        for pattern in (".", "*", "pol*", ":/", ":(glob)**", "[p]olicy.yaml"):
            await refused(client, "git_add", {"repo_path": str(world.project), "files": [pattern]})
        assert "git_checkout" not in {tool.name for tool in (await client.list_tools()).tools}
    assert world.staged() == {"a.md"}
    assert world.policy.read_text() == safe
