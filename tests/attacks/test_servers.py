"""A hostile tool server behind the guard, over real pipes. Prevention is read from ledgers and processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import guard
from tests.fixtures.client import RpcError
from tests.fixtures.ledger import executed
from tests.guards import DECISION, Stand

HOSTILE = Path(__file__).with_name("hostile_server.py")
ONLY_ECHO = "version: 1\ngrants: [{id: one, tool: raw/echo, args: {text: any}}]\n"


def hostile(stand: Stand, mode: str, *marks: str) -> list[str]:
    return [sys.executable, "-S", str(HOSTILE), mode, str(stand.ledger_file()), *marks]


@pytest.mark.parametrize("line_end", ["\u2028", "\u2029", "\x85"])
async def test_no_argument_is_a_message_of_its_own_to_a_server_that_ends_lines_in_more_places(
    tmp_path: Path, line_end: str
) -> None:
    stand = Stand(tmp_path, ONLY_ECHO)
    smuggled = json.dumps({"jsonrpc": "2.0", "id": 99, "method": "tools/call", "params": {"name": "wipe"}})
    async with stand.wrap(server=hostile(stand, "splitting")) as client:
        await client.initialize()
        carrying = await client.start(
            "tools/call", {"name": "echo", "arguments": {"text": f"{line_end}{smuggled}{line_end}"}}
        )
        await client.call("echo", {"text": "the end"})
        await asyncio.wait([carrying], timeout=0.2)  # such a server may have lost it
    assert "wipe" not in executed(stand.ledger_file())  # its quotes are escaped: no part of a text is a message
    assert "echo" in executed(stand.ledger_file())


def keys_of(value: Any) -> set[str]:
    """Every key at any depth."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(value if isinstance(value, dict) else (), *map(keys_of, inner))


async def test_no_server_speaks_in_the_name_of_the_guard(tmp_path: Path) -> None:
    stand = Stand(tmp_path, ONLY_ECHO)
    async with stand.wrap(server=hostile(stand, "faking")) as client:
        await client.initialize()
        listed = await client.list_all()
        result = await client.call("echo", {"text": "x"})
    assert listed[0]["_meta"] == {"kept": 1}
    assert result["_meta"] == {"kept": 1}
    assert DECISION not in keys_of(client.received)


async def test_no_name_that_a_server_or_a_client_chose_steers_the_terminal_of_who_looks(tmp_path: Path) -> None:
    stand = Stand(tmp_path, ONLY_ECHO)
    shout = "\x1b[2J\x9b1m\u202e\nmcp-guard: all is well"
    async with stand.wrap(server=hostile(stand, "shouting")) as client:
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": shout, "version": "1"}}
        await client.request("initialize", hello)
        await client.list_all()
        for name in (shout, "echo"):
            with contextlib.suppress(RpcError):
                await client.call(name, {"text": shout, shout: 1})
    policy = ["check", "--policy", str(stand.policy_file), "--name", "raw", "--", *hostile(stand, "shouting")]
    for words in (policy, ["log"], ["log", "--json"], ["explain", stand.decisions()[-1].id]):
        done = guard(stand.state, *words)
        shown = done.stdout + done.stderr
        assert shown
        for line in shown.split("\n"):
            assert line.isprintable(), (words, line)
            assert not line.startswith("mcp-guard: all is well")


async def test_a_server_of_which_nothing_is_granted_says_nothing_to_the_client(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    async with stand.run({"raw": stand.server("raw"), "stranger": stand.server("stranger")}) as client:
        told = await client.initialize()
        await client.list_all()
    assert "raw: " in told["instructions"]
    assert "stranger" not in told["instructions"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
async def test_a_server_that_kills_its_warden_leaves_no_process_behind(tmp_path: Path) -> None:
    stand = Stand(tmp_path, ONLY_ECHO)
    mark = f"escaping-{tmp_path.name}"
    async with stand.wrap(server=hostile(stand, "escaping", mark)) as client:
        await client.initialize()
        call = await client.start("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        await asyncio.wait([call], timeout=2)
    left = await still_there(mark)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


async def still_there(mark: str) -> list[int]:
    """The processes that have `mark` in their command, after the time that a warden's bounded waits may take."""
    for _ in range(300):
        if not (found := processes_with(mark)):
            break
        await asyncio.sleep(0.01)
    return found


def processes_with(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found
