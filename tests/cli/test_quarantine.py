"""`mcp-guard quarantine`: only somebody who is there looks and releases, and only what was held is released."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mcp_guard.cli.quarantine import quarantine
from mcp_guard.errors import GuardError
from mcp_guard.record.quarantine import MAX_HELD, Held, Quarantine
from mcp_guard.record.verify import verify
from tests.guards import RecordingDownstream, Scene, tool
from tests.inspection.samples import answer

HOLDING = "version: 1\ngrants: [{id: say, tool: raw/echo, args: any, result: quarantine}]\n"


def command(directory: Path, *words: str) -> Result:
    return CliRunner().invoke(quarantine, [*words, "--state", str(directory / "state")])


def held_scene(directory: Path) -> Scene:
    double = RecordingDownstream(tools=[tool("echo")])
    double.replies["tools/call"] = answer("the key is under the mat\x1b[2J")
    return Scene(directory, policy=HOLDING, servers=[double])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What somebody who is there was asked to agree to."""
    purposes: list[str] = []
    monkeypatch.setattr("mcp_guard.cli.quarantine.require", lambda _, purpose: purposes.append(purpose))
    return purposes


async def test_an_answer_is_listed_shown_and_released_by_somebody_who_is_there(
    tmp_path: Path, asked: list[str]
) -> None:
    with held_scene(tmp_path) as held:
        await held.call("echo")
        (row,) = held.rows()
        listed = json.loads(command(tmp_path, "--json").output)
        assert (listed["entry"], listed["name"], listed["status"]) == (row.id, "raw/echo", "held")
        shown = command(tmp_path, "show", row.id).output
        assert "the key is under the mat\\u001b" in shown
        assert "\x1b" not in shown
        assert command(tmp_path, "release", row.id).exit_code == 0
        assert asked == [f"{what} the answer to {row.id} (raw/echo)" for what in ("show", "release")]
        assert "released" in command(tmp_path).output
        assert "the key" in json.dumps(await held.call("echo"))
        assert len(held.servers[0].calls) == 1
    assert verify(tmp_path / "state") == []


@pytest.mark.parametrize("action", ["show", "release", "drop"])
async def test_without_somebody_there_nothing_is_shown_or_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    def nobody(*_: object) -> None:
        raise GuardError("nobody is there")

    monkeypatch.setattr("mcp_guard.cli.quarantine.require", nobody)
    with held_scene(tmp_path) as held:
        await held.call("echo")
        (row,) = held.rows()
        done = command(tmp_path, action, row.id)
        assert isinstance(done.exception, GuardError)
        assert "the key" not in done.output
        assert "the key" not in json.dumps(await held.call("echo"))
        assert len(held.guard.quarantine.all(held.guard.now())) == 2


@pytest.mark.usefixtures("asked")
async def test_content_that_was_exchanged_is_not_released(tmp_path: Path) -> None:
    with held_scene(tmp_path) as held:
        await held.call("echo")
        (row,) = held.rows()
        with sqlite3.connect(tmp_path / "state" / "quarantine.db") as file:
            file.execute("UPDATE held SET content=?", (json.dumps(answer("worse")).encode(),))
        done = command(tmp_path, "release", row.id)
        assert "isn't what the record says was held" in str(done.exception)


def test_an_entry_that_nothing_is_held_to_is_said(tmp_path: Path) -> None:
    assert "no answer is held to x-1" in str(command(tmp_path, "show", "x-1").exception)
    assert "no entry is named" in str(command(tmp_path, "release").exception)


async def test_what_is_held_is_bounded_and_the_oldest_goes(tmp_path: Path) -> None:
    with held_scene(tmp_path) as held:
        kept, now = Quarantine(tmp_path / "state"), held.guard.now()
        for number in range(MAX_HELD + 2):
            assert kept.hold(Held(f"e-{number:04}", now, "call", "raw/echo", "d", None, b"{}"))
        left = [one.entry for one in kept.all(now)]
        assert (len(left), left[0]) == (MAX_HELD, "e-0002")
        assert not kept.hold(Held("e", now, "call", "raw/echo", "d", None, b" " * (9 << 20)))
