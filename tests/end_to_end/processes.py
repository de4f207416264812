"""The processes below another one, and waiting for their end without polling. Linux only: /proc and pidfds."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio

from tests.patience import PATIENCE


def below(top: int) -> dict[int, str]:
    """Every live process below `top`, with its command line."""
    parents, lines = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The command's name stands in parentheses and may itself hold some: split after the last one.
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    parents[int(entry.name)] = int(parent)
                    lines[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ").strip()
    found = {top}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: lines[pid] for pid in found - {top}}


@contextmanager
def watched(pids: Iterable[int]) -> Iterator[list[int]]:
    """A descriptor for each process; it becomes readable at the end of that very process, whoever gets its number."""
    descriptors: list[int] = []
    try:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # it has ended since it was found
                descriptors.append(os.pidfd_open(pid))
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


async def all_ended(descriptors: Iterable[int]) -> None:
    """Wait until each watched process has ended; raises TimeoutError if one stays."""
    with anyio.fail_after(PATIENCE):
        for descriptor in descriptors:
            await anyio.wait_readable(descriptor)
