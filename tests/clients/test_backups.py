"""Changes that can be undone: at every instant, after every kind of meddling, byte for byte or not at all."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mcp_guard.clients import Backups, Change, ConfigFile, How, IfChanged, Loaded, edited, load, load_bytes, rewired
from mcp_guard.errors import InputError
from tests.clients.files import put_in_place

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
OLD = b"""{
  // servers
  "mcpServers": {
    "files": {"command": "npx", "env": {"TOKEN": "t0p-s3cret"}}, // first
    "time": {
      "command": "uvx" /* why */
    }
  }
}
"""


class Stopped(BaseException):
    """The process ends here, without a chance to tidy up."""


@pytest.fixture
def file(tmp_path: Path) -> ConfigFile:
    return put_in_place(tmp_path, "cursor", "user", OLD)


@pytest.fixture
def backups(tmp_path: Path) -> Backups:
    return Backups(tmp_path / "state" / "clients")


def guarded(loaded: Loaded, *names: str) -> bytes:
    here = loaded.sections[0]
    client = loaded.file.client
    chosen = names or tuple(here.entries)
    put = {name: rewired(client, here.entries[name], ["mcp-guard", "wrap", "--", "x"]) for name in chosen}
    return edited(loaded, here, put=put)


def only(backups: Backups) -> Change:
    (change,) = backups.kept()
    return change


def test_a_change_is_kept_before_it_is_made_and_forgotten_when_it_is_undone(file: ConfigFile, backups: Backups) -> None:
    new = guarded(load(file))
    backups.change(file, OLD, new, NOW)
    assert file.path.read_bytes() == new
    change = only(backups)
    assert change.file == file and change.original() == OLD and change.written() == new
    assert change.when == "2026-11-21T12:00:00+00:00"
    assert backups.undo(change).how is How.RESTORED
    assert file.path.read_bytes() == OLD
    assert backups.kept() == ()
    assert b"t0p-s3cret" not in b"".join(path.read_bytes() for path in change.directory.parent.rglob("*"))


def test_backups_are_for_their_owner_alone_and_never_committed(file: ConfigFile, backups: Backups) -> None:
    backups.change(file, OLD, guarded(load(file)), NOW)
    directory = only(backups).directory
    for path in (directory.parent, directory):
        assert path.stat().st_mode & 0o777 == 0o700
    for path in directory.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert (directory.parent / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("step", ["kept", "written", "renamed"])
def test_a_process_that_ends_at_any_step_leaves_a_file_that_can_be_put_back(
    file: ConfigFile, backups: Backups, step: str
) -> None:
    def stop(now: str) -> None:
        if now == step:
            raise Stopped

    new = guarded(load(file))
    with pytest.raises(Stopped):
        backups.change(file, OLD, new, NOW, step=stop)
    assert file.path.read_bytes() == (new if step == "renamed" else OLD)
    undone = backups.undo(only(backups))
    assert undone.how is (How.RESTORED if step == "renamed" else How.ALREADY)
    assert file.path.read_bytes() == OLD and backups.kept() == ()


@pytest.mark.parametrize("step", ["written", "renamed"])
def test_a_process_that_ends_while_undoing_can_undo_again(file: ConfigFile, backups: Backups, step: str) -> None:
    def stop(now: str) -> None:
        if now == step:
            raise Stopped

    backups.change(file, OLD, guarded(load(file)), NOW)
    with pytest.raises(Stopped):
        backups.undo(only(backups), step=stop)
    assert backups.undo(only(backups)).how is (How.ALREADY if step == "renamed" else How.RESTORED)
    assert file.path.read_bytes() == OLD


@pytest.mark.parametrize("call", ["rename", "replace", "fsync", "open", "mkdir"])
@pytest.mark.parametrize("nth", range(6))
def test_no_failing_call_of_the_system_makes_undo_wrong(
    file: ConfigFile, backups: Backups, call: str, nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies in the nth call of a kind, in a first change or in one that extends it."""
    first = guarded(load(file), "files")
    backups.change(file, OLD, first, NOW)
    real, count = getattr(os, call), [0]

    def dying(*args: object, **kwargs: object) -> object:
        count[0] += 1
        if count[0] > nth:
            raise Stopped
        return real(*args, **kwargs)

    monkeypatch.setattr(os, call, dying)
    second = guarded(load_bytes(file, first), "time")
    with contextlib.suppress(Stopped):
        backups.change(file, first, second, NOW)
    monkeypatch.undo()
    assert file.path.read_bytes() in (first, second)
    for change in backups.kept():
        assert backups.undo(change).done
    assert file.path.read_bytes() == OLD


def test_two_changes_in_a_row_are_undone_together(file: ConfigFile, backups: Backups) -> None:
    first = guarded(load(file), "files")
    backups.change(file, OLD, first, NOW)
    second = guarded(load(file), "time")
    backups.change(file, first, second, NOW)
    assert backups.undo(only(backups)).how is How.RESTORED
    assert file.path.read_bytes() == OLD


