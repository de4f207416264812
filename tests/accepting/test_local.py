"""Local denies: what they take away, that they count at once, and that nobody takes them back without a person."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_guard.accepting import local, texts
from mcp_guard.accepting.local_text import Denies, Rule, read
from mcp_guard.errors import GuardError, InputError
from mcp_guard.model import Call, Effect
from mcp_guard.policy.decide import decide, visible
from mcp_guard.policy.document import Authority, load_text
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.verify import verify
from tests.accepting.live import Running, only
from tests.guards import decision_in
from tests.policy.scene import Still

BOTH = only("echo", "send")
PLACE = "ab" * 32
VALUES = st.one_of(
    st.booleans(), st.integers(-(10**6), 10**6), st.sampled_from(["$x", "~/a", "/a/$b/", "any", "", "eve"])
)


def revoke(scene: Running, tool: str = "send", **clauses: str) -> str:
    return local.add(
        scene.house.state, scene.place, server="raw", tool=tool, clauses=clauses, reason="why", by="local:me"
    )


async def test_a_deny_binds_the_very_next_call_and_hides_a_tool_that_is_gone_whole(tmp_path: Path) -> None:
    with Running(tmp_path, BOTH) as scene:
        assert await scene.allows("send", to="eve")
        assert revoke(scene, to="eve") == "local/1"
        refused = decision_in((await scene.call("send", {"to": "eve"}))["result"])
        assert (refused["reason"], refused["rule"]) == ("denied", "local/1")
        assert "why" not in str(refused)
        assert await scene.allows("send", to="bob")
        revoke(scene)
        assert not await scene.allows("send", to="bob")
        assert await scene.listed() == ["echo"]
        await scene.settled()
        assert ("notifications/tools/list_changed", None) in scene.notified
        assert [row.body["data"]["args"] for row in scene.told(EntryKind.REVOKED)] == [["to"], []]
        assert "eve" not in str([row.body for row in scene.told(EntryKind.REVOKED)])
        assert verify(scene.house.state) == []


async def test_what_a_person_takes_back_is_permitted_again_and_its_id_does_not_come_back(tmp_path: Path) -> None:
    with Running(tmp_path, BOTH) as scene:
        revoke(scene)
        assert not await scene.allows("send")
        assert local.remove(scene.house.state, scene.place, "local/1", by="local:me") == ("local/1",)
        await scene.look(1)
        assert await scene.allows("send")
        assert revoke(scene) == "local/2"
        with pytest.raises(InputError, match="known: local/2"):
            local.remove(scene.house.state, scene.place, "local/1", by="local:me")
        assert verify(scene.house.state) == []


@pytest.mark.parametrize("harm", ["removed", "edited", "row"])
async def test_denies_that_were_changed_outside_close_everything_until_a_person_sets_it_right(
    tmp_path: Path, harm: str
) -> None:
    with Running(tmp_path, BOTH) as scene:
        revoke(scene)
        assert not await scene.allows("send")
        revoke(scene, to="eve")
        kept = scene.house.state / texts.DIRECTORY
        (text,) = [path for path in kept.iterdir() if b"eve" in path.read_bytes()]
        if harm == "removed":
            text.unlink()
        elif harm == "edited":
            text.chmod(0o600)
            text.write_bytes(text.read_bytes().replace(b"raw/send", b"raw/none"))
        else:
            with sqlite3.connect(scene.house.state / "guard.db") as database:
                database.execute("DELETE FROM accepted WHERE place=?", (scene.place,))
            assert verify(scene.house.state) == ["what is accepted isn't what was recorded"]
        assert not await scene.allows("echo")
        if harm != "row":
            with pytest.raises(GuardError, match="changed or removed"):
                local.rules(scene.house.state, scene.place)
            local.remove(scene.house.state, scene.place, local.ALL, by="local:me")
            await scene.look(1)
            assert await scene.allows("echo")


def test_two_tools_that_add_at_once_lose_nothing_and_the_text_is_private(tmp_path: Path) -> None:
    for name in ("a", "b"):
        local.add(tmp_path / "s", PLACE, server="raw", tool=name, reason="", by="local:me")
    assert [one.tool for one in local.rules(tmp_path / "s", PLACE)] == ["raw/a", "raw/b"]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "s" / texts.DIRECTORY).iterdir()} == {0o600}
    assert local.rules(tmp_path / "s", "cd" * 32) == ()


@pytest.mark.parametrize("value", [None, [1], {"a": 1}, float("nan"), "\ud800"])
def test_what_no_document_can_name_is_refused_and_not_written_down(tmp_path: Path, value: object) -> None:
    with pytest.raises(InputError):
        local.add(tmp_path / "s", PLACE, server="raw", tool="t", clauses={"a": value}, by="me")  # type: ignore[dict-item]
    assert local.rules(tmp_path / "s", PLACE) == ()


def call(**arguments: object) -> Call:
    return Call("local:me", "tools/call", "raw", "send", {"name": "send", "arguments": arguments})


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(named=VALUES, sent=VALUES, whole=st.booleans())
def test_a_deny_fires_on_exactly_what_it_names_and_never_permits(named: object, sent: object, whole: bool) -> None:
    try:
        denies = Denies().with_rule(Rule("", "raw/send", {} if whole else {"to": named}))  # type: ignore[dict-item]
    except InputError:
        assert named == "/a/$b/"  # a document reads a path in it
        return
    layer = read(denies.text()).document("local")
    granted = load_text(BOTH.encode(), file="p", kind="policy")
    for layers, effect in (((granted,), Effect.ALLOW), ((), Effect.DENY)):
        same = type(named) is type(sent)
        unclear = not same or (str(named) + str(sent)).strip("-0123456789evx$") != ""  # another type, or a path
        authority = Authority(layers, local=layer)
        decision = decide(authority, call(to=sent), Still())
        if whole or (same and named == sent) or not unclear:
            assert decision.effect is (Effect.DENY if whole or named == sent else effect)
        assert decision.effect >= effect
        assert visible(authority, call(), Still()) == (not whole and bool(layers))
        assert authority.digest == Authority(layers).digest
