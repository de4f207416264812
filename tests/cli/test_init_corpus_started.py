"""Files of the corpus, guarded, and the guard really started as each client would start it; then given back."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mcp_guard.clients import CLIENTS, How, Scope, load_bytes
from mcp_guard.starting.applying import apply, backups_in
from mcp_guard.starting.places import Program
from mcp_guard.starting.plan import Setting, plan
from mcp_guard.starting.survey import Table, survey
from mcp_guard.starting.views import view
from tests.clients.files import CORPUS, accepted, placed
from tests.fixtures.client import RAW_SERVER, RawClient
from tests.starting.homes import NOW, Home

ROOT = Path(__file__).parents[2]


def table_of(home: Path, client: str) -> tuple[str, Table] | None:
    """The first file of the corpus with several servers of this person that are started by a plain name."""
    for number, name in enumerate(one for one in accepted() if one.startswith(f"{client}/user--")):
        here = home / str(number)
        (here / "work").mkdir(parents=True)
        placed(here, name, (CORPUS / name).read_bytes())
        for table in survey(Home(here).places(), Program(("x",)), here / "work").tables:
            programs = [server.command[0] for server in table.movable if server.command]
            if table.scope is Scope.USER and programs and all("/" not in program for program in programs):
                return name, table
    return None


@pytest.mark.parametrize("client", [client.id for client in CLIENTS])
async def test_what_was_written_lists_the_servers_of_the_file(tmp_path: Path, client: str) -> None:
    found = table_of(tmp_path / "looking", client)
    assert found is not None
    name, table = found
    home = Home(tmp_path / "home")
    data = (CORPUS / name).read_bytes()
    file = placed(home.root, name, data)
    program = Program(
        (sys.executable, "-P", "-m", "mcp_guard"), {"PYTHONPATH": str(ROOT), "MCP_GUARD_STATE": str(home.state)}
    )
    setting = Setting(home.root, home.guards, home.project, home.project, program, "2026-11-21")
    tables = [
        one for one in survey(home.places(), program, home.project).tables if one.section.path == table.section.path
    ]
    planned = plan(tables, setting, lambda line, server, config: view(line.name, line.command, config))
    apply(planned, home.guards, home.state, NOW)
    (change,) = planned[0].changes
    started = {line.name: line.command[0] for _, line in change.moved if line.command}
    # A person grants everything; `npx` and its like are played by a server of ours.
    grants = ", ".join(f"{{id: g{number}, tool: '{one}/echo', args: any}}" for number, one in enumerate(started))
    change.policy.write_text(f"version: 1\ngrants: [{grants}]\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    for one in set(started.values()):
        (programs / one).write_text(f"#!/bin/sh\nexec {sys.executable} -S {RAW_SERVER}\n")
        (programs / one).chmod(0o755)
    entry = load_bytes(file, file.path.read_bytes()).section(table.section.path).entries[change.entry]
    path = os.pathsep.join([str(programs), "/usr/bin", "/bin"])
    env = {"HOME": str(home.root), "PATH": path, **{one: value or "" for one, value in entry.env.items()}}
    async with RawClient(entry.command or (), env=env, cwd="/") as guarded:
        await guarded.initialize()
        assert {one["name"] for one in await guarded.list_all()} == {f"{one}__echo" for one in started}
    backups = backups_in(home.state)
    assert [backups.undo(one).how for one in backups.kept()] == [How.RESTORED]
    assert file.path.read_bytes() == data
