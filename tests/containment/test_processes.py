"""The number of a contained server's processes, where the kernel counts them."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_guard.containment import bubblewrap
from mcp_guard.containment.landlock import limit_words
from mcp_guard.containment.possible import Mechanism, Possible, why_processes_are_not_limited
from mcp_guard.containment.settings import Bounds, Containment
from mcp_guard.containment.trees import Shape, Tree
from mcp_guard.transports import confine
from tests.containment.rooms import NOSY, Room, sandbox

SYSTEM_PYTHON = "/usr/bin/python3"
NOBODY = 65534


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that every user can read and write."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        place = Path(name)
        place.chmod(0o777)
        for file in (NOSY, Path(confine.__file__)):
            shutil.copy(file, place)
        yield place


def forks(place: Path, processes: int | None) -> int:
    """How many children the hostile server could have, as a user who isn't root."""
    server = [SYSTEM_PYTHON, str(place / "nosy.py"), "--ledger", str(place / "ledger"), "--processes=60"]
    shape = Shape(trees=(Tree(str(place), str(place), True),), cwd=str(place))
    limits = limit_words(Bounds(processes=processes))
    line = '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {}}\n'
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    subprocess.run(
        bubblewrap.words(shape, sandbox(Mechanism.BUBBLEWRAP).program, limits, server),
        input=line,
        text=True,
        cwd=place,
        env={"PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
        timeout=30,
        **who,  # type: ignore[call-overload]
    )
    got = {line["attempt"]: line.get("got") for line in map(json.loads, (place / "ledger").read_text().splitlines())}
    return int(got["forks"])


@pytest.mark.skipif(not Path(SYSTEM_PYTHON).exists(), reason="needs a Python that every user can start")
def test_a_fork_bomb_ends_at_the_limit(open_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "INTERPRETER", SYSTEM_PYTHON)
    monkeypatch.setattr(confine, "__file__", str(open_place / "confine.py"))
    if why := why_processes_are_not_limited(sandbox(Mechanism.BUBBLEWRAP)):
        assert os.getuid() == 0, why
    assert forks(open_place, None) == 60
    (open_place / "ledger").unlink()
    assert 0 < forks(open_place, 20) < 20


def test_a_limit_that_the_kernel_would_not_keep_is_no_limit_and_the_server_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(tmp_path / "m")
    contain = Containment(bounds=Bounds(processes=20))
    by_landlock = room.cell(contain, Possible(Mechanism.LANDLOCK), room.command())
    assert "aren't counted apart" in by_landlock.refused
    found = Possible(Mechanism.BUBBLEWRAP, "/usr/bin/bwrap")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert "of root" in room.cell(contain, found, room.command()).refused
    assert not room.cell(Containment(), found, room.command()).refused
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    for release, limited in (("6.1.0-13-amd64", True), ("5.14.0", True), ("5.10.0-1", False), ("odd", False)):
        monkeypatch.setattr(platform, "release", lambda release=release: release)
        assert bool(room.cell(contain, found, room.command()).refused) is not limited
    monkeypatch.setattr(platform, "release", lambda: "6.1")
    assert room.cell(Containment(), found, room.command()).shape.bounds.processes
