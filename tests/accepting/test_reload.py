"""What a guard that runs does when its files change: narrower at once, wider after a person, never wider without."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_guard.record.entries import EntryKind
from mcp_guard.record.verify import verify
from tests.accepting.house import House
from tests.accepting.live import Running, only
from tests.guards import decision_in

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
        seen: list[object] = []
        stand = scene.reload._stand
        object.__setattr__(scene, "reload", Counting(scene.reload, seen, stand))
        for number in range(100):
            scene.house.policy.write_text(f"# {number}\n{ECHO}")
            await scene.look(1)
        assert 5 <= len(seen) <= 20
        scene.house.policy.write_text(f"# last\n{ECHO}")
        await scene.look()
        assert not await scene.allows("send")


class Counting:
    """A reload that counts how often the files are read."""

    def __init__(self, reload: object, seen: list[object], stand: Callable[[], object]) -> None:
        self._reload, self._seen, self._stand = reload, seen, stand

    async def look(self) -> None:
        before = self._reload._watch.judged  # type: ignore[attr-defined]
        await self._reload.look()  # type: ignore[attr-defined]
        if self._reload._watch.judged is not before:  # type: ignore[attr-defined]
            self._seen.append(before)


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
        scene.servers[0].hold = False
        refused = await scene.call("send", {})
        assert decision_in(refused["error"])["reason"] if "data" in refused["error"] else refused["error"]
