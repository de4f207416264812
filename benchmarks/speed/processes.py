"""What processes use: time on a core and resident memory, of those that stand between a client and a tool server."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.servers import is_tool_server

_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Used:
    """Of all processes in between; both are 0 where the system doesn't say (it isn't Linux)."""

    cpu_ns: int = 0
    memory: int = 0  # bytes

    def __sub__(self, before: Used) -> Used:
        return Used(self.cpu_ns - before.cpu_ns, self.memory)


def between(roots: Iterable[int]) -> tuple[int, ...]:
    """These processes and all below them, but for the tool servers."""
    return tuple(pid for pid in _below(roots, _children()) if not is_tool_server(_command(pid)))


def used(processes: Iterable[int]) -> Used:
    """By these processes."""
    total = Used()
    for pid in processes:
        total = Used(total.cpu_ns + _on_core(pid), total.memory + _resident(pid))
    return total


def resident(pid: int) -> int:
    """Bytes of one process."""
    return _resident(pid)


def _below(roots: Iterable[int], children: dict[int, list[int]]) -> Iterator[int]:
    left = list(roots)
    while left:
        pid = left.pop()
        left += children.get(pid, [])
        yield pid


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for place in _PROC.glob("[0-9]*") if _PROC.is_dir() else ():
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue  # it has just ended
        found.setdefault(parent, []).append(int(place.name))
    return found


def _command(pid: int) -> list[str]:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _on_core(pid: int) -> int:
    """Nanoseconds, of all threads that are there."""
    total = 0
    for thread in (_PROC / str(pid) / "task").glob("*/schedstat"):
        try:
            total += int(thread.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            continue
    return total


def _resident(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
