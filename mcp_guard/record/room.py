"""Room for outcomes: no call is let through unless what becomes of it will find its place on the disk (law 2).

A commit writes to the write-ahead log alone. Before each decision, so much is allocated beyond the log's end, without
changing its size, that the outcomes of all calls under way fit there. On a full disk decisions are then refused while
outcomes still commit. Only outcomes may use that room: everything else is refused first, in every guard process.
"""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path

from mcp_guard.errors import RecordFailed
from mcp_guard.record.place import SIDES

RESERVE = 8 << 20
"""Bytes. An outcome takes 12 to 24 KiB of the log, so this is room for some 350 calls under way at once."""
STEP = 4 << 20  # bytes allocated at once beyond the reserve
_REGION = 32 << 10  # bytes of the log's index at a time, for 4096 pages of the log, the first time for 34 fewer
_FIRST_REGION = 4062 * (4096 + 24)
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE
_CANNOT = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


class Room:
    """The reserve behind the end of one record's log."""

    def __init__(self, directory: Path) -> None:
        try:
            # SQLite holds no lock on this file that closing it could drop.
            flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
            self._log = os.open(directory / SIDES[0], flags)
        except OSError as error:
            raise RecordFailed(f"can't open the record's log: {(error.strerror or '').lower()}") from error
        self._index = directory / SIDES[1]
        self._allocated = 0
        self._allocate = _fallocate()

    def close(self) -> None:
        os.close(self._log)

    def ensure(self) -> None:
        """Raises RecordFailed unless the reserve is there."""
        size = os.fstat(self._log).st_size  # where the log ends, or ended before it began again from its start
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        if limit != resource.RLIM_INFINITY and size + RESERVE > limit:
            raise _no_room()
        if size + RESERVE > self._allocated:
            self._grow(size)
        if size + RESERVE > _FIRST_REGION:
            self._see_to_index(size + RESERVE)

    def _grow(self, size: int) -> None:
        for wanted in (size + RESERVE + STEP, size + RESERVE):
            code = self._allocate(self._log, wanted)
            if code == 0:
                self._allocated = wanted
                return
            if code in _CANNOT:  # the file system can't hold room for us: at least there must be some
                found = os.fstatvfs(self._log)
                if found.f_bavail * found.f_frsize >= RESERVE:
                    return
        raise _no_room()

    def _see_to_index(self, length: int) -> None:
        """SQLite's index of the log grows too. Nobody else may open that file (closing it would drop SQLite's locks),
        so what it may need is looked for on the disk; a log that long is rare: it waits for a reader, or for room.
        """
        if self._index.stat().st_size < -(-length // _FIRST_REGION) * _REGION:
            found = os.fstatvfs(self._log)
            if found.f_bavail * found.f_frsize < STEP:
                raise _no_room()


def _no_room() -> RecordFailed:
    return RecordFailed("no room for the record: make room on its disk; until then nothing is let through")


def _fallocate() -> Callable[[int, int], int]:
    """`fallocate(2)` from the file's start, keeping its size; gives an error's number, or 0."""
    import ctypes

    try:
        function = ctypes.CDLL(None, use_errno=True).fallocate
    except (AttributeError, OSError):  # no Linux
        return lambda _descriptor, _length: errno.ENOSYS
    function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]

    def allocate(descriptor: int, length: int) -> int:
        return 0 if function(descriptor, _KEEP_SIZE, 0, length) == 0 else ctypes.get_errno()

    return allocate
