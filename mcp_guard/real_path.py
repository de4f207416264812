"""Where a path leads once symbolic links are followed, as far as it exists: `os.path.realpath`, several times faster.

Edge: asks the kernel. A judgement asks for every path in a call, and `os.path.realpath` looks at each of its parts by a
call of its own. On Linux an opened handle names its own path; elsewhere, and wherever that name is in doubt, the
standard library answers.
"""

from __future__ import annotations

import os

_HANDLE = getattr(os, "O_PATH", 0)  # opens nothing: no permission to read is needed, no device is touched
_GONE = " (deleted)"


def real_path(path: str) -> str:
    """The same as `os.path.realpath(path)` for an absolute path. Raises ValueError for a path with NUL."""
    if _HANDLE and path.startswith("/"):
        found = _by_handle(path)
        if found is None and not os.path.lexists(path):  # it isn't there; what is above it may be
            above, _, name = path.rpartition("/")
            parent = _by_handle(above) if above and name not in ("", ".", "..") else None
            found = f"{parent.rstrip('/')}/{name}" if parent is not None else None
        if found is not None:
            return found
    return os.path.realpath(path)


def _by_handle(path: str) -> str | None:
    """What the kernel calls an existing file or directory; None if there is none, or the name is in doubt."""
    try:
        handle = os.open(path, _HANDLE | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        found = os.readlink(f"/proc/self/fd/{handle}")
    except OSError:
        return None
    finally:
        os.close(handle)
    return found if found.startswith("/") and not found.endswith(_GONE) else None
