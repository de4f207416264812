"""The last step before the server, and the choice of a sandbox: what fails, fails before the server has run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_guard.containment.possible import Mechanism, possible
from mcp_guard.containment.settings import Containment
from mcp_guard.transports import confine
from mcp_guard.transports import spawn as spawning
from tests.containment.rooms import Room, sandbox
from tests.patience import PATIENCE
from tests.transports.processes import until_now


def last_step(*words: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Runs a server that leaves a file."""
    command = [sys.executable, "-I", "-S", confine.__file__, *words, "--", "sh", "-c", "ulimit -a >ran; umask >>ran"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.mark.parametrize("word", ["memory=lots", "open_files=", "sockets=some", "cpu=-x"])
def test_a_limit_that_cannot_be_set_ends_it_before_the_server(tmp_path: Path, word: str) -> None:
    done = last_step(word, directory=tmp_path)
    assert done.returncode == 126
    assert "cannot contain `sh`" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_limits_are_the_servers_and_there_are_no_core_dumps(tmp_path: Path) -> None:
    assert last_step("open_files=99", "cpu=77", directory=tmp_path).returncode == 0
    lines = (tmp_path / "ran").read_text().splitlines()
    values = {line.rsplit(None, 1)[0].split("(")[0].strip(): line.rsplit(None, 1)[1] for line in lines[:-1]}
    assert values["nofiles" if "nofiles" in values else "open files"] == "99"
    assert "77" in values.values()
    assert {value for name, value in values.items() if "core" in name} == {"0"}


def test_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", confine.__file__, "--", "no-such-program"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 127
    assert "cannot start `no-such-program`" in done.stderr


@pytest.fixture
def afresh() -> Iterator[None]:
    """The sandbox is looked for again."""
    possible.cache_clear()
    yield
    possible.cache_clear()


@pytest.mark.usefixtures("afresh")
@pytest.mark.parametrize(
    ("installed", "works", "abi", "expected", "why"),
    [
        (True, True, 7, Mechanism.BUBBLEWRAP, ""),
        (True, False, 7, Mechanism.LANDLOCK, "bubblewrap fails here (No permissions to create new namespace)"),
        (False, False, 3, Mechanism.LANDLOCK, "bubblewrap is not installed"),
        (False, False, 2, Mechanism.NONE, "Landlock is at version 2"),
        (True, False, 0, Mechanism.NONE, "Landlock is at version 0"),
    ],
)
def test_the_best_sandbox_that_works_is_taken(
    monkeypatch: pytest.MonkeyPatch, installed: bool, works: bool, abi: int, expected: Mechanism, why: str
) -> None:
    said = b"bwrap: x\nNo permissions to create new namespace\n"
    trial = subprocess.CompletedProcess([], 0 if works else 1, b"", b"" if works else said)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(shutil, "which", lambda *_, **__: "/usr/bin/bwrap" if installed else None)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: trial)
    monkeypatch.setattr(confine, "landlock_abi", lambda: abi)
    monkeypatch.setattr(confine, "socket_filter_known", lambda: True)
    assert possible().mechanism is expected
    assert why in possible().why


@pytest.mark.usefixtures("afresh")
def test_elsewhere_there_is_no_sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    room = Room(tmp_path / "m")
    assert "Linux" in room.cell(Containment(), possible(), room.command()).refused
    assert "Linux" in room.cell(Containment(files="any", network=True), possible(), room.command()).refused


DAEMON = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
    while True: signal.pause()
print(os.environ["TMPDIR"], flush=True)
while True: signal.pause()
"""


def running(mark: str) -> int:
    """Processes with this word on their command line."""
    found = 0
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += mark in entry.read_text().split("\0")
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("mechanism", "kill"), [(Mechanism.BUBBLEWRAP, False), (Mechanism.BUBBLEWRAP, True), (Mechanism.LANDLOCK, False)]
)
def test_nothing_of_a_contained_server_stays_behind(
    tmp_path: Path, mechanism: Mechanism, kill: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that left its parents and ignores SIGTERM; and the directory for what was passing. With bubblewrap, also
    when the warden is killed: the end of its first process is the end of all in a namespace.
    """
    monkeypatch.setattr(spawning, "GRACE_SECONDS", 0.1)
    room = Room(tmp_path / "m")
    mark = f"mark-{tmp_path.name}-{os.getpid()}"
    command = (sys.executable, "-c", DAEMON, mark)
    start = room.cell(Containment(), sandbox(mechanism), command).start(command)
    child = spawning.spawn(start.command, env=room.environment, cwd=str(room.project), temporary=start.temporary)
    try:
        assert child.process.stdout is not None
        temporary = Path(child.process.stdout.readline().decode().strip())
        until_now(lambda: running(mark) >= 2, "the server and its daemon")
        if kill:
            child.process.kill()
    finally:
        child.discard()
    until_now(lambda: child.process.poll() is not None, "the warden")
    until_now(lambda: running(mark) == 0, "all of the server")
    assert mechanism is Mechanism.BUBBLEWRAP or not temporary.exists()
