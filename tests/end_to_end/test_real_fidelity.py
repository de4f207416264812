"""What a client of a published server sees through the guard: all of it where all is granted, less where less is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.end_to_end.world import EVERY_SERVER, EVERYTHING, LEGACY_AND_MODERN, World
from tests.fixtures.client import RawClient

pytestmark = pytest.mark.servers

Message = dict[str, Any]


async def opening_and_listing(world: World, command: Sequence[str], era: str) -> tuple[Message, Message]:
    """How the server introduces itself, and its `tools/list` result; raw."""
    async with RawClient(command, env=world.environment, cwd=world.project) as client:
        opening = await (client.discover() if era == "modern" else client.initialize())
        return opening, await client.request("tools/list")


@pytest.mark.parametrize(
    ("server", "era"),
    [*((server, "legacy") for server in EVERY_SERVER), *((server, "modern") for server in LEGACY_AND_MODERN)],
)
async def test_where_everything_is_granted_the_listing_is_the_servers_own(world: World, server: str, era: str) -> None:
    world.grant(EVERYTHING)
    (own_opening, own_listing), (opening, listing) = await asyncio.gather(
        opening_and_listing(world, world.command(server), era), opening_and_listing(world, world.wrap(server), era)
    )
    assert own_listing["tools"]
    if era == "modern":
        own_listing["cacheScope"] = "private"  # what one principal was granted is for no shared cache
    assert listing == own_listing
    only_tools = {"tools": own_opening["capabilities"]["tools"]}  # the policy grants no prompts and no resources
    assert opening == {**own_opening, "capabilities": only_tools}


@pytest.mark.parametrize("server", ["files", "git"])
async def test_a_narrowed_schema_names_no_argument_that_the_server_does_not_know(world: World, server: str) -> None:
    """One grant for several tools could show each of them the arguments of the others."""
    (_, own), shown = await asyncio.gather(
        opening_and_listing(world, world.command(server), "legacy"), schemas(world, server)
    )
    known = {tool["name"]: properties(tool["inputSchema"]) for tool in own["tools"]}
    assert shown
    assert {name: extra for name, schema in shown.items() if (extra := properties(schema) - known[name])} == {}


def properties(schema: Message) -> set[str]:
    return set(schema.get("properties", {}))


async def schemas(world: World, server: str) -> dict[str, Message]:
    """The inputSchema of each tool that is listed through the guard."""
    _, listing = await opening_and_listing(world, world.wrap(server), "legacy")
    return {tool["name"]: tool["inputSchema"] for tool in listing["tools"]}


async def test_a_schema_says_what_the_grant_leaves_of_a_value(world: World) -> None:
    time = (await schemas(world, "time"))["get_current_time"]
    assert time["properties"]["timezone"]["enum"] == ["UTC", "Europe/Berlin"]
    memory = (await schemas(world, "memory"))["create_entities"]
    assert memory["properties"]["entities"]["maxItems"] == 1
    assert memory["properties"]["entities"]["items"]["required"] == ["name", "entityType", "observations"]


async def test_a_schema_names_the_project_and_only_the_arguments_that_may_be_given(world: World) -> None:
    _, own = await opening_and_listing(world, world.command("git"), "legacy")
    (own_log,) = (tool["inputSchema"] for tool in own["tools"] if tool["name"] == "git_log")
    assert {"start_timestamp", "end_timestamp"} <= set(own_log["properties"])
    log = (await schemas(world, "git"))["git_log"]
    assert set(log["properties"]) == {"repo_path", "max_count"}
    assert log["properties"]["repo_path"]["const"] == str(world.project)
    assert log["properties"]["max_count"]["minimum"] == 1
    assert log["additionalProperties"] is False


async def test_a_schema_says_in_words_what_it_cannot_say_otherwise(world: World) -> None:
    write = (await schemas(world, "files"))["write_file"]
    assert str(world.project) in write["properties"]["path"]["description"]
    assert "*.env" in write["properties"]["path"]["description"]
    assert write["properties"]["content"]["maxLength"] == 1_000_000