def test_a_second_change_that_fails_takes_nothing_from_the_first(file: ConfigFile, backups: Backups) -> None:
    first = guarded(load(file), "files")
    backups.change(file, OLD, first, NOW)
    file.path.chmod(0o444)
    with pytest.raises(InputError, match="read-only"):
        backups.change(file, first, guarded(load(file), "time"), NOW)
    file.path.chmod(0o644)
    assert only(backups).written() == first
    assert backups.undo(only(backups)).how is How.RESTORED


def test_a_first_change_that_fails_keeps_nothing(file: ConfigFile, backups: Backups) -> None:
    file.path.chmod(0o444)
    with pytest.raises(InputError, match="read-only"):
        backups.change(file, OLD, guarded(load(file)), NOW)
    assert backups.kept() == ()


def test_a_file_that_somebody_changed_since_is_left_alone_with_a_masked_difference(
    file: ConfigFile, backups: Backups
) -> None:
    backups.change(file, OLD, guarded(load(file)), NOW)
    theirs = file.path.read_bytes().replace(b'"uvx"', b'"uvx"').replace(b"// servers", b'"x": 1,')
    file.path.write_bytes(theirs)
    undone = backups.undo(only(backups))
    assert undone.how is How.CHANGED and not undone.done
    assert "was changed after the guard was put in" in undone.why and "by force" in undone.why
    assert '+  "x": 1,' in undone.diff and "t0p-s3cret" not in undone.diff
    assert file.path.read_bytes() == theirs
    assert only(backups)


def test_our_edit_is_taken_out_of_what_somebody_made_of_the_file(file: ConfigFile, backups: Backups) -> None:
    backups.change(file, OLD, guarded(load(file)), NOW)
    file.path.write_bytes(file.path.read_bytes().replace(b"// servers", b'"x": 1, // mine'))
    undone = backups.undo(only(backups), IfChanged.REVERSE)
    assert undone.how is How.REVERSED
    assert file.path.read_bytes() == OLD.replace(b"// servers", b'"x": 1, // mine')
    assert backups.kept() == ()


def test_our_edit_is_not_taken_out_where_somebody_changed_it(file: ConfigFile, backups: Backups) -> None:
    backups.change(file, OLD, guarded(load(file)), NOW)
    theirs = file.path.read_bytes().replace(b'"wrap"', b'"run"')
    file.path.write_bytes(theirs)
    undone = backups.undo(only(backups), IfChanged.REVERSE)
    assert undone.how is How.CHANGED and "the server `files` was changed since" in undone.why
    assert file.path.read_bytes() == theirs


@pytest.mark.parametrize("theirs", [b"{", b"", b'{"mcpServers": []}', b'{"mcpServers": {}}'])
def test_our_edit_is_not_taken_out_of_what_cannot_be_read(file: ConfigFile, backups: Backups, theirs: bytes) -> None:
    backups.change(file, OLD, guarded(load(file)), NOW)
    file.path.write_bytes(theirs)
    assert backups.undo(only(backups), IfChanged.REVERSE).how is How.CHANGED
    assert file.path.read_bytes() == theirs


def test_force_gives_back_the_old_bytes_whatever_is_there(file: ConfigFile, backups: Backups) -> None:
    backups.change(file, OLD, guarded(load(file)), NOW)
    file.path.write_bytes(b"anything")
    assert backups.undo(only(backups), IfChanged.FORCE).how is How.RESTORED
    assert file.path.read_bytes() == OLD


def test_a_change_after_somebodys_change_is_undone_to_that_one(file: ConfigFile, backups: Backups) -> None:
    backups.change(file, OLD, guarded(load(file), "files"), NOW)
    theirs = file.path.read_bytes().replace(b"// servers", b"// mine")
    file.path.write_bytes(theirs)
    backups.change(file, theirs, guarded(load(file), "time"), NOW)
    newest, oldest = backups.kept()
    assert backups.undo(newest).how is How.RESTORED
    assert file.path.read_bytes() == theirs
    assert backups.undo(oldest).how is How.CHANGED
    assert backups.undo(oldest, IfChanged.REVERSE).how is How.REVERSED
    assert file.path.read_bytes() == OLD.replace(b"// servers", b"// mine")


def test_a_file_that_is_gone_is_told_and_made_again_only_by_force(file: ConfigFile, backups: Backups) -> None:
    file.path.chmod(0o640)
    backups.change(file, OLD, guarded(load(file)), NOW)
    file.path.unlink()
    undone = backups.undo(only(backups))
    assert undone.how is How.GONE and "its old bytes are in" in undone.why
    assert backups.undo(only(backups), IfChanged.FORCE).how is How.RESTORED
    assert file.path.read_bytes() == OLD and file.path.stat().st_mode & 0o777 == 0o640


def test_a_linked_file_is_put_back_where_it_lies(tmp_path: Path, file: ConfigFile, backups: Backups) -> None:
    real = tmp_path / "dotfiles.json"
    file.path.rename(real)
    file.path.symlink_to(real)
    backups.change(file, OLD, guarded(load(file)), NOW)
    assert backups.undo(only(backups)).how is How.RESTORED
    assert file.path.is_symlink() and real.read_bytes() == OLD


