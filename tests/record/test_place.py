"""Nobody else reads or replaces the record: permissions, owners, links, and files that vanish."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_guard.errors import InputError, RecordFailed
from mcp_guard.record import place
from mcp_guard.record.query import open_for_reading
from mcp_guard.record.verify import verify
from tests.record.examples import allow, deny, never, open_record, request

FILES = ["guard.db", "guard.db-shm", "guard.db-wal", "digest.key", "guard.lock"]


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_the_record_is_private_whatever_the_umask_says(tmp_path: Path, mask: int) -> None:
    os.umask(mask)
    with open_record(tmp_path) as record:
        record.step(request(), deny)
        found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in record.directory.iterdir()}
        assert found == dict.fromkeys(FILES, 0o600)
        assert stat.S_IMODE(record.directory.stat().st_mode) == 0o700


def test_a_directory_open_to_others_is_refused_with_the_command_that_closes_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    state.chmod(0o750)
    with pytest.raises(InputError, match=f"chmod 700 {state}"):
        open_record(tmp_path)
    assert list(state.iterdir()) == []


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("mode", [0o640, 0o602])
def test_a_file_open_to_others_is_refused_with_the_command_that_closes_it(tmp_path: Path, name: str, mode: int) -> None:
    with open_record(tmp_path) as kept:
        (kept.directory / name).chmod(mode)
        with pytest.raises(InputError, match=f"chmod 600 .*{name}"):
            open_record(tmp_path)
        with pytest.raises(InputError, match="chmod 600"):
            verify(kept.directory)
        with pytest.raises(InputError, match="chmod 600"):
            open_for_reading(kept.directory)


def test_a_linked_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "state").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="symbolic link"):
        open_record(tmp_path)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", ["guard.db", "digest.key"])
@pytest.mark.parametrize("dangling", [True, False])
def test_a_linked_file_is_refused_and_what_it_leads_to_is_left_alone(tmp_path: Path, name: str, dangling: bool) -> None:
    victim = tmp_path / "victim"
    if not dangling:
        victim.write_bytes(b"")
        victim.chmod(0o600)
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / name).symlink_to(victim)
    with pytest.raises(InputError, match="symbolic link"):
        open_record(tmp_path)
    assert victim.exists() is not dangling
    assert dangling or victim.read_bytes() == b""


def test_what_belongs_to_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_record(tmp_path):
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        with pytest.raises(InputError, match="belongs to user"):
            open_record(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("name", [".", *FILES])
def test_each_file_of_somebody_else_is_refused_even_to_root(tmp_path: Path, name: str) -> None:
    with open_record(tmp_path) as record:
        os.chown(record.directory / name, 12345, -1)
        with pytest.raises(InputError, match="belongs to user 12345"):
            open_record(tmp_path)


def test_a_directory_in_the_place_of_the_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state" / "guard.db").mkdir(parents=True, mode=0o700)
    (tmp_path / "state").chmod(0o700)
    with pytest.raises(InputError, match="no plain file"):
        open_record(tmp_path)


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").touch(mode=0o600)
    with pytest.raises(InputError, match="no directory"):
        open_record(tmp_path)


def test_a_place_where_nothing_can_be_made_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordFailed, match="MCP_GUARD_STATE"):
        open_record(tmp_path / "file" / "below")


@pytest.mark.parametrize("name", FILES[:3])
def test_a_removed_file_stops_the_next_call_before_it_is_judged(tmp_path: Path, name: str) -> None:
    with open_record(tmp_path) as record:
        (record.directory / name).rename(record.directory / "aside")
        with pytest.raises(RecordFailed, match="gone"):
            record.step(request(), never)


@pytest.mark.parametrize("name", FILES[:3])
def test_a_replaced_file_stops_the_next_call_before_it_is_judged(tmp_path: Path, name: str) -> None:
    with open_record(tmp_path) as record:
        copy = record.directory / "copy"
        shutil.copy2(record.directory / name, copy)
        copy.rename(record.directory / name)
        with pytest.raises(RecordFailed, match="replaced"):
            record.step(request(), never)


def test_a_moved_directory_stops_outcomes_and_notes_too(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(), allow())
        record.directory.rename(tmp_path / "moved")
        with pytest.raises(RecordFailed, match="gone"):
            record.note("stopped", {})


def test_the_place_is_what_was_asked_for_then_the_environment_then_the_platforms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCP_GUARD_STATE", str(tmp_path / "named"))
    assert place.state_directory(tmp_path / "given") == tmp_path / "given"
    assert place.state_directory() == tmp_path / "named"
    monkeypatch.setenv("MCP_GUARD_STATE", "")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path))
    found = place.state_directory()
    assert found.is_relative_to(tmp_path)
    assert found.name == "mcp-guard"


def test_a_relative_place_stays_the_same_place_when_the_process_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    with open_record(Path()) as record:
        monkeypatch.chdir(tmp_path / "other")
        record.step(request(), deny)
        assert record.directory == tmp_path / "state"


def test_what_is_published_appears_once_and_whole(tmp_path: Path) -> None:
    assert place.publish(tmp_path / "file", b"first")
    assert not place.publish(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_publishing_never_follows_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").symlink_to(tmp_path / "victim")
    assert not place.publish(tmp_path / "file", b"content")
    assert not (tmp_path / "victim").exists()
