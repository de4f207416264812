"""The catalogue against published servers as they are (`make test-servers`): their descriptors are the ones judged."""

from __future__ import annotations

import json
import os
import re
import shlex

import pytest

from mcp_guard.catalogue import Known, find
from tests.cli.commands import guard
from tests.end_to_end.world import EVERY_SERVER, LEGACY_AND_MODERN, ROOT, World
from tests.fixtures.client import RawClient

pytestmark = pytest.mark.servers

COMMANDS = {
    "files": ["npx", "-y", "@modelcontextprotocol/server-filesystem"],
    "memory": ["npx", "-y", "@modelcontextprotocol/server-memory"],
    "git": ["uvx", "mcp-server-git"],
    "time": ["uvx", "mcp-server-time"],
    "fetch": ["uvx", "mcp-server-fetch"],
}


def installed(server: str) -> str:
    """The version that `make test-servers` installs."""
    name = COMMANDS[server][-1]
    node = json.loads((ROOT / "requirements" / "servers" / "package.json").read_text())["dependencies"]
    python = (ROOT / "requirements" / "servers" / "requirements.in").read_text()
    found = re.search(rf"^{re.escape(name)}==(\S+)$", python, flags=re.MULTILINE)
    return node[name] if found is None else found[1]


def known(server: str) -> Known:
    separator = "@" if COMMANDS[server][0] == "npx" else "=="
    found = find([*COMMANDS[server][:-1], f"{COMMANDS[server][-1]}{separator}{installed(server)}"])
    assert found is not None
    return found


def environment(world: World) -> dict[str, str]:
    """The time server's descriptors name the machine's time zone: it is judged in this one."""
    return {**world.environment, "TZ": "UTC"}


@pytest.mark.parametrize("server", EVERY_SERVER)
async def test_the_catalogue_knows_the_version_that_is_installed_here(server: str) -> None:
    assert not known(server).other_version


@pytest.mark.parametrize("server", EVERY_SERVER)
async def test_every_tool_that_the_server_lists_is_the_one_that_was_judged(world: World, server: str) -> None:
    found = known(server)
    async with RawClient(world.command(server), env=environment(world), cwd=world.project) as client:
        await client.initialize()
        listed = await client.list_all()
    assert {tool["name"]: found.why_not(tool) for tool in listed} == dict.fromkeys(found.tools, "")


@pytest.mark.parametrize("server", LEGACY_AND_MODERN)
async def test_it_lists_the_same_in_the_modern_era(world: World, server: str) -> None:
    found = known(server)
    async with RawClient(world.command(server), env=environment(world), cwd=world.project) as client:
        await client.discover()
        listed = await client.list_all()
    assert {tool["name"]: found.why_not(tool) for tool in listed} == dict.fromkeys(found.tools, "")


READING = "version: 1\ngrants: [{id: look, effect: read, args: any}]\n"


def test_a_grant_by_effect_shows_what_the_catalogue_says_and_only_to_the_package_s_own_command(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real server, started by an `npx` that finds it here, and then by its path."""
    place = world.home / "bin"
    place.mkdir()
    (place / "npx").write_text(f"#!/bin/sh\nexec {shlex.join(world.command('files'))}\n")
    (place / "npx").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    world.grant(READING)
    shown = {}
    for command in (["npx", "-y", f"{COMMANDS['files'][-1]}@{installed('files')}", "."], world.command("files")):
        options = ("check", "--json", "--policy", str(world.policy), "--name", "files", "--")
        result = guard(world.home / "record", *options, *command, cwd=world.project)
        assert result.returncode == 0, result.stderr
        (server,) = json.loads(result.stdout)["servers"]
        shown[command[0]] = server["shown"]
    readers = [name for name, tool in known("files").tools.items() if tool.described.effects == {"read"}]
    assert len(readers) == 10
    assert sorted(shown["npx"]) == sorted(readers)
    assert shown[world.command("files")[0]] == []
