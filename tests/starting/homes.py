"""A made-up home with clients' files in it, and `init` over it without a process."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mcp_guard.clients import CLIENTS, Backups, Client, Entry, Places, Undone, load_bytes
from mcp_guard.clients.model import ConfigFile
from mcp_guard.starting.applying import apply, backups_in
from mcp_guard.starting.places import Program, project_of
from mcp_guard.starting.plan import Change, FileChange, Setting, plan
from mcp_guard.starting.survey import Survey, survey
from mcp_guard.starting.views import view

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PROGRAM = Program(("/opt/guard/bin/mcp-guard",))


def client(name: str) -> Client:
    return next(one for one in CLIENTS if one.id == name)


def entry_of(members: dict[str, Any], client_id: str = "claude-code", name: str = "one") -> Entry:
    """The entry that a client's file with these members has."""
    of = client(client_id)
    place = of.places[0]
    file = ConfigFile(of, place, Path("/file"), Path("/"))
    table: Any = {name: members}
    for key in reversed(place.tables[0].path):
        table = {key: table}
    (section, *_) = load_bytes(file, json.dumps(table).encode()).sections
    return section.entries[name]


@dataclass
class Home:
    """`home/` with a project `home/shop`; the guards' files go to `home/.config/mcp-guard`."""

    root: Path
    program: Program = PROGRAM
    project: Path = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.root.resolve()
        self.project = self.root / "shop"
        self.project.mkdir(parents=True, exist_ok=True)
        self.guards = self.root / ".config" / "mcp-guard"
        self.state = self.root / ".local" / "state" / "mcp-guard"

    def write(self, path: str, value: Any) -> Path:
        """A file below the home: text as it is, anything else as JSON."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(value if isinstance(value, str) else json.dumps(value, indent=2), encoding="utf-8")
        return file

    def servers(self, servers: dict[str, Any], path: str = ".cursor/mcp.json") -> Path:
        """Cursor's own file, or another with the same key."""
        return self.write(path, {"mcpServers": servers})

    def places(self) -> Places:
        return Places(self.root, self.project, "linux", {})

    def setting(self) -> Setting:
        opened = project_of(self.project, self.root, self.guards)
        return Setting(self.root, self.guards, opened, self.project, self.program, "2026-11-21")

    def survey(self) -> Survey:
        return survey(self.places(), self.program, self.project)

    def plan(self) -> tuple[FileChange, ...]:
        found = self.survey()
        return plan(
            [table for table in found.tables if table.here],
            self.setting(),
            lambda line, server, config: view(line.name, line.command, config, given=line.env),
        )

    def change(self) -> Change:
        """The one change that there is to make."""
        (one,) = self.plan()
        (change,) = one.changes
        return change

    def apply(self) -> list[str]:
        return apply(self.plan(), self.guards, self.state, NOW)

    def backups(self) -> Backups:
        return backups_in(self.state)

    def undo(self) -> list[Undone]:
        backups = self.backups()
        return [backups.undo(change) for change in backups.kept()]
