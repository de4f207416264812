"""What a process holds: descriptors, memory, processes below it; looked at again and again while a run lasts."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from tests.end_to_end.processes import below

BEGIN, REST = 0.3, 0.5
"""Parts of a run: what is held from BEGIN to REST is compared with what is held in the last fifth."""
MORE_DESCRIPTORS = 20
MORE_MEMORY = 24 << 20
"""How much more may be held at the end: a moment has more under way than another, and allocators keep pages."""
MORE_PROCESSES = 6


@dataclass(frozen=True)
class Look:
    """One process at one moment."""

    descriptors: int
    memory: int  # bytes, resident
    processes: int  # below it


def look(pid: int) -> Look | None:
    """None if it has ended."""
    with contextlib.suppress(OSError, StopIteration):
        place = Path(f"/proc/{pid}")
        lines = (place / "status").read_text().splitlines()
        memory = int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) << 10
        return Look(len(list((place / "fd").iterdir())), memory, len(below(pid)))
    return None


@dataclass
class Watch:
    """The looks at some processes, by name."""

    pids: dict[str, int]
    looks: dict[str, list[Look]] = field(default_factory=dict)

    async def look_on(self, seconds: float, until: float) -> None:
        """Every `seconds`, until the loop's time is `until`: then they begin to end."""
        while asyncio.get_running_loop().time() < until - seconds:
            for name, pid in self.pids.items():
                found = await asyncio.to_thread(look, pid)
                if found is not None:
                    self.looks.setdefault(name, []).append(found)
            await asyncio.sleep(seconds)

    def growth(self) -> dict[str, tuple[Look, Look]]:
        """For each process: the most that it held early, once warm, and the least that it held at the end.

        The least: a leak is what is never given back.
        """
        return {name: (_most(_part(seen, BEGIN, REST)), _least(_part(seen, 0.8, 1.0)))
                for name, seen in self.looks.items() if len(seen) >= 5}  # fmt: skip

    def leaks(self) -> list[str]:
        """What grew by more than it may."""
        found = []
        for name, (early, late) in self.growth().items():
            if late.descriptors > early.descriptors + MORE_DESCRIPTORS:
                found.append(f"{name}: descriptors {early.descriptors} -> {late.descriptors}")
            if late.memory > early.memory + MORE_MEMORY:
                found.append(f"{name}: memory {early.memory >> 20} -> {late.memory >> 20} MiB")
            if late.processes > early.processes + MORE_PROCESSES:
                found.append(f"{name}: processes {early.processes} -> {late.processes}")
        return found


def _part(seen: list[Look], begin: float, end: float) -> list[Look]:
    first, last = int(len(seen) * begin), max(int(len(seen) * end), int(len(seen) * begin) + 1)
    return seen[first:last]


def _most(seen: list[Look]) -> Look:
    return Look(*(max(values) for values in zip(*map(_values, seen), strict=True)))


def _least(seen: list[Look]) -> Look:
    return Look(*(min(values) for values in zip(*map(_values, seen), strict=True)))


def _values(one: Look) -> tuple[int, int, int]:
    return one.descriptors, one.memory, one.processes
