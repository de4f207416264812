"""Attacks on `accept`: a person is to agree to something that the command line at hand doesn't show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mcp_guard.accepting.stacks import Asked
from mcp_guard.cli.accept import accept
from tests.accepting.house import House, limit

ECHO = "version: 1\ngrants: [{id: e, tool: raw/echo, args: any}]\n"
BOTH = "version: 1\ngrants: [{id: e, tool: [raw/echo, raw/send], args: any}]\n"
MANDATE = "version: 1\ntask: t\nexpires: 2999-01-01T00:00:00Z\ngrants: [{id: m, tool: %s, args: any}]\n"


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A guard with a mandate, and one without; then somebody has widened the policy beyond the mandate."""
    found = House(tmp_path / "home")
    found.policy.write_text(ECHO)
    found.mandate.write_text(MANDATE % "raw/echo")
    found.start()
    found.start(Asked(policy=found.policy, mandate=found.mandate))
    found.policy.write_text(BOTH)
    assert found.start().changed == (found.policy,)
    return found


def command(house: House, *words: str) -> Result:
    given = ["--policy", house.policy, "--mandate", house.mandate, "--state", house.state, *words]
    return CliRunner().invoke(accept, list(map(str, given)), standalone_mode=False)


def test_what_a_policy_permits_beyond_the_mandate_at_hand_is_shown_before_it_counts_without_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    under = Asked(policy=house.policy, mandate=house.mandate)
    assert house.start(under).changed == ()  # under the mandate it permits nothing more
    house.mandate.write_text(MANDATE % "'raw/ech*'")
    asked: list[str] = []
    monkeypatch.setattr("mcp_guard.presence.require", lambda _, what, **__: asked.append(what))
    data = json.loads(command(house, "--json").output)
    assert data["waiting"] == [str(house.mandate)]
    assert "raw/send" not in json.dumps(data["documents"])
    assert "raw/send" in json.dumps(data["alone"][str(house.policy)])
    before = limit(house.look())
    done = command(house)
    assert done.return_value == 0, done.output
    shown = done.stdout.partition("by itself")
    assert "raw/send" in shown[2]
    assert str(house.policy) in asked[0]
    assert limit(house.look()) != before


def test_what_is_compared_as_it_counts_is_not_compared_twice(house: House) -> None:
    given = ["--policy", str(house.policy), "--state", str(house.state), "--json"]
    data = json.loads(CliRunner().invoke(accept, given, standalone_mode=False).output)
    assert "raw/send" in json.dumps(data["documents"])
    assert data["alone"] == {}
