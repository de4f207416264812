"""`mcp-guard revoke`, over a real guard that runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mcp_guard.cli.revoke import parse_clauses, revoke
from mcp_guard.errors import GuardError, InputError
from tests.guards import Stand, decision_in


def command(stand: Stand, *words: str) -> Result:
    options = ["--policy", str(stand.policy_file), "--state", str(stand.state)]
    return CliRunner().invoke(revoke, [*words, *options], standalone_mode=False)


async def test_a_running_guard_obeys_at_once_and_a_new_one_too_and_undoing_asks_for_the_pin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = Stand(tmp_path / "stand")
    async with stand.wrap() as client:
        await client.initialize()
        assert "isError" not in await client.call("echo", {"text": "hello"})
        done = command(stand, "raw/echo", "--where", "text=hello", "--reason", "I said no")
        assert done.return_value == 0, done.output
        assert f"`mcp-guard revoke --undo local/1 --policy {stand.policy_file}` undoes it" in done.output
        refused = await client.call("echo", {"text": "hello"})
        assert decision_in(refused)["rule"] == "local/1"
        assert "isError" not in await client.call("echo", {"text": "other"})
        assert command(stand, "raw/echo").return_value == 0
        await client.wait_for_notification("notifications/tools/list_changed")
        assert "echo" not in [tool["name"] for tool in await client.list_all()]
    async with stand.wrap() as client:
        await client.initialize()
        assert "echo" not in [tool["name"] for tool in await client.list_all()]
    listed = json.loads(command(stand, "--list", "--json").output)
    assert [(one["rule"], one["tool"], one["reason"]) for one in listed] == [
        ("local/1", "raw/echo", "I said no"),
        ("local/2", "raw/echo", ""),
    ]

    def nobody(*_: object, **__: object) -> None:
        raise GuardError("nobody is there")

    monkeypatch.setattr("mcp_guard.presence.require", nobody)
    assert isinstance(command(stand, "--undo", "local/1").exception, GuardError)
    monkeypatch.setattr("mcp_guard.presence.require", lambda *_, **__: None)
    assert command(stand, "--undo", "all").return_value == 0
    assert command(stand, "--list").stdout == ""
    assert stand.verified() == []


def test_a_value_is_what_it_is_in_json_and_else_a_text() -> None:
    written = ["a=5", "b=true", "c=x=y", 'd="5"', "e=NaN", "f=", "g=-0.5", "h=05"]
    assert parse_clauses(written) == {
        "a": (5,),
        "b": (True,),
        "c": ("x=y",),
        "d": ("5",),
        "e": ("NaN",),
        "f": ("",),
        "g": (-0.5,),
        "h": ("05",),
    }
    for wrong in (["a"], ["=b"], ["a=1", "a=2"], ["a=null"], ["a=[1]"], ['a={"b": 1}'], ["a=1e999"]):
        with pytest.raises(InputError):
            parse_clauses(wrong)


async def test_a_number_that_is_taken_away_leaves_the_other_numbers(tmp_path: Path) -> None:
    stand = Stand(tmp_path / "stand", "version: 1\ngrants: [{id: add, tool: raw/add, args: any}]\n")
    assert command(stand, "raw/add", "--where", "a=5").return_value == 0
    async with stand.wrap() as client:
        await client.initialize()
        for five in (5, 5.0):
            refused = await client.call("add", {"a": five, "b": 1})
            assert decision_in(refused)["rule"] == "local/1"
        assert "isError" not in await client.call("add", {"a": 6, "b": 1})
    assert len(stand.ledger()) == 1
    assert command(stand, "raw/add", "--where", 'a="5"').return_value == 0
    assert [line.split()[2] for line in command(stand, "--list").stdout.splitlines()] == ["a=5", 'a="5"']


@pytest.mark.parametrize("words", [[], ["raw/echo", "--list"], ["raw"], ["raw/"]])
def test_one_thing_is_asked_for_at_a_time(tmp_path: Path, words: list[str]) -> None:
    assert isinstance(command(Stand(tmp_path / "stand"), *words).exception, InputError)
