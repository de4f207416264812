"""What a guard that runs does when its files change: narrower at once, wider after a person, never wider without."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.accepting import local
from mcp_guard.gateway import Gateway
from mcp_guard.lock.servers import Lock
from mcp_guard.lock.text import lock_text
from mcp_guard.model import Call
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, Document, load_text
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.verify import verify
from mcp_guard.session import Session
from tests.accepting.house import House
from tests.accepting.live import Running, only
from tests.policy.scene import Still

BOTH, ECHO = only("echo", "send"), only("echo")
CONFIG = "version: 1\npolicy: policy.yaml\nservers:\n  raw: {command: [one]}\n  other: {command: [two]}\n"


async def test_a_narrower_policy_counts_for_the_next_call_and_the_client_is_told(tmp_path: Path) -> None:
    with Running(tmp_path, BOTH) as scene:
        assert await scene.allows("send")
        scene.house.policy.write_text(ECHO)
        await scene.look()
        assert await scene.listed() == ["echo"]
        assert not await scene.allows("send")
        await scene.settled()
        assert ("notifications/tools/list_changed", None) in scene.notified
        assert scene.said == [f"in force from here on: {scene.house.policy} (proved narrower)"]
        assert verify(scene.house.state) == []


async def test_a_wider_policy_waits_is_said_once_and_counts_when_a_person_has_accepted_it(tmp_path: Path) -> None:
    with Running(tmp_path, ECHO) as scene:
        scene.house.policy.write_text(BOTH)
        await scene.look(6)
        assert not await scene.allows("send")
        assert [line.partition(":")[0] for line in scene.said] == [
            "NOT IN FORCE",
            "the version that was accepted before stays in force; to see the difference and accept it",
        ]
        assert len(scene.told(EntryKind.NOT_IN_FORCE)) == 1
        scene.house.accept()
        await scene.look(1)
        assert await scene.allows("send")


async def test_a_file_that_is_again_what_counts_is_said_to_be_once(tmp_path: Path) -> None:
    with Running(tmp_path, ECHO) as scene:
        scene.house.policy.write_text(BOTH)
        await scene.look(4)
        scene.house.policy.write_text(ECHO)
        await scene.look(6)
        assert scene.said[2:] == ["nothing waits any more: the files are again what is in force"]


async def test_an_older_wider_version_that_was_accepted_once_is_as_wide_as_any_other(tmp_path: Path) -> None:
    with Running(tmp_path, BOTH) as scene:
        scene.house.policy.write_text(ECHO)
        await scene.look()
        scene.house.policy.write_text(BOTH)
        await scene.look()
        assert not await scene.allows("send")


def broken(house: House) -> None:
    house.policy.write_text("version: 1\ngrant: []\n")


def gone(house: House) -> None:
    house.policy.unlink()


def linked(house: House) -> None:
    wide = house.home / "wide.yaml"
    wide.write_text(BOTH)
    house.policy.unlink()
    house.policy.symlink_to(wide)


def replaced(house: House) -> None:
    os.replace(_with(house.home / "new.yaml", BOTH), house.policy)  # noqa: PTH105


def back_in_time(house: House) -> None:
    was = house.policy.stat()
    house.policy.write_text(BOTH.replace(", raw/send", ",raw/send") + " " * (len(ECHO) - len(BOTH) + 1))
    os.utime(house.policy, ns=(was.st_atime_ns, was.st_mtime_ns))


def _with(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("harm", [broken, gone, linked, replaced, back_in_time])
async def test_what_an_agent_does_to_the_policy_changes_nothing_but_is_said(
    tmp_path: Path, harm: Callable[[House], None]
) -> None:
    with Running(tmp_path, ECHO) as scene:
        await scene.look()
        harm(scene.house)
        await scene.look(4)
        assert await scene.allows("echo")
        assert not await scene.allows("send")
        assert scene.said[0].startswith("NOT IN FORCE")
        assert len(scene.said) == 2


async def test_a_replaced_directory_is_a_change_of_the_files_in_it(tmp_path: Path) -> None:
    with Running(tmp_path, ECHO) as scene:
        await scene.look()
        config = scene.house.home / "policy.yaml"
        moved = tmp_path / "moved"
        shutil.copytree(scene.house.home, moved, ignore=shutil.ignore_patterns("state", "moved"))
        os.replace(_with(moved / "policy.yaml", BOTH), config)  # noqa: PTH105
        await scene.look()
        assert not await scene.allows("send")


async def test_half_a_policy_does_not_count_while_it_is_being_written(tmp_path: Path) -> None:
    with Running(tmp_path, BOTH) as scene:
        await scene.look()
        scene.house.policy.write_text(ECHO)  # such as the beginning of a longer text
        await scene.look(1)
        scene.house.policy.write_text(BOTH)
        await scene.look(3)
        assert await scene.allows("send")
        assert scene.said == []


async def test_a_burst_of_writes_is_looked_into_now_and_then_and_the_last_one_counts(tmp_path: Path) -> None:
    with Running(tmp_path, BOTH) as scene:
        await scene.look()
        looked_into: list[object] = [scene.watch().judged]
        for number in range(100):  # a hundred seconds of a write in each
            scene.house.policy.write_text(f"# {number}\n{BOTH}")
            await scene.look(1)
            if scene.watch().judged is not looked_into[-1]:
                looked_into.append(scene.watch().judged)
        assert 5 <= len(looked_into) <= 20
        scene.house.policy.write_text(f"# last\n{ECHO}")
        await scene.look()
        assert not await scene.allows("send")


async def test_of_a_flood_of_broken_versions_the_person_and_the_record_hear_less_and_less(tmp_path: Path) -> None:
    with Running(tmp_path, BOTH) as scene:
        for number in range(150):
            scene.reload._not_in_force((), f"broken: {number}")
        assert len(scene.told(EntryKind.NOT_IN_FORCE)) == 52
        assert await scene.allows("send")


async def test_an_edit_between_the_reading_and_the_judging_is_seen_at_the_next_look(tmp_path: Path) -> None:
    with Running(tmp_path, BOTH) as scene:
        await scene.look()
        scene.house.policy.write_text(ECHO)
        assert not scene.watch().due(scene.reload._accepted())
        assert scene.watch().due(scene.reload._accepted())
        standing = scene.reload._stand()
        scene.house.policy.write_text(BOTH)  # after it was read
        scene.reload.take_up(standing)
        assert not await scene.allows("send")
        await scene.look(4)
        assert not await scene.allows("send")
        assert scene.said[-2].startswith("NOT IN FORCE")


async def test_of_two_guards_with_one_change_both_take_it_up(tmp_path: Path) -> None:
    with Running(tmp_path, BOTH) as one, Running(tmp_path, BOTH) as other:
        one.house.policy.write_text(ECHO)
        for _ in range(3):
            await one.look(1)
            await other.look(1)
        assert not await one.allows("send")
        assert not await other.allows("send")
        assert verify(one.house.state) == []


async def test_two_guards_that_read_different_versions_end_with_the_same_one(tmp_path: Path) -> None:
    with Running(tmp_path, BOTH) as one, Running(tmp_path, BOTH) as other:
        one.house.policy.write_text(ECHO)
        first = one.reload._stand()
        one.house.policy.write_text(only("send"))
        second = other.reload._stand()
        one.reload.take_up(first)
        with pytest.raises(Exception, match="meanwhile"):
            other.reload.take_up(second)
        await other.look(3)
        assert await other.allows("echo")
        assert not await other.allows("send")


async def test_a_server_that_guard_yaml_no_longer_has_is_withheld(tmp_path: Path) -> None:
    policy = "version: 1\ngrants: [{id: g, tool: [raw/echo, other/echo], args: any}]\n"
    with Running(tmp_path, policy, config=CONFIG, servers=("raw", "other")) as scene:
        assert await scene.allows("other__echo")
        scene.house.config.write_text(CONFIG.replace("  other: {command: [two]}\n", ""))
        await scene.look()
        assert await scene.listed() == ["raw__echo"]
        assert not await scene.allows("other__echo")
        assert await scene.allows("raw__echo")


async def test_what_a_guard_cannot_take_up_waits_for_its_next_start_and_its_server_is_withheld(tmp_path: Path) -> None:
    policy = "version: 1\ngrants: [{id: g, tool: [raw/echo, other/echo], args: any}]\n"
    with Running(tmp_path, policy, config=CONFIG, servers=("raw", "other")) as scene:
        scene.house.config.write_text(CONFIG.replace("[two]", "[three]") + "record: {durability: disk}\n")
        await scene.look()
        assert await scene.allows("other__echo")  # nobody has accepted it
        scene.house.accept()
        await scene.look(1)
        assert not await scene.allows("other__echo")
        assert await scene.allows("raw__echo")
        assert scene.said[-1] == (
            "of guard.yaml, this waits for the guard's next start: `record`, server `other` (withheld until then)"
        )


async def test_a_lock_that_comes_to_be_counts_at_the_next_start_and_one_that_goes_stays(tmp_path: Path) -> None:
    with Running(tmp_path, ECHO, config=CONFIG, servers=("raw", "other")) as scene:
        (scene.house.home / "guard.lock").write_text("version: 1\nservers: {}\n")
        await scene.look()
        assert scene.guard.lock is None
        assert await scene.allows("raw__echo")


async def test_a_question_of_the_old_documents_settles_nothing_under_the_new(tmp_path: Path) -> None:
    with Running(tmp_path, BOTH) as scene:
        before = scene.guard.authority_digest
        scene.house.policy.write_text(ECHO)
        await scene.look()
        assert scene.guard.authority_digest != before


async def test_a_call_under_way_ends_as_it_was_judged(tmp_path: Path) -> None:
    with Running(tmp_path, BOTH) as scene:
        await scene.listed()
        scene.servers[0].hold = True
        _, answer = scene.start("tools/call", {"name": "send", "arguments": {}})
        scene.house.policy.write_text(ECHO)
        await scene.look()
        scene.servers[0].holding.pop()({"result": {"content": []}})
        assert "error" not in await answer


async def test_a_narrowed_policy_gives_a_link_that_was_turned_meanwhile_nothing(tmp_path: Path) -> None:
    project, secret, link = tmp_path / "project", tmp_path / "secret", tmp_path / "link"
    project.mkdir()
    secret.mkdir()
    link.symlink_to(project)
    policy = f"version: 1\ngrants: [{{id: g, tool: [raw/echo, raw/send], args: {{text: {{under: {link}}}}}}}]\n"
    with Running(tmp_path, policy) as scene:
        assert await scene.allows("echo", text=f"{link}/a")
        link.unlink()
        link.symlink_to(secret)
        assert not await scene.allows("echo", text=f"{link}/a")
        scene.house.policy.write_text(policy.replace(", raw/send", ""))
        await scene.look()
        assert scene.said[-1].endswith("(proved narrower)")
        assert not await scene.allows("echo", text=f"{link}/a")


async def test_a_view_goes_along_with_the_policy_and_with_what_is_taken_away_and_ends_for_good(tmp_path: Path) -> None:
    granted = "grants: [{id: m, tool: [raw/echo, raw/add], args: any}]"
    text = f"version: 1\ntask: t\nexpires: 2999-01-01T00:00:00Z\n{granted}\n"
    mandate = load_text(text.encode(), file="m", kind="mandate")
    good = [True]
    with Running(tmp_path, only("echo", "send", "add")) as scene:

        def bound(policy: Document | None) -> Authority:
            return Authority((mandate,) if policy is None else (policy, mandate))

        view = scene.guard.view(bound, lambda _: good[0])

        heard: list[str] = []
        session = Session("alice", "s2", lambda method, _: heard.append(method), None)
        Gateway(view, session)

        def allowed() -> set[str]:
            scene.record.read(view.renew)
            names = ("echo", "send", "add")
            calls = (Call("alice", "tools/call", "raw", name, {"name": name}) for name in names)
            return {call.target for call in calls if decide(view.authority, call, Still()).allowed}

        assert allowed() == {"echo", "add"}
        scene.house.policy.write_text(BOTH)
        await scene.look()
        assert allowed() == {"echo"}
        local.add(scene.house.state, scene.place, server="raw", tool="echo", by="local:me")
        assert allowed() == set()
        local.remove(scene.house.state, scene.place, local.ALL, by="local:me")
        assert allowed() == {"echo"}
        good[0] = False
        assert allowed() == set()
        assert view.ended
        await asyncio.sleep(0)
        session.notify("notifications/message", None)
        assert heard == []
        good[0] = True
        scene.house.policy.write_text(ECHO)
        await scene.look()
        assert allowed() == set()


EDITS = st.sampled_from(
    ["both", "echo", "send", "none", "broken", "gone", "link", "deny", "lock", "config", "fewer", "old"]
)
CALLS = [(server, tool) for server in ("raw", "other") for tool in ("echo", "send")]
WIDE = "version: 1\ngrants: [{id: g, tool: [raw/echo, raw/send, other/echo, other/send], args: any}]\n"


def edit(house: House, what: str) -> None:
    """One thing that an agent with an edit tool does to the files."""
    texts = {"both": WIDE, "echo": WIDE.replace("raw/send, ", ""), "send": only("send"), "none": "version: 1\n",
             "broken": "version: 1\ngrant: []\n", "old": f"{WIDE}# old\n",
             "deny": f"{WIDE}deny: [{{id: d, tool: 'other/*'}}]\n"}  # fmt: skip
    if house.policy.is_symlink() or what in ("gone", "link"):
        house.policy.unlink(missing_ok=True)
    if what in texts:
        house.policy.write_text(texts[what])
    elif what == "link":
        house.policy.symlink_to(_with(house.home / "wide.yaml", WIDE))
    elif what == "lock":
        (house.home / "guard.lock").write_text(lock_text(Lock()))
    elif what in ("config", "fewer"):
        text = CONFIG if what == "config" else CONFIG.replace("  other: {command: [two]}\n", "")
        house.config.write_text(text)


@settings(max_examples=25, deadline=None)
@given(edits=st.lists(st.tuples(EDITS, st.sampled_from([0, 1, 2, 3])), min_size=1, max_size=8))
def test_law_5_whatever_is_written_nothing_is_permitted_in_a_running_guard_that_was_not_before(
    edits: list[tuple[str, int]],
) -> None:
    async def live(home: Path) -> None:
        with Running(home, WIDE, config=CONFIG, servers=("raw", "other")) as scene:
            before = _permitted(scene)
            assert len(before) == len(CALLS)
            for what, seconds in edits:
                edit(scene.house, what)
                await scene.look(seconds)
                after = _permitted(scene)
                assert after <= before
                before = after
            assert verify(scene.house.state) == []

    with tempfile.TemporaryDirectory() as home:
        asyncio.run(live(Path(home)))


def _permitted(scene: Running) -> set[tuple[str, str]]:
    calls = (Call("local:me", "tools/call", server, tool, {"name": tool}) for server, tool in CALLS)
    return {(call.server, call.target) for call in calls if decide(scene.guard.authority, call, Still()).allowed}
