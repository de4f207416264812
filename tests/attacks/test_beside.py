"""Attacks on what stands beside the documents of a guard that runs: denies and tokens after a change of the policy."""

from __future__ import annotations

from pathlib import Path

from mcp_guard.accepting import local, tokens
from mcp_guard.accepting.bearers import Bearers
from mcp_guard.accepting.local import place_for
from mcp_guard.model import Call
from mcp_guard.policy.decide import decide
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
