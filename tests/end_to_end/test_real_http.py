"""The guard on HTTP in front of tool servers that we didn't write, as real processes (`make test-servers`)."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import anyio
import httpx2
import pytest

from tests.end_to_end.clients import served
from tests.end_to_end.processes import all_ended, below, watched
from tests.end_to_end.stories import STORIES, tell
from tests.end_to_end.website import SLOW
from tests.end_to_end.world import EVERY_SERVER, LEGACY_AND_MODERN, LITTERING, World
from tests.patience import PATIENCE

pytestmark = pytest.mark.servers

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc and waits for them by pidfd")
ANYWHERE = ("--http", "127.0.0.1:0")


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_five_servers_behind_one_guard_do_what_is_granted_and_nothing_else(world: World, mode: str) -> None:
    async with served(world, world.run(EVERY_SERVER, *ANYWHERE)) as guard, guard.client(mode) as client:
        assert client.protocol_version == "2025-11-25"  # two of them know no newer revision
        for story in STORIES.values():
            await tell(story, client, world, prefix=f"{story.server}__")


@pytest.mark.parametrize("mode", ["auto", "2026-07-28"])
async def test_servers_that_all_speak_the_newest_revision_do_so_behind_one_guard(world: World, mode: str) -> None:
    async with served(world, world.run(LEGACY_AND_MODERN, *ANYWHERE)) as guard, guard.client(mode) as client:
        assert client.protocol_version == "2026-07-28"
        for server in LEGACY_AND_MODERN:
            await tell(STORIES[server], client, world, prefix=f"{server}__")


async def test_without_the_token_no_server_is_started(world: World) -> None:
    async with served(world, world.run(["time"], *ANYWHERE)) as guard, httpx2.AsyncClient() as http:
        body = {"jsonrpc": "2.0", "id": 1, "method": "server/discover"}
        for headers in ({}, {"authorization": "Bearer wrong"}):
            assert (await http.post(guard.url, json=body, headers=headers)).status_code == 401
        assert not world.heard.exists()


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_second_client_does_not_disturb_the_call_of_the_first(world: World, mode: str) -> None:
    async with served(world, world.run(["fetch"], *ANYWHERE)) as guard, guard.client(mode) as first:
        async with anyio.create_task_group() as tasks:
            texts: list[object] = []

            async def read_slowly() -> None:
                result = await first.call_tool("fetch__fetch", {"url": world.site.origin + SLOW})
                texts.append(result.content)

            tasks.start_soon(read_slowly)
            assert await anyio.to_thread.run_sync(world.site.asked_slowly.wait, PATIENCE)
            async with guard.client("auto") as second:
                assert [tool.name for tool in (await second.list_tools()).tools] == ["fetch__fetch"]
                world.site.go_on.set()
        assert "the page /slow" in str(texts)


@on_linux
async def test_no_process_is_left_when_a_session_ends(world: World) -> None:
    with ExitStack() as stack:
        async with served(world, world.run(EVERY_SERVER, *ANYWHERE, launcher=LITTERING)) as guard:
            async with guard.client("legacy") as client:
                await client.list_tools()
                left = stack.enter_context(watched(below(guard.pid)))
                assert len(left) >= 3 * len(EVERY_SERVER)  # each has a warden and litter
            await all_ended(left)


@on_linux
async def test_no_process_is_left_when_the_guard_ends(world: World) -> None:
    with ExitStack() as stack:
        async with served(world, world.run(LEGACY_AND_MODERN, *ANYWHERE, launcher=LITTERING)) as guard:
            async with guard.client("2026-07-28") as client:
                await client.list_tools()
            # This era has no sessions: whoever comes next would use the same servers.
            left = stack.enter_context(watched(below(guard.pid)))
            assert len(left) >= 3 * len(LEGACY_AND_MODERN)
        await all_ended(left)
