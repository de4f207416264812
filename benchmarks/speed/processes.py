"""What processes use: time on a core and memory, of those that stand between a client and a tool server.

Memory is counted as the system shares it out (PSS): what one process alone holds in full, and of a page that several
have, such as the interpreter's code, an equal part. What is resident (RSS) counts such a page in each of them, so that
a guard's warden would weigh 10 MB, of which 4 are its own. For every chain the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.servers import is_tool_server

_PROC = Path("/proc")


@dataclass(frozen=True)
class Held:
    """Bytes of memory; 0 where the system doesn't say (it isn't Linux)."""

    shared_out: int = 0  # of shared pages, only this process's part
    resident: int = 0

    def __add__(self, other: Held) -> Held:
        return Held(self.shared_out + other.shared_out, self.resident + other.resident)


def between(roots: Iterable[int]) -> tuple[int, ...]:
    """These processes and all below them, but for the tool servers."""
    return tuple(pid for pid in _below(roots, _children()) if not is_tool_server(_command(pid)))


def on_core(processes: Iterable[int]) -> int:
    """Nanoseconds that these processes had a core for."""
    return sum(map(_on_core, processes))


def held(processes: Iterable[int]) -> Held:
    """By these processes."""
    return sum(map(_held, processes), Held())


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


def _held(pid: int) -> Held:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        found = {name: int(size.split()[0]) << 10 for name, _, size in (line.partition(":") for line in lines[1:])}
        return Held(found["Pss"], found["Rss"])
    except (OSError, KeyError, ValueError, IndexError):
        return Held()
