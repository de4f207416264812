"""No client, server or model chooses a command: where processes can be started from, and what is started."""

from __future__ import annotations

import ast
import asyncio
import os
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mcp_guard import downstream
from mcp_guard.conversations import Conversations
from mcp_guard.guard import Guard
from mcp_guard.policy.document import Authority, load_text
from mcp_guard.protection import Protection
from mcp_guard.record.store import Record
from mcp_guard.server_spec import ServerSpec
from tests.fixtures.client import MODERN
from tests.guards import ALL_OF_RAW
from tests.patience import PATIENCE

PACKAGE = Path(downstream.__file__).parent
STARTING = {"Popen", "run", "call", "check_call", "check_output", "getoutput", "system", "popen", "fork", "forkpty"}
SPAWNING = ("exec", "spawn", "posix_spawn", "create_subprocess", "subprocess_")
MAY_START = {
    "transports/spawn.py",  # a warden, by the words that it is given
    "transports/warden.py",  # the server, by its own command line
    "transports/confine.py",  # the same
    "scanners/process.py",  # this Python with our own worker, which imports what guard.yaml names
    "cli/desktop.py",  # a notification of the desktop, by a program of its own choice
    "containment/possible.py",  # a trial of bubblewrap: nothing in it comes from outside
}
MAY_SPAWN = {"downstream.py", "__main__.py"}  # a spec's own command; what stands behind `wrap --`
MAY_SPECIFY = {
    "config.py",
    "cli/check.py",
    "cli/lock.py",
    "cli/wrap.py",
    "cli/init_listing.py",
    "starting/guard_text.py",
}  # guard.yaml, the command line


def modules() -> dict[str, ast.Module]:
    return {str(path.relative_to(PACKAGE)): ast.parse(path.read_bytes()) for path in PACKAGE.rglob("*.py")}


def calls(module: ast.Module) -> set[str]:
    """What is called, as it is written: `subprocess.run`, `spawn`."""
    return {ast.unparse(node.func) for node in ast.walk(module) if isinstance(node, ast.Call)}


def starts_a_process(call: str) -> bool:
    owner, _, name = call.rpartition(".")
    if owner in ("subprocess", "os", "pty", "asyncio"):
        return name in STARTING - {"run" if owner == "asyncio" else ""} or name.startswith(SPAWNING)
    return name.startswith(("create_subprocess", "subprocess_")) or call in ("Popen", "execvp", "fork", "system")


def test_processes_are_started_in_few_modules_only() -> None:
    assert {name for name, tree in modules().items() if any(map(starts_a_process, calls(tree)))} == MAY_START


def test_nothing_is_imported_out_of_the_modules_that_start_processes() -> None:
    """Or else a call could go under another name."""
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module in ("subprocess", "os", "pty"):
                assert not [one.name for one in node.names if starts_a_process(f"os.{one.name}")], name


def test_servers_are_started_from_their_spec_only_and_a_spec_is_made_of_what_a_person_wrote() -> None:
    found = modules()
    assert {name for name, tree in found.items() if "spawn" in calls(tree)} == MAY_SPAWN
    assert {name for name, tree in found.items() if "ServerSpec" in calls(tree)} == MAY_SPECIFY
    with pytest.raises(FrozenInstanceError):
        ServerSpec("raw", ("true",)).command = ("false",)  # type: ignore[misc]


class Unstartable:
    """Takes note of what was to be started, and starts nothing."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, ...]] = []
        self.environments: list[Any] = []

    def __call__(self, command: tuple[str, ...], *, env: Any = None, cwd: Any = None, temporary: str = "") -> Any:
        self.commands.append(tuple(command))
        self.environments.append((env, cwd, temporary))
        raise OSError("a double")


HOSTILE = {"command": ["sh", "-c", "x"], "args": ["x"], "env": {"A": "b"}, "cwd": "/", "contain": False, "servers": {}}


@pytest.mark.parametrize("revision", ["2025-11-25", MODERN])
async def test_whatever_a_client_sends_the_servers_own_command_is_what_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    started = Unstartable()
    monkeypatch.setattr(downstream, "spawn", started)
    record = Record.open(tmp_path / "state", session="s1", clock=lambda: datetime.now(UTC))
    spec = ServerSpec("raw", ("the", "command"), env={"PATH": "/bin"}, cwd=str(tmp_path))
    policy = load_text(ALL_OF_RAW.encode(), file="p.yaml", kind="policy")
    guard = Guard(
        authority=Authority((policy,)),
        record=record,
        specs=(spec,),
        prefixed=False,
        protection=Protection([], [os.fspath(tmp_path)]),
        session_key="s1",
        clock=lambda: datetime.now(UTC),
    )
    gateway = Conversations(guard, one_client=True).open(principal="local:me", notify=lambda *_: None)
    meta = {"io.modelcontextprotocol/protocolVersion": revision, **HOSTILE} if revision == MODERN else HOSTILE
    params = {
        **HOSTILE,
        "protocolVersion": revision,
        "capabilities": {"experimental": HOSTILE},
        "clientInfo": {"name": "sh", "version": "1", **HOSTILE},
        "_meta": meta,
    }
    try:
        for number, method in enumerate(("initialize", "server/discover", "tools/list", "tools/call")):
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            more = {"name": "echo", "arguments": HOSTILE} if method == "tools/call" else {}
            gateway.request(method, {**params, **more}, id=number, answer=answer.set_result, notify=lambda *_: None)
            async with asyncio.timeout(PATIENCE):
                await answer
    finally:
        gateway.close()
        record.close()
    assert started.commands
    assert set(started.commands) == {("the", "command")}
    assert started.environments == [({"PATH": "/bin"}, str(tmp_path), "")] * len(started.commands)
