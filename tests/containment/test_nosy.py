"""A hostile server under containment, judged by its own ledger; and without, where it gets all that it tries."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from mcp_guard.containment.possible import Mechanism, Possible
from mcp_guard.containment.settings import Bounds, Containment
from tests.containment.rooms import SANDBOXES, Room, listening, sandbox

FREE = Possible(Mechanism.NONE)


@pytest.mark.parametrize("mechanism", [None, *SANDBOXES])
def test_a_contained_server_gets_its_granted_files_and_nothing_else(
    tmp_path: Path, mechanism: Mechanism | None
) -> None:
    """Without containment it gets everything that it tries, so that each of these lines can fail."""
    found = sandbox(mechanism) if mechanism else FREE
    room = Room(tmp_path / "m")
    outside = room.base / "outside"
    theirs = room.base / "socket"
    server, port = listening()
    with server, socket.socket(socket.AF_UNIX) as local, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        local.bind(str(theirs))
        local.listen()
        datagrams.bind(("127.0.0.1", port))
        datagrams.setblocking(False)
        reads = [f"--read={path}" for path in (room.key, room.record, room.plain, "/etc/passwd", "/proc/1/cmdline")]
        writes = [f"--write={path}" for path in (outside, room.plain, room.notes / "note", room.home / "x")]
        got = room.look(
            Containment() if mechanism else None,
            found,
            *reads,
            *writes,
            f"--chmod={room.key}",
            f"--port={port}",
            f"--socket={theirs}",
        )
        heard = [] if mechanism else [datagrams.recvfrom(16)[0]]
        with pytest.raises(BlockingIOError):
            datagrams.recvfrom(16)
    assert {f"read {room.plain}", f"write {room.notes / 'note'}", "read /etc/passwd", "temporary"} <= set(got)
    assert not Path(got["temporary"]).name.startswith("mcp-guard") or not Path(got["temporary"]).exists()
    assert (room.notes / "note").exists()
    kept_from_it = {f"read {room.key}", f"read {room.record}", f"write {room.plain}"}
    kept_from_it |= {"tcp", "unix"}
    if mechanism:
        assert not kept_from_it & set(got)
        assert got.get("environments of others", []) == []
        assert got["descriptors"] == []
        assert not outside.exists()  # in a /tmp or a home of its own, it may write what it likes
        assert not (room.home / "x").exists()
        assert room.plain.read_text() == "plain"
        assert room.key.stat().st_mode & 0o777 == 0o600
        assert set(got["environment"]) <= {*room.environment, "TMPDIR", "PWD", "LC_CTYPE"}
    else:
        assert kept_from_it <= set(got)
        assert outside.exists()
        assert room.key.stat().st_mode & 0o777 == 0o666
        assert heard == [b"nosy"]
        assert (room.home / "x").exists()
        assert got["environments of others"]


@pytest.mark.parametrize("mechanism", SANDBOXES)
def test_an_inherited_descriptor_does_not_reach_it(tmp_path: Path, mechanism: Mechanism) -> None:
    read, write = os.pipe()
    os.set_inheritable(read, True)
    try:
        assert Room(tmp_path / "m").look(Containment(), sandbox(mechanism))["descriptors"] == []
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize("mechanism", SANDBOXES)
def test_the_network_is_on_where_it_is_said(tmp_path: Path, mechanism: Mechanism) -> None:
    server, port = listening()
    with server:
        got = Room(tmp_path / "m").look(Containment(network=True), sandbox(mechanism), f"--port={port}")
    assert {"tcp", "udp"} <= set(got)


@pytest.mark.parametrize("mechanism", [*SANDBOXES, Mechanism.NONE])
def test_its_memory_is_limited(tmp_path: Path, mechanism: Mechanism) -> None:
    """Of limits alone, too, without any sandbox; what it holds is never touched, so that the test costs nothing."""
    found = FREE if mechanism is Mechanism.NONE else sandbox(mechanism)
    contain = Containment(
        files="any" if found is FREE else "grants", network=found is FREE, bounds=Bounds(memory=300_000_000)
    )
    assert 0 < Room(tmp_path / "m").look(contain, found, "--memory=1024")["memory"] < 320
    assert Room(tmp_path / "n").look(None, FREE, "--memory=1024")["memory"] == 1024


def test_the_guards_own_files_are_hidden_in_what_is_granted(tmp_path: Path) -> None:
    """Also where the server may write around them, and from one that moves their directory away."""
    policy = "version: 1\ngrants: [{id: all, tool: nosy/any, args: {path: {under: $project}}}]\n"
    room = Room(tmp_path / "m", policy=policy)
    own = (room.policy_file, room.settings)
    got = room.look(
        Containment(),
        sandbox(Mechanism.BUBBLEWRAP),
        *(f"--read={path}" for path in own),
        *(f"--write={path}" for path in (*own, room.project / "new")),
        f"--rename={room.settings.parent}",
    )
    assert f"write {room.project / 'new'}" in got
    assert not [name for name in got if any(str(path) in name for path in (*own, room.settings.parent))]
    assert room.policy_file.read_text() == policy
    assert room.settings.read_text() == "{}"


def test_everything_but_the_guards_own_is_there_with_files_any(tmp_path: Path) -> None:
    room = Room(tmp_path / "m")
    reads = [f"--read={path}" for path in (room.key, room.record, room.policy_file)]
    got = room.look(Containment(files="any"), sandbox(Mechanism.BUBBLEWRAP), *reads, f"--write={room.home / 'x'}")
    assert {f"read {room.key}", f"write {room.home / 'x'}"} <= set(got)
    assert got.get(f"read {room.state}", []) == []
    assert not {f"read {room.record}", f"read {room.policy_file}"} & set(got)


def test_what_a_link_that_is_planted_later_leads_to_is_not_given(tmp_path: Path) -> None:
    room = Room(tmp_path / "m")
    command = room.command()
    cell = room.cell(Containment(), sandbox(Mechanism.BUBBLEWRAP), command)
    cell.start(command)
    room.notes.rename(room.project / "moved")
    room.notes.symlink_to(room.home)
    with pytest.raises(Exception, match="leads elsewhere"):
        cell.start(command)
