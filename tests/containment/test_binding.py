"""What a server's cell is made of, and when there is none: asked-for containment that isn't possible starts nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mcp_guard.containment.cell import Cell
from mcp_guard.containment.possible import Mechanism, Possible
from mcp_guard.containment.settings import Bounds, Containment
from mcp_guard.containment.trees import Tree, without_needless
from mcp_guard.errors import GuardError
from tests.containment.rooms import POLICY, Room

BUBBLEWRAP = Possible(Mechanism.BUBBLEWRAP, "/usr/bin/bwrap")
LANDLOCK = Possible(Mechanism.LANDLOCK, why="bubblewrap is not installed")
NOTHING = Possible(Mechanism.NONE, why="bubblewrap is not installed; Landlock is at version 0")


def trees(cell: Cell) -> dict[str, bool]:
    return {tree.path: tree.writable for tree in cell.shape.trees if not tree.program}


def test_without_a_sandbox_a_server_that_was_to_be_contained_is_not_started(tmp_path: Path) -> None:
    room = Room(tmp_path / "m")
    cell = room.cell(Containment(), NOTHING, room.command())
    with pytest.raises(GuardError, match=r"isn't started.*not installed.*install bubblewrap"):
        cell.start(room.command())


def test_limits_alone_need_no_sandbox(tmp_path: Path) -> None:
    room = Room(tmp_path / "m")
    cell = room.cell(Containment(files="any", network=True, bounds=Bounds(memory=10**9)), NOTHING, room.command())
    assert "memory=1000000000" in cell.start(room.command()).command
    assert cell.short == "limits only"


def test_grants_and_named_paths_add_up(tmp_path: Path) -> None:
    room = Room(tmp_path / "m")
    more, data = room.base / "more", room.base / "data"
    more.mkdir()
    data.mkdir()
    cell = room.cell(Containment(read=(str(more),), write=(str(data),)), BUBBLEWRAP, room.command())
    assert trees(cell) == {
        str(room.project): False, str(room.notes): True, str(more): False, str(data): True
    }  # fmt: skip
    none = room.cell(Containment(files="none", write=(str(data),)), BUBBLEWRAP, room.command())
    assert trees(none) == {str(data): True}


def test_a_file_that_is_granted_for_writing_brings_its_directory(tmp_path: Path) -> None:
    """Programs replace a file by another that they made beside it. For reading, the file is enough."""
    policy = POLICY.replace("{under: $project/notes}", "$project/notes/new.md").replace(
        "{under: $project}", "$project/a.txt"
    )
    room = Room(tmp_path / "m", policy=policy)
    cell = room.cell(Containment(), BUBBLEWRAP, room.command())
    assert trees(cell) == {str(room.plain): False, str(room.notes): True}


def test_what_is_not_there_is_left_out_and_said(tmp_path: Path) -> None:
    room = Room(tmp_path / "m")
    room.plain.unlink()
    room.notes.rmdir()
    cell = room.cell(Containment(read=(str(room.plain),)), BUBBLEWRAP, room.command())
    assert trees(cell) == {str(room.project): False}
    assert [str(path) in note for path, note in zip((room.notes, room.plain), cell.notes, strict=True)] == [True, True]


def test_a_link_inside_the_project_gives_nothing_of_where_it_leads(tmp_path: Path) -> None:
    room = Room(tmp_path / "m")
    room.notes.rmdir()
    room.notes.symlink_to(room.home)
    cell = room.cell(Containment(), BUBBLEWRAP, room.command())
    assert trees(cell) == {str(room.project): False}
    assert "link" in cell.notes[0]


def test_a_granted_tool_that_goes_out_while_the_network_is_off_is_said(tmp_path: Path) -> None:
    room = Room(tmp_path / "m", policy=POLICY.replace("{effect: write}", "{effect: [write, egress]}"))
    assert "these go out: write" in room.cell(Containment(), BUBBLEWRAP, room.command()).notes[0]
    assert not room.cell(Containment(network=True), BUBBLEWRAP, room.command()).notes


def test_a_literal_gives_no_whole_part_of_the_machine(tmp_path: Path) -> None:
    """It may be an address of some service, which only looks like a path; `under` says that it is one."""
    policy = POLICY.replace("{under: $project/notes}", "{in: [/usr, HOME, $project/notes]}")
    room = Room(tmp_path / "m")
    room.policy = policy.replace("HOME", str(room.home))
    cell = room.cell(Containment(), BUBBLEWRAP, room.command())
    assert trees(cell) == {str(room.project): False, str(room.notes): True}
    assert ["/usr" in cell.notes[0], str(room.home) in cell.notes[1]] == [True, True]


def test_processes_and_devices_are_not_given(tmp_path: Path) -> None:
    room = Room(tmp_path / "m")
    asked = Containment(files="none", read=("/proc", "/proc/1/environ", "/dev/null"))
    cell = room.cell(asked, BUBBLEWRAP, room.command())
    assert trees(cell) == {}
    assert len(cell.notes) == 3


def test_the_root_is_not_given_by_name(tmp_path: Path) -> None:
    room = Room(tmp_path / "m")
    cell = room.cell(Containment(files="none", write=("/",)), BUBBLEWRAP, room.command())
    assert trees(cell) == {}
    assert "files: any" in cell.notes[0]


@pytest.mark.parametrize(
    ("contain", "why"),
    [
        (Containment(), ""),
        (Containment(write=("{project}",)), "where the server writes"),
        (Containment(read=("{base}",)), "the guard's record"),
        (Containment(read=("{state}/x",)), "the guard's record"),
        (Containment(files="any"), "files: any"),
        (Containment(write=("{prefix}",)), "where the server writes"),
    ],
)
def test_landlock_refuses_what_it_could_not_keep_from_the_server(
    tmp_path: Path, contain: Containment, why: str
) -> None:
    room = Room(tmp_path / "m")
    (room.state / "x").touch()
    places = {"project": room.project, "base": room.base, "state": room.state, "prefix": sys.prefix}
    read, write = (tuple(path.format(**places) for path in paths) for paths in (contain.read, contain.write))
    cell = room.cell(Containment(contain.files, read, write), LANDLOCK, room.command())
    assert why in cell.refused
    assert bool(why) is bool(cell.refused)
    assert not room.cell(Containment(contain.files, read, write), BUBBLEWRAP, room.command()).refused


def test_a_command_that_fetches_its_program_is_refused_unless_all_files_are_there(tmp_path: Path) -> None:
    room = Room(tmp_path / "m")
    assert "npm install" in room.cell(Containment(), BUBBLEWRAP, ("npx", "-y", "x")).refused
    assert not room.cell(Containment(files="any"), BUBBLEWRAP, ("npx", "-y", "x")).refused


def test_no_tree_of_a_program_can_be_written(tmp_path: Path) -> None:
    room = Room(tmp_path / "m")
    cell = room.cell(Containment(), BUBBLEWRAP, room.command())
    assert {tree.writable for tree in cell.shape.trees if tree.program} == {False}
    assert os.path.realpath(sys.base_prefix) in {tree.path for tree in cell.shape.trees}


def test_a_tree_within_one_that_gives_as_much_is_left_out() -> None:
    outer, inner = Tree("/a", "/a", True), Tree("/a/b", "/a/b")
    assert without_needless([inner, outer]) == (outer,)
    outer, inner = Tree("/a", "/a"), Tree("/a/b", "/a/b", True)
    assert without_needless([inner, outer]) == (outer, inner)
    link = Tree("/other", "/a/b")
    assert link in without_needless([link, outer])
