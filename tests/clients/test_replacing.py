"""Writing somebody's file: whole or not at all, only what was read, as it was owned."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from mcp_guard.clients import replace_file
from mcp_guard.errors import InputError


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_gets_its_new_bytes_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    path.chmod(0o640)
    written = replace_file(path, b"new", b"old")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert written.file == path.resolve() and written.notes == ()
    assert names(tmp_path) == ["a.json"]


def test_a_file_that_changed_since_it_was_read_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"theirs")
    with pytest.raises(InputError, match="changed by somebody else"):
        replace_file(path, b"new", b"old")
    assert path.read_bytes() == b"theirs"
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("how", ["rewritten", "replaced", "made read-only"])
def test_a_file_that_changes_while_it_is_written_is_left_alone(tmp_path: Path, how: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")

    def meddle(step: str) -> None:
        if step != "written":
            return
        if how == "rewritten":
            path.write_bytes(b"theirs")
        elif how == "replaced":
            (tmp_path / "b").write_bytes(b"old")
            (tmp_path / "b").replace(path)
        else:
            path.chmod(0o400)

    with pytest.raises(InputError, match="changed by somebody else"):
        replace_file(path, b"new", b"old", step=meddle)
    assert path.read_bytes() == (b"theirs" if how == "rewritten" else b"old")
    assert names(tmp_path) == ["a.json"]


def test_a_link_is_written_through_and_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    real, link, second = tmp_path / "dotfiles" / "a.json", tmp_path / "link.json", tmp_path / "second.json"
    real.write_bytes(b"old")
    link.symlink_to("dotfiles/a.json")
    second.symlink_to(link)
    written = replace_file(second, b"new", b"old")
    assert second.is_symlink() and link.is_symlink() and not real.is_symlink()
    assert real.read_bytes() == b"new"
    assert written.file == real.resolve()


@pytest.mark.parametrize("target", ["nowhere", "loop"])
def test_a_link_that_leads_nowhere_is_a_clear_error(tmp_path: Path, target: str) -> None:
    link = tmp_path / "loop"
    link.symlink_to(target)
    with pytest.raises(InputError, match="nothing was changed"):
        replace_file(link, b"new", b"")
    assert names(tmp_path) == ["loop"]


def test_a_read_only_file_is_not_replaced_behind_its_owners_back(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    path.chmod(0o444)
    with pytest.raises(InputError, match="is read-only"):
        replace_file(path, b"new", b"old")
    assert path.read_bytes() == b"old"


def test_a_read_only_directory_is_a_clear_error(tmp_path: Path) -> None:
    directory = tmp_path / "d"
    directory.mkdir()
    path = directory / "a.json"
    path.write_bytes(b"old")
    directory.chmod(0o555)
    try:
        with pytest.raises(InputError, match=r"directory .* is read-only"):
            replace_file(path, b"new", b"old")
    finally:
        directory.chmod(0o755)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("kind", ["pipe", "socket", "directory"])
def test_what_is_no_plain_file_is_never_opened_for_long(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    path = Path("special")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("special")
    with pytest.raises(InputError, match="no plain file"):
        replace_file(path, b"new", b"")


def test_other_names_of_a_file_are_told(tmp_path: Path) -> None:
    path, other = tmp_path / "a.json", tmp_path / "b.json"
    path.write_bytes(b"old")
    other.hardlink_to(path)
    written = replace_file(path, b"new", b"old")
    assert "1 more name" in written.notes[0]
    assert (path.read_bytes(), other.read_bytes()) == (b"new", b"old")


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="the system has no extended attributes")
def test_extended_attributes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    try:
        os.setxattr(path, "user.note", b"mine")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    replace_file(path, b"new", b"old")
    assert os.getxattr(path, "user.note") == b"mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_an_owner_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    os.chown(path, 12345, 23456)
    replace_file(path, b"new", b"old")
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


def test_a_full_disk_leaves_the_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="no space left on device"):
        replace_file(path, b"new", b"old")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]
