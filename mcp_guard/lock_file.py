"""`guard.lock` on disk: read whole and strictly, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from mcp_guard.errors import InputError
from mcp_guard.lock.servers import Lock
from mcp_guard.lock.text import MAX_BYTES, lock_text, read_lock

NAME = "guard.lock"


def beside(config: Path) -> Path:
    """Where the lock of a guard.yaml is looked for if it names none."""
    return config.parent / NAME


def load_lock(path: Path) -> Lock:
    """Read a lock. Raises InputError, also for one that isn't there: it was named, so somebody counts on it."""
    try:
        with path.open("rb") as file:
            return read_lock(file.read(MAX_BYTES + 1), str(path))
    except FileNotFoundError:
        raise InputError(f"there is no {path}; write it with `mcp-guard lock`, and look at what it says") from None
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror}") from None


def write_lock(path: Path, lock: Lock) -> None:
    """Replace the file by this lock in one step: a guard that starts meanwhile reads the old one or the new one.

    Raises InputError where it can't be written.
    """
    target = Path(os.path.realpath(path))
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
    import tempfile  # only for who writes one

    try:
        with tempfile.NamedTemporaryFile("w", dir=target.parent, prefix=f".{NAME}.", delete=False) as file:
            try:
                file.write(lock_text(lock))
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).chmod(mode)
                Path(file.name).replace(target)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror}") from None
