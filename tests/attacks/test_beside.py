"""Attacks on what stands beside the documents of a guard that runs: denies and tokens after a change of the policy."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from mcp_guard.accepting import local, tokens
from mcp_guard.accepting.bearers import Bearers
from mcp_guard.accepting.loaded import loaded
from mcp_guard.accepting.local import place_for
from mcp_guard.cli.app import app
from mcp_guard.cli.revoke import NOBODY
from mcp_guard.console.loaded import stacks
from mcp_guard.model import Call
from mcp_guard.policy.decide import decide
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import open_for_reading
from mcp_guard.record.verify import verify
from tests.accepting.live import Running, only
from tests.policy.scene import Still

BOTH = only("echo", "send")
CONFIG = "version: 1\npolicy: policy.yaml\nservers:\n  raw: {command: [one]}\n"
MANDATE = b"version: 1\ntask: t\nexpires: 2999-01-01T00:00:00Z\ngrants: [{id: m, tool: raw/echo, args: any}]\n"


async def moved_to_another_policy(scene: Running) -> Path:
    """A person has named another policy in guard.yaml and accepted that."""
    other = scene.house.home / "other.yaml"
    other.write_text(BOTH)
    scene.house.config.write_text(CONFIG.replace("policy.yaml", "other.yaml"))
    scene.house.accept()
    await scene.look()
    assert scene.guard.policy is not None
    assert Path(scene.guard.policy.file).name == "other.yaml"
    return other


async def test_what_a_person_takes_away_beside_the_policy_that_is_in_force_by_now_is_gone(tmp_path: Path) -> None:
    with Running(tmp_path, BOTH, config=CONFIG) as scene:
        other = await moved_to_another_policy(scene)
        local.add(scene.house.state, place_for(other), server="raw", tool="send", by="local:me")
        assert not await scene.allows("send")
        assert await scene.allows("echo")


async def test_what_was_taken_away_beside_the_other_policy_before_counts_with_it(tmp_path: Path) -> None:
    with Running(tmp_path, BOTH, config=CONFIG) as scene:
        bound = scene.guard.view(lambda policy: scene.guard.authority, lambda _: True)
        local.add(scene.house.state, place_for(tmp_path / "other.yaml"), server="raw", tool="send", by="local:me")
        assert await scene.allows("send")
        await moved_to_another_policy(scene)
        call = Call("alice", "tools/call", "raw", "send", {"name": "send"})
        assert not decide(bound.authority, call, Still()).allowed
        assert not await scene.allows("send")


async def test_a_token_stands_beside_the_policy_that_a_person_saw_and_beside_no_other(tmp_path: Path) -> None:
    with Running(tmp_path, BOTH, config=CONFIG) as scene:
        bearers = Bearers(scene.guard, lambda policy: {})
        token, given = tokens.mint(
            scene.house.state, scene.place, principal="alice", file="m.yaml", text=MANDATE, by="local:me"
        )
        assert bearers.holder(token) is not None
        view = bearers.view(given.place)
        call = Call("alice", "tools/call", "raw", "echo", {"name": "echo"})
        assert decide(view.authority, call, Still()).allowed
        await moved_to_another_policy(scene)
        assert bearers.holder(token) is None
        assert not decide(view.authority, call, Still()).allowed


async def test_a_mandate_of_the_guards_own_is_not_got_round_by_a_token_that_was_let_in_before(tmp_path: Path) -> None:
    with Running(tmp_path, BOTH, config=CONFIG) as scene:
        bearers, state = Bearers(scene.guard, lambda policy: {}), scene.house.state
        token, given = tokens.mint(state, scene.place, principal="alice", file="m.yaml", text=MANDATE, by="local:me")
        view = bearers.view(given.place)
        scene.house.mandate.write_bytes(MANDATE.replace(b"echo", b"send"))
        scene.house.config.write_text(CONFIG.replace("policy:", "mandate: mandate.yaml\npolicy:"))
        scene.house.accept()
        await scene.look()
        assert [layer.kind for layer in scene.guard.authority.layers] == ["policy", "mandate"]
        call = Call("alice", "tools/call", "raw", "echo", {"name": "echo"})
        assert not decide(view.authority, call, Still()).allowed
        assert bearers.holder(token) is None


async def test_a_call_under_a_token_alone_is_denied_where_its_guard_looks(tmp_path: Path) -> None:
    with Running(tmp_path, BOTH, config=CONFIG.replace("policy: policy.yaml\n", "")) as scene:
        bearers, state = Bearers(scene.guard, lambda policy: {}), scene.house.state
        _, given = tokens.mint(state, scene.place, principal="alice", file="m.yaml", text=MANDATE, by="local:me")
        view = bearers.view(given.place)
        call = Call("alice", "tools/call", "raw", "echo", {"name": "echo"})
        assert decide(view.authority, call, Still()).allowed
        with open_for_reading(state) as query:
            (shown,) = stacks(query, state, "local:me")
        local.add(state, shown.beside, server="raw", tool="echo", by="local:me")
        scene.record.read(view.renew)
        assert not decide(view.authority, call, Still()).allowed
        assert verify(state) == []


async def test_a_deny_beside_a_name_that_no_guard_goes_by_does_not_pass_for_one_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Running(tmp_path, BOTH) as scene:
        note = {"documents": loaded(scene.guard.authority.layers, None, None), "session": scene.record.session}
        scene.record.note(EntryKind.LOADED, note)
        monkeypatch.setenv("MCP_GUARD_STATE", str(scene.house.state))
        link = tmp_path / "link.yaml"
        link.symlink_to(scene.house.policy)
        for path, warned in ((link, True), (tmp_path / "polcy.yaml", True), (scene.house.policy, False)):
            done = CliRunner().invoke(app, ["revoke", "raw/send", "--policy", str(path)], standalone_mode=False)
            assert done.return_value == 0
            assert (NOBODY in done.stderr) is warned
            assert await scene.allows("send") is warned
