"""The guard on stdio in front of tool servers that we didn't write, as real processes (`make test-servers`)."""

from __future__ import annotations

import pytest
from mcp.shared.exceptions import MCPError

from tests.end_to_end.clients import on_stdio
from tests.end_to_end.stories import STORIES, tell
from tests.end_to_end.world import EVERY_SERVER, LEGACY_AND_MODERN, World

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_five_servers_behind_one_guard_do_what_is_granted_and_nothing_else(world: World, mode: str) -> None:
    async with on_stdio(world, world.run(EVERY_SERVER), mode) as client:
        assert client.protocol_version == "2025-11-25"  # two of them know no newer revision
        for story in STORIES.values():
            await tell(story, client, world, prefix=f"{story.server}__")


@pytest.mark.parametrize("mode", ["auto", "2026-07-28"])
async def test_servers_that_all_speak_the_newest_revision_do_so_behind_one_guard(world: World, mode: str) -> None:
    async with on_stdio(world, world.run(LEGACY_AND_MODERN), mode) as client:
        assert client.protocol_version == "2026-07-28"
        for server in LEGACY_AND_MODERN:
            await tell(STORIES[server], client, world, prefix=f"{server}__")


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("server", EVERY_SERVER)
async def test_a_wrapped_server_does_what_is_granted_and_nothing_else(world: World, server: str, mode: str) -> None:
    async with on_stdio(world, world.wrap(server), mode) as client:
        modern = mode == "auto" and server in LEGACY_AND_MODERN
        assert client.protocol_version == ("2026-07-28" if modern else "2025-11-25")
        await tell(STORIES[server], client, world)


@pytest.mark.parametrize("server", EVERY_SERVER)
async def test_without_the_guard_the_refused_call_happens(world: World, server: str) -> None:
    """Or else the other tests would prove nothing about the guard."""
    story = STORIES[server]
    async with on_stdio(world, world.command(server), "legacy") as client:
        before = story.seen(world)
        tool, arguments = story.refused
        result = await client.call_tool(tool, arguments(world))
        assert not result.is_error, result
        assert story.seen(world) != before


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_prompt_that_fetches_is_judged_as_a_tool_is(world: World, mode: str) -> None:
    """The fetch server's prompt makes the same requests as its tool, by another method."""
    world.grant('version: 1\ngrants:\n  - {id: page, prompt: fetch/fetch, args: {url: {host_in: ["$site"]}}}\n')
    async with on_stdio(world, world.wrap("fetch"), mode) as client:
        assert (await client.list_tools()).tools == []
        assert [prompt.name for prompt in (await client.list_prompts()).prompts] == ["fetch"]
        page = await client.get_prompt("fetch", {"url": f"{world.site.origin}/page"})
        assert "the page /page" in str(page.messages)
        with pytest.raises(MCPError, match="Refused by policy"):
            await client.get_prompt("fetch", {"url": f"{world.site.other_origin}/page"})
    assert world.site.log == ["/page"]
