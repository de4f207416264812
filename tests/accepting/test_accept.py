"""`mcp-guard accept`, and real guards over edited files: what a person sees, and what an agent gains (nothing)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mcp_guard.accepting import local
from mcp_guard.accepting.stacks import Asked
from mcp_guard.cli.accept import accept
from mcp_guard.cli.app import app
from mcp_guard.errors import GuardError, InputError
from mcp_guard.record.entries import EntryKind
from tests.accepting.house import House, at_most, limit, person_accepts
from tests.cli.newcomer import Newcomer
from tests.guards import Stand

ECHO = "version: 1\ngrants: [{id: e, tool: raw/echo, args: any}]\n"
BOTH = "version: 1\ngrants: [{id: e, tool: [raw/echo, raw/slow], args: any}]\n"


def command(house: House, *words: str) -> Result:
    return CliRunner().invoke(
        accept, ["--policy", str(house.policy), "--state", str(house.state), *words], standalone_mode=False
    )


@pytest.fixture
def house(tmp_path: Path) -> House:
    found = House(tmp_path / "home")
    found.policy.write_text(at_most(5))
    found.start()
    found.policy.write_text(at_most(50))
    return found


def test_the_difference_is_shown_and_just_those_bytes_count_after_the_pin(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def typing(*_: object, **__: object) -> None:
        house.policy.write_text(at_most(5000))  # while the person types

    monkeypatch.setattr("mcp_guard.presence.require", typing)
    done = command(house)
    assert done.return_value == 0, done.output
    assert "bank/pay: allowed by `pay`" in done.output
    standing = house.start()
    assert standing.changed == (house.policy,)
    house.policy.write_text(at_most(50))
    assert (house.start().changed, limit(house.start())) == ((), limit(standing))


def test_without_the_pin_nothing_is_accepted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise GuardError("nobody is there")

    monkeypatch.setattr("mcp_guard.presence.require", nobody)
    assert isinstance(command(house).exception, GuardError)
    assert command(house, "--show").return_value == 1
    assert json.loads(command(house, "--json").output)["waiting"] == [str(house.policy)]
    assert house.start().changed == (house.policy,)


def test_a_file_that_does_not_load_is_not_accepted(house: House) -> None:
    house.policy.write_text("version: 2\n")
    assert isinstance(command(house).exception, InputError)


async def test_an_agent_that_edits_the_policy_gains_nothing_in_a_real_guard(tmp_path: Path) -> None:
    stand = Stand(tmp_path / "stand", policy=ECHO)
    for policy in (ECHO, BOTH):
        stand.policy_file.write_text(policy)
        async with stand.wrap() as client:
            await client.initialize()
            assert [tool["name"] for tool in await client.list_all()] == ["echo"]


async def test_a_real_guard_that_runs_takes_up_what_is_narrower_and_what_a_person_accepted(tmp_path: Path) -> None:
    stand = Stand(tmp_path / "stand", policy=BOTH)
    changed = "notifications/tools/list_changed"
    async with stand.wrap() as client:
        await client.initialize()
        assert [tool["name"] for tool in await client.list_all()] == ["echo", "slow"]
        stand.policy_file.write_text(ECHO)
        await client.wait_for_notification(changed)
        assert [tool["name"] for tool in await client.list_all()] == ["echo"]
        stand.policy_file.write_text(BOTH)
        person_accepts(Asked(policy=stand.policy_file), stand.state)
        await client.wait_for_notification(changed, 2)
        assert [tool["name"] for tool in await client.list_all()] == ["echo", "slow"]
    assert [row.kind for row in stand.rows()].count(EntryKind.LOADED) == 3
    assert stand.verified() == []


def test_what_init_wrote_is_accepted_by_that_yes(tmp_path: Path) -> None:
    newcomer = Newcomer(tmp_path / "home")
    newcomer.configure("cursor", {"a": newcomer.raw()})
    assert newcomer.run("init", "--apply").returncode == 0
    (config,) = newcomer.home.rglob("guard.yaml")
    done = newcomer.run("accept", "--config", str(config), "--show")
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        ["nothing waits: what is on disk is in force, or will be at the next start"],
    )
    config.write_text(config.read_text().replace("-S", "-B"))
    done = newcomer.run("accept", "--config", str(config), "--show")
    assert done.returncode == 1
    assert "server `a`, `command`" in done.stdout


PAY = ["bank/pay", '{"amount": 20}']
CASES = "cases: [{why: twenty, call: bank/pay, args: {amount: 20}, expect: allow}]\n"


def test_explain_and_test_say_which_version_they_speak_of_and_speak_of_the_other_when_asked(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCP_GUARD_STATE", str(house.state))
    (house.home / "policy.cases.yaml").write_text(CASES)

    def run(*words: str) -> tuple[int, bool, bool]:
        done = CliRunner().invoke(app, words, standalone_mode=False)
        said = done.stderr
        return done.return_value, "on disk" in said and "in force" in said, "accepted" in said

    policy = str(house.policy)
    assert run("explain", "--policy", policy, *PAY) == (0, True, True)
    assert run("explain", "--policy", policy, "--accepted", *PAY) == (1, True, True)
    assert run("test", policy) == (0, True, True)
    assert run("test", policy, "--accepted")[0] == 1
    house.accept()
    for words in (["explain", "--policy", policy, *PAY], ["test", policy], ["test", policy, "--accepted"]):
        assert run(*words) == (0, False, False)


def test_explain_and_check_know_what_was_taken_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_GUARD_STATE", str(house.state))
    house.accept()
    place = local.place_for(house.policy)
    local.add(house.state, place, server="bank", tool="pay", clauses={"amount": 20}, by="local:me")
    done = CliRunner().invoke(app, ["explain", "--policy", str(house.policy), *PAY], standalone_mode=False)
    assert done.return_value == 1
    assert "local/1 denies" in done.output
    assert "mcp-guard revoke --undo local/1" in done.output
    done = CliRunner().invoke(app, ["check", "--policy", str(house.policy)], standalone_mode=False)
    assert "never call bank/pay with amount: exactly 20" in done.output.replace("`", ""), done.output
    done = CliRunner().invoke(app, ["log", "--json"], standalone_mode=False)
    assert '"revoked"' in done.output
