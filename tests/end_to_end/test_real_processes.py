"""Processes of published servers: one that dies is started again, and none outlives the client or the guard."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from tests.end_to_end.processes import all_ended, below, watched
from tests.end_to_end.website import SLOW
from tests.end_to_end.world import EVERY_SERVER, LITTERING, World
from tests.fixtures.client import RawClient

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc and waits for them by pidfd"),
]

MEMORY = "server-memory"
WORDS = ("server-filesystem", MEMORY, "mcp-server-git", "mcp-server-time", "mcp-server-fetch")


async def open_all(world: World, client: RawClient) -> None:
    """Connect, and see a tool of every server listed."""
    await client.initialize()
    names = {tool["name"] for tool in await client.list_all()}
    assert {name.partition("__")[0] for name in names} == set(EVERY_SERVER)


async def read_slowly(world: World, client: RawClient) -> None:
    """Begin a call that the fetch server is busy with until the test is over."""
    await client.start("tools/call", {"name": "fetch__fetch", "arguments": {"url": world.site.origin + SLOW}})
    assert await asyncio.to_thread(world.site.asked_slowly.wait, client.timeout)


async def test_a_killed_server_is_started_again_while_the_others_go_on(world: World) -> None:
    async with RawClient(
        world.run(EVERY_SERVER, launcher=LITTERING), env=world.environment, cwd=world.project
    ) as client:
        await open_all(world, client)
        one = {"entities": [{"name": "one", "entityType": "note", "observations": []}]}
        await client.call("memory__create_entities", one)
        before = below(client.pid)
        (memory,) = (pid for pid, line in before.items() if MEMORY in line and "warden.py" not in line)

        with watched([memory]) as killed:
            os.kill(memory, signal.SIGKILL)
            await all_ended(killed)
        status = await client.call("git__git_status", {"repo_path": str(world.project)})
        assert "On branch main" in status["content"][0]["text"]
        await client.wait_for_notification("notifications/tools/list_changed")

        graph = await client.call("memory__read_graph")
        assert [entity["name"] for entity in graph["structuredContent"]["entities"]] == ["one"]
        after = below(client.pid)
        assert memory not in after
        gone = sorted(before[pid].rpartition("/")[2] for pid in before.keys() - after.keys())
        assert gone == ["mcp-server-memory", "mcp-server-memory", "sleep 60"]  # one is the warden
        assert any(MEMORY in after[pid] for pid in after.keys() - before.keys())


async def test_no_process_is_left_when_the_client_goes_in_the_middle_of_a_call(world: World) -> None:
    async with RawClient(
        world.run(EVERY_SERVER, launcher=LITTERING), env=world.environment, cwd=world.project
    ) as client:
        await open_all(world, client)
        await read_slowly(world, client)
        running = below(client.pid)
        assert all(any(words in line for line in running.values()) for words in (*WORDS, "sleep 60"))
        with watched(running) as left:
            assert await client.close() == 0
            await all_ended(left)


async def test_no_process_is_left_when_the_guard_is_killed_in_the_middle_of_a_call(world: World) -> None:
    async with RawClient(
        world.run(EVERY_SERVER, launcher=LITTERING), env=world.environment, cwd=world.project
    ) as client:
        await open_all(world, client)
        await read_slowly(world, client)
        with watched(below(client.pid)) as left:
            client.kill()
            await all_ended(left)
