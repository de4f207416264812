"""A small machine to contain a hostile server in: a home with a key, the guard's record, a project with its policy.

What the server got is read from its own ledger.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.containment.binding import Wanted, bind, own_things
from mcp_guard.containment.cell import Cell, Start
from mcp_guard.containment.possible import Mechanism, Possible, possible
from mcp_guard.containment.settings import Containment
from mcp_guard.policy.document import Authority, load_text
from mcp_guard.transports import confine
from mcp_guard.transports.spawn import spawn
from tests.transports.processes import until_now

REPOSITORY = Path(__file__).parents[2]
NOSY = REPOSITORY / "servers" / "nosy.py"
SANDBOXES = (Mechanism.BUBBLEWRAP, Mechanism.LANDLOCK)
POLICY = """
version: 1
tools: {nosy/read: {effect: read}, nosy/write: {effect: write}}
grants:
  - {id: r, tool: nosy/read, args: {path: {under: $project}}}
  - {id: w, tool: nosy/write, args: {path: {under: $project/notes}}}
"""


def sandbox(mechanism: Mechanism) -> Possible:
    """This mechanism, or the test is skipped, since the machine hasn't got it."""
    if mechanism is Mechanism.BUBBLEWRAP:
        if possible().mechanism is not mechanism:
            pytest.skip(f"no bubblewrap here: {possible().why}")
        return possible()
    if confine.landlock_abi() < confine.LEAST_ABI or not confine.socket_filter_known():
        pytest.skip("no Landlock here")
    return Possible(Mechanism.LANDLOCK, why="as the test wants it")


@dataclass
class Room:
    """One test's machine."""

    base: Path
    policy: str = POLICY
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.base = self.base.resolve()
        self.home, self.project, self.state = (self.base / name for name in ("home", "project", "state"))
        self.notes = self.project / "notes"
        for directory in (self.home / ".ssh", self.state, self.notes, self.project / ".vscode"):
            directory.mkdir(parents=True)
        self.key = self.home / ".ssh" / "id"
        self.key.write_text("a private key")
        self.key.chmod(0o600)
        self.record = self.state / "guard.db"
        self.record.write_text("the record")
        self.policy_file = self.project / "policy.yaml"
        self.policy_file.write_text(self.policy)
        self.settings = self.project / ".vscode" / "settings.json"
        self.settings.write_text("{}")
        self.plain = self.project / "a.txt"
        self.plain.write_text("plain")
        self.ledger_file = self.notes / "ledger"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", **self.environment}

    def command(self, *options: object) -> tuple[str, ...]:
        return (sys.executable, str(NOSY), "--ledger", str(self.ledger_file), *map(str, options))

    def authority(self) -> Authority:
        variables = {"project": str(self.project)}
        return Authority((load_text(self.policy.encode(), file="p.yaml", kind="policy", variables=variables),))

    def cell(self, contain: Containment, found: Possible, command: tuple[str, ...]) -> Cell:
        own = own_things([self.state], [self.policy_file, self.settings], [REPOSITORY / "mcp_guard", sys.prefix])
        path, home = self.environment["PATH"], str(self.home)
        return bind(Wanted("nosy", command, contain, path, str(self.project), home), self.authority(), {}, own, found)

    def look(self, contain: Containment | None, found: Possible, *options: object) -> dict[str, Any]:
        """What the server got, by attempt; what failed isn't in it. `contain` None: without any containment."""
        command = self.command(*options)
        start = self.cell(contain, found, command).start(command) if contain else Start(command)
        child = spawn(start.command, env=self.environment, cwd=str(self.project), temporary=start.temporary)
        try:
            assert child.process.stdin is not None
            assert child.process.stdout is not None
            child.process.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {}}\n')
            assert child.process.stdout.readline(), "the server did not start"
        finally:
            child.discard()
            until_now(lambda: child.process.poll() is not None, "the warden")
        lines = [json.loads(line) for line in self.ledger_file.read_text().splitlines()]
        return {line["attempt"]: line["got"] for line in lines if "got" in line}


def listening() -> tuple[socket.socket, int]:
    """A port on loopback that takes connections."""
    one = socket.create_server(("127.0.0.1", 0))
    return one, one.getsockname()[1]
