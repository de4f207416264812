"""What big messages left free goes back to the system. Otherwise a guard that once carried a few megabytes holds some
tens of them for as long as it lives: glibc keeps what is free below anything that is still in use.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

GROWN = 4 << 20
"""Bytes that a process may grow by between two times. What a small call takes and frees is used again as it is."""

_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    """Bytes of memory that this process holds; 0 where the system doesn't say (it isn't Linux)."""
    try:
        return int(_STATM.read_bytes().split()[1]) * _PAGE
    except OSError:
        return 0


def trim() -> None:
    """Give back what is free. Nothing where the C library isn't glibc."""
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if give_back is not None:
        give_back(0)


class GivingBack:
    """Looked at now and then, between calls: gives back when the process has grown by `GROWN`, which is seldom.

    And once more at the look after that: what a message that was under way had in use is free by then.
    """

    def __init__(self, holds: Callable[[], int] = resident, give_back: Callable[[], None] = trim) -> None:
        self._holds, self._give_back = holds, give_back
        self._after = holds()
        self._once_more = False

    async def look(self) -> None:
        """Takes some milliseconds where there is much to give back, else some microseconds."""
        has_grown = self._holds() - self._after > GROWN
        if has_grown or self._once_more:
            self._give_back()
            self._after = self._holds()
        self._once_more = has_grown
