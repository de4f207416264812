"""What tests of processes share: waiting for a fact, bounded, and looking at what runs."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.patience import PATIENCE


async def until(fact: Callable[[], object], what: str = "") -> None:
    """Let the loop run until `fact()` is true."""
    async with asyncio.timeout(PATIENCE):
        while not fact():
            await asyncio.get_running_loop().run_in_executor(None, threading.Event().wait, 0.002)


def until_now(fact: Callable[[], object], what: str = "") -> None:
    """The same without a loop."""
    deadline = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < deadline, f"not in time: {what}"
        threading.Event().wait(0.002)


def alive(pid: int) -> bool:
    """Does it run? A zombie doesn't."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state not in (b"Z", b"X")


def children(parent: int | None = None) -> set[int]:
    """The processes whose parent is `parent` (this one), zombies too."""
    wanted = parent or os.getpid()
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue
            if int(words[1]) == wanted:
                found.add(int(entry.name))
    return found


def open_files() -> int:
    """How many file descriptors this process has."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - iterdir would hold one itself


def descriptors() -> dict[int, str]:
    """Each file descriptor of this process and what it leads to; of a socket, both ends."""
    ends = {one.fileno(): _ends(one) for one in gc.get_objects() if isinstance(one, socket.socket)}
    found = {}
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - iterdir would hold one itself
        try:
            found[int(name)] = f"{os.readlink(f'/proc/self/fd/{name}')} {ends.get(int(name), '')}".strip()  # noqa: PTH115
        except OSError:  # the one that listed them
            continue
    return found


def _ends(one: socket.socket) -> str:
    try:
        return f"{one.getsockname()} -> {one.getpeername()}"
    except OSError:  # it listens, or has ended
        return f"{one!r}"


def number_in(file: Path) -> int:
    """A process id that another process wrote into `file`, whole lines only; 0 until then."""
    try:
        text = file.read_text()
    except OSError:
        return 0
    return int(text) if text.endswith("\n") else 0
