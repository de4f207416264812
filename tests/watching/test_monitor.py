"""The monitor in a guard: learned from the record, noted there, and at most stricter for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mcp_guard.monitoring import Monitor
from tests.approvals.room import Room
from tests.guards import RecordingDownstream, decision_in, tool
from tests.patience import PATIENCE
from tests.watching.stage import watched

POLICY = """version: 1
grants: [{id: all, tool: [raw/echo, raw/other], args: any}]
deny: [{id: never, tool: raw/other, args: {text: poison}}]
"""
LEARN = 10


def servers() -> list[RecordingDownstream]:
    return [RecordingDownstream(tools=[tool("echo"), tool("other")])]


async def usual(room: Room, calls: int = LEARN) -> None:
    await room.scene.listed()
    for _ in range(calls):
        await room.call(url="https://a.example/x")


def flags(room: Room) -> list[str]:
    return [flag.partition(":")[0] for flag in room.scene.rows()[-1].body.get("flags", [])]


def monitor(on_flag: str) -> str:
    return f"monitor: {{learn: {LEARN}, on_flag: {on_flag}}}"


async def test_a_deviation_is_noted_with_its_reason_and_the_call_goes_on(tmp_path: Path) -> None:
    with watched(tmp_path, monitor("note"), POLICY, servers=servers()) as room:
        await usual(room)
        assert flags(room) == []
        await room.call(url="https://b.example/x")
        assert room.executed() == LEARN + 1
        (flag,) = room.scene.rows()[-1].body["flags"]
        assert flag == f"new_host: a host that raw/echo was not used with in {LEARN} calls"
        assert not any("b.example" in str(row.body) for row in room.scene.rows())
        assert room.verified() == []


async def test_what_was_learned_is_read_from_the_record_after_a_restart(tmp_path: Path) -> None:
    with watched(tmp_path, monitor("note"), POLICY, servers=servers()) as room:
        await usual(room)
    with watched(tmp_path, monitor("note"), POLICY, servers=servers()) as room:
        await room.scene.listed()
        await room.call(url="https://b.example/x")
        assert flags(room) == ["new_host"]


async def test_a_refused_call_teaches_nothing(tmp_path: Path) -> None:
    with watched(tmp_path, monitor("note"), POLICY, servers=servers()) as room:
        await usual(room)
        await room.scene.call("other", {"text": "poison"})
        await room.scene.call("other", {"text": "hello"})
        assert flags(room) == ["new_tool"]


async def test_a_flag_asks_a_person_where_guard_yaml_says_so(tmp_path: Path) -> None:
    with watched(tmp_path, monitor("ask"), POLICY, servers=servers()) as room:
        await usual(room)
        _, answer = room.scene.start("tools/call", {"name": "echo", "arguments": {"url": "https://b.example/"}})
        assert room.executed() == LEARN
        assert [one.asks for one in room.waiting()] == [("monitor/new_host",)]
        room.approve()
        room.queue.look()
        async with asyncio.timeout(PATIENCE):
            await answer
        assert room.executed() == LEARN + 1
        await room.call(url="https://b.example/x")  # it is known now
        assert room.executed() == LEARN + 2 and room.verified() == []


async def test_a_flag_freezes_the_session_where_guard_yaml_says_so_and_no_other(tmp_path: Path) -> None:
    with watched(tmp_path, monitor("freeze"), POLICY, servers=servers()) as room:
        await usual(room)
        for url in ("https://b.example/x", "https://a.example/x"):
            said = await room.call(url=url)
            assert decision_in(said["result"])["reason"] == "stopped"
        assert room.executed() == LEARN
        assert room.scene.record.look("SELECT scope, why FROM stops") == [("session:s1", "monitor: new_host")]
        assert room.verified() == []


async def test_a_monitor_that_fails_denies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with watched(tmp_path, monitor("ask"), POLICY, servers=servers()) as room:
        await room.scene.listed()
        monkeypatch.setattr(Monitor, "flags", lambda *_: 1 / 0)
        assert decision_in((await room.call(text="hello"))["result"])["reason"] == "internal"
        assert room.executed() == 0


async def test_a_flag_never_makes_a_decision_milder(tmp_path: Path) -> None:
    """Not even one that asks, of a call that a rule denies."""
    for on_flag in ("note", "ask", "freeze"):
        home = tmp_path / on_flag
        home.mkdir()
        with watched(home, monitor(on_flag), POLICY, servers=servers()) as room:
            await usual(room)
            said = await room.scene.call("other", {"text": "poison"})
            assert decision_in(said["result"])["reason"] == "denied"
            assert room.waiting() == []
            assert room.executed() == LEARN
