"""`mcp-guard approvals` and `mcp-guard stop` at a real terminal, beside a real guard; and from an agent's shell."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from mcp_guard import presence
from mcp_guard.presence import secret
from mcp_guard.record.entries import EntryKind
from tests.fixtures.client import Answer, RawClient
from tests.guards import Stand, decision_in
from tests.presence.person import PIN, at_a_terminal, in_a_shell

ASKING = """version: 1
grants: [{id: say, tool: raw/echo, args: {text: any}, ask: true}]
"""
TRICKY = "pay\x1b[2K \u202e me\u200b"


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    found = Stand(tmp_path, ASKING)
    secret.keep(found.state, PIN)
    return found


async def start(client: RawClient, text: str) -> Answer:
    return await client.start("tools/call", {"name": "echo", "arguments": {"text": text}})


def question(stand: Stand) -> str:
    """The one that waits; bounded."""
    for _ in range(100):
        done = in_a_shell(stand.state, "approvals", "list", "--json")
        if lines := done.stdout.splitlines():
            found: dict[str, Any] = json.loads(lines[0])
            return str(found["question"])
        time.sleep(0.05)
    raise AssertionError("no question came")


async def test_a_person_sees_the_call_and_lets_it_through_with_the_pin(stand: Stand) -> None:
    async with stand.wrap() as client:
        await client.initialize()
        sent = await start(client, TRICKY)
        entry = question(stand)
        assert stand.ledger() == []
        assert len([row for row in stand.rows() if row.kind is EntryKind.OPENED]) == 1  # to look leaves no trace
        code, seen = at_a_terminal(stand.state, "approvals", "approve", entry, types=(PIN,))
        assert code == 0, seen
        assert not (await client.result(sent)).get("isError")
    assert "raw/echo" in seen
    assert 'text = "pay\\' in seen
    assert "\x1b[2K" not in seen
    assert "\u202e" not in seen
    assert "\\u200b" in seen
    assert PIN not in seen
    assert len(stand.ledger()) == 1
    assert stand.verified() == []


async def test_an_agent_with_a_shell_approves_nothing(stand: Stand) -> None:
    async with stand.wrap() as client:
        await client.initialize()
        await start(client, "hi")
        entry = question(stand)
        for words in (["approvals", "approve", entry], ["approvals", "approve", entry, "--session"]):
            done = in_a_shell(stand.state, *words, stdin=f"{PIN}\ny\n")
            assert done.returncode == 1
            assert "run it yourself in a terminal" in done.stderr
        code, seen = at_a_terminal(stand.state, "approvals", "approve", entry, types=("a-guess-1",))
        assert code == 1
        assert "wrong PIN" in seen
        assert question(stand) == entry
    assert stand.ledger() == []


async def test_a_no_needs_no_pin_and_is_told_at_once(stand: Stand) -> None:
    async with stand.wrap() as client:
        await client.initialize()
        sent = await start(client, "hi")
        done = in_a_shell(stand.state, "approvals", "deny", question(stand))
        assert done.returncode == 0, done.stderr
        assert decision_in(await client.result(sent))["reason"] == "not_approved"
    assert stand.ledger() == []


async def test_a_stop_binds_a_running_guard_and_only_the_pin_undoes_it(stand: Stand) -> None:
    stand.policy_file.write_text(ASKING.replace(", ask: true", ""))
    async with stand.wrap() as client:
        await client.initialize()
        assert not (await client.call("echo", {"text": "hi"})).get("isError")
        assert in_a_shell(stand.state, "stop", "--server", "raw").returncode == 0
        assert decision_in(await client.call("echo", {"text": "hi"}))["reason"] == "stopped"
        undone = in_a_shell(stand.state, "stop", "--server", "raw", "--undo", stdin=f"{PIN}\n")
        assert undone.returncode == 1
        assert decision_in(await client.call("echo", {"text": "hi"}))["reason"] == "stopped"
        code, seen = at_a_terminal(stand.state, "stop", "--server", "raw", "--undo", types=(PIN,))
        assert code == 0, seen
        assert not (await client.call("echo", {"text": "hi"})).get("isError")
    assert len(stand.ledger()) == 2
    assert stand.verified() == []


async def test_a_stop_outlives_the_guard_that_was_running(stand: Stand) -> None:
    stand.policy_file.write_text(ASKING.replace(", ask: true", ""))
    assert in_a_shell(stand.state, "stop").returncode == 0
    async with stand.wrap() as client:
        await client.initialize()
        assert decision_in(await client.call("echo", {"text": "hi"}))["reason"] == "stopped"
    assert stand.ledger() == []


def test_a_frozen_session_goes_on_only_with_the_pin(stand: Stand) -> None:
    assert in_a_shell(stand.state, "stop", "--session", "abc").returncode == 0
    assert in_a_shell(stand.state, "approvals", "unfreeze", "abc", stdin=f"{PIN}\n").returncode == 1
    code, seen = at_a_terminal(stand.state, "approvals", "unfreeze", "abc", types=(PIN,))
    assert code == 0, seen
    listed = in_a_shell(stand.state, "approvals", "list")
    assert "stopped" not in listed.stderr
    assert "0 waiting" in listed.stderr
    presence.check(stand.state, PIN)


def test_where_nothing_is_recorded_nothing_waits(tmp_path: Path) -> None:
    done = in_a_shell(tmp_path / "none", "approvals", "list")
    assert (done.returncode, done.stdout) == (0, "")
    assert "nothing waits" in done.stderr
    assert not (tmp_path / "none").exists()
    assert in_a_shell(tmp_path / "none", "approvals", "show", "ab-1").returncode == 1
