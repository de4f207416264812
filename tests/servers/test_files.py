"""The file server keeps to its root, whatever a path looks like."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.connect import SERVERS, complaint, connect, structured


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a file and three links: out of the root to a file and a directory, and within it."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "secret.txt").write_text("secret")
    (root / "link").symlink_to(tmp_path / "secret.txt")
    (root / "up").symlink_to(tmp_path)
    (root / "again").symlink_to(root / "a.txt")
    return root


async def test_the_seeded_root_holds_the_bill(tmp_path: Path) -> None:
    async with connect("files", tmp_path / "state") as files:
        entries = structured(await files.call_tool("list_directory", {"path": "."}))["entries"]
        bill = structured(await files.call_tool("read_text_file", {"path": "bill.txt"}))["content"]
    assert {"name": "bill.txt", "type": "file"} in entries
    assert {"name": "notes", "type": "directory"} in entries
    assert "48.60 EUR" in bill


async def test_paths_that_lead_out_of_the_root_are_refused(root: Path, tmp_path: Path) -> None:
    outside = ["../secret.txt", str(tmp_path / "secret.txt"), "link", "up/secret.txt", "x/../../secret.txt"]
    async with connect("files", tmp_path / "state", "--root", str(root)) as files:
        for path in outside:
            assert "outside" in complaint(await files.call_tool("read_text_file", {"path": path}))
            assert "outside" in complaint(await files.call_tool("write_file", {"path": path, "content": "x"}))
        for path in ["../secret.txt", "up/secret.txt", str(tmp_path / "secret.txt")]:
            assert "outside" in complaint(await files.call_tool("delete_file", {"path": path}))
            assert "outside" in complaint(await files.call_tool("move_file", {"source": path, "destination": "got"}))
            assert "outside" in complaint(await files.call_tool("move_file", {"source": "a.txt", "destination": path}))
        assert "not a usable path" in complaint(await files.call_tool("read_text_file", {"path": "a\0.txt"}))
    assert (tmp_path / "secret.txt").read_text() == "secret"
    assert (root / "a.txt").exists()


async def test_a_file_is_written_read_in_parts_moved_and_deleted(root: Path, tmp_path: Path) -> None:
    async with connect("files", tmp_path / "state", "--root", str(root)) as files:

        async def read(**part: int) -> str:
            answer = await files.call_tool("read_text_file", {"path": str(root / "a.txt"), **part})
            return str(structured(answer)["content"])

        assert [await read(), await read(head=1), await read(tail=1)] == ["one\ntwo\nthree\n", "one\n", "three\n"]
        structured(await files.call_tool("write_file", {"path": "b.txt", "content": "größer"}))
        structured(await files.call_tool("move_file", {"source": "b.txt", "destination": "c.txt"}))
        assert (root / "c.txt").read_text("utf-8") == "größer"
        structured(await files.call_tool("delete_file", {"path": "c.txt"}))
    assert not (root / "b.txt").exists()
    assert not (root / "c.txt").exists()


async def test_deleting_a_link_keeps_what_it_leads_to(root: Path, tmp_path: Path) -> None:
    async with connect("files", tmp_path / "state", "--root", str(root)) as files:
        structured(await files.call_tool("delete_file", {"path": "link"}))
        structured(await files.call_tool("delete_file", {"path": "again"}))
    assert not (root / "link").is_symlink()
    assert (tmp_path / "secret.txt").exists()
    assert (root / "a.txt").exists()


async def test_nothing_is_overwritten_by_a_move_and_no_directory_is_deleted(root: Path, tmp_path: Path) -> None:
    (root / "sub").mkdir()
    async with connect("files", tmp_path / "state", "--root", str(root)) as files:
        for taken in ("a.txt", "link", "sub"):
            move = {"source": "again", "destination": taken}
            assert "exists already" in complaint(await files.call_tool("move_file", move))
        for path in ("sub", ".", "sub/..", "none"):
            assert complaint(await files.call_tool("delete_file", {"path": path}))
    assert (root / "sub").is_dir()


async def test_errors_of_the_file_system_do_not_show_paths(root: Path, tmp_path: Path) -> None:
    async with connect("files", tmp_path / "state", "--root", str(root)) as files:
        text = complaint(await files.call_tool("write_file", {"path": "none/x.txt", "content": "x"}))
    assert "No such file or directory" in text
    assert str(tmp_path) not in text


def test_a_root_that_holds_the_ledger_is_refused_at_start(tmp_path: Path) -> None:
    command = [sys.executable, str(SERVERS / "files.py"), "--state", str(tmp_path / "state"), "--root", str(tmp_path)]
    started = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    assert started.returncode == 1
    assert "rewrite the ledger" in started.stderr