def test_a_link_that_leads_elsewhere_by_now_is_not_followed(tmp_path: Path, file: ConfigFile, backups: Backups) -> None:
    backups.change(file, OLD, guarded(load(file)), NOW)
    other = tmp_path / "other.json"
    other.write_bytes(file.path.read_bytes())
    file.path.rename(tmp_path / "aside")
    file.path.symlink_to(other)
    undone = backups.undo(only(backups))
    assert undone.how is How.CHANGED and "doesn't lead to" in undone.why
    assert other.read_bytes() != OLD


@pytest.mark.parametrize("how", list(IfChanged))
@pytest.mark.parametrize("there", ["the same", "other", "nothing"])
@pytest.mark.parametrize("link", ["file", "directory"])
def test_no_link_makes_undo_write_elsewhere(
    tmp_path: Path, file: ConfigFile, backups: Backups, how: IfChanged, there: str, link: str
) -> None:
    backups.change(file, OLD, guarded(load(file)), NOW)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    victim = elsewhere / file.path.name
    if there != "nothing":
        victim.write_bytes(file.path.read_bytes() if there == "the same" else b"{}")
    before = victim.read_bytes() if victim.exists() else None
    if link == "file":
        file.path.unlink()
        file.path.symlink_to(victim)
    else:
        file.path.parent.rename(tmp_path / "aside")
        file.path.parent.symlink_to(elsewhere)
    with contextlib.suppress(InputError):
        assert not backups.undo(only(backups), how).done
    assert (victim.read_bytes() if victim.exists() else None) == before


def test_a_directory_that_somebody_else_may_have_filled_is_not_read(tmp_path: Path, backups: Backups) -> None:
    planted = tmp_path / "state" / "clients" / "000001"
    planted.mkdir(parents=True)
    os.mkfifo(planted / "change.json")  # reading it would wait for a writer
    (tmp_path / "state" / "clients").chmod(0o777)
    with pytest.raises(InputError, match="chmod 700"):
        backups.kept()
    (tmp_path / "state" / "clients").rename(tmp_path / "theirs")
    (tmp_path / "state" / "clients").symlink_to(tmp_path / "theirs")
    with pytest.raises(InputError, match="no directory of yours"):
        backups.kept()


def test_a_damaged_backup_is_not_written(file: ConfigFile, backups: Backups) -> None:
    backups.change(file, OLD, guarded(load(file)), NOW)
    new = file.path.read_bytes()
    (only(backups).directory / "before").write_bytes(b"something else")
    with pytest.raises(InputError, match="is damaged"):
        backups.undo(only(backups))
    assert file.path.read_bytes() == new


@pytest.mark.parametrize("form", [b"", b"{}", b"[]", b'{"version": 1, "client": "nobody"}', b"\xff"])
def test_a_note_that_cannot_be_understood_is_an_error_that_names_the_backup(
    file: ConfigFile, backups: Backups, form: bytes
) -> None:
    backups.change(file, OLD, guarded(load(file)), NOW)
    directory = only(backups).directory
    (directory / "change.json").write_bytes(form)
    with pytest.raises(InputError, match="can't be understood; its file `before` has the old bytes"):
        backups.kept()


def test_two_at_once_do_not_mix(file: ConfigFile, backups: Backups) -> None:
    def other(_: str) -> None:
        with pytest.raises(InputError, match="another mcp-guard"):
            backups.change(file, OLD, b"{}", NOW)

    backups.change(file, OLD, guarded(load(file)), NOW, step=other)
    assert len(backups.kept()) == 1


def test_a_directory_that_others_can_read_is_refused_with_the_command_that_closes_it(
    tmp_path: Path, file: ConfigFile
) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o755)
    with pytest.raises(InputError, match="chmod 700"):
        Backups(open_to_all).change(file, OLD, b"{}", NOW)
    assert file.path.read_bytes() == OLD


def test_a_directory_that_is_a_link_is_refused(tmp_path: Path, file: ConfigFile) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(InputError, match="no directory of yours"):
        Backups(tmp_path / "link").change(file, OLD, b"{}", NOW)


def test_backups_are_not_kept_in_a_work_tree(tmp_path: Path, file: ConfigFile) -> None:
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    with pytest.raises(InputError, match="set MCP_GUARD_STATE"):
        Backups(tmp_path / "repository" / "state").change(file, OLD, b"{}", NOW)
    assert file.path.read_bytes() == OLD


def test_without_room_for_a_backup_there_is_no_change(
    file: ConfigFile, backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups.change(file, OLD, OLD, NOW)  # the directory is there

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"can't keep backups in .*: no space left on device"):
        backups.change(file, OLD, guarded(load(file)), NOW)
    monkeypatch.undo()
    assert file.path.read_bytes() == OLD and backups.kept() == ()


def test_nothing_to_change_keeps_nothing(file: ConfigFile, backups: Backups) -> None:
    backups.change(file, OLD, OLD, NOW)
    assert backups.kept() == ()
