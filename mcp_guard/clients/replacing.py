"""Writing a file that belongs to somebody: all of it or nothing, only if it is what was read, as it was owned.

The new bytes are written beside the file and renamed over it, so that a client never reads half of it. Links are
written through to what they lead to; what isn't a plain file is never touched.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mcp_guard.clients.faults import shown_path
from mcp_guard.clients.loading import read_bytes, unreadable
from mcp_guard.errors import InputError


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: the file at the end of all links, and what a person should know about it."""

    file: Path
    notes: tuple[str, ...] = ()


def replace_file(
    path: Path, new: bytes, expected_old: bytes, *, step: Callable[[str], None] = lambda _: None
) -> Written:
    """Give the file at `path` the bytes `new` if it still has `expected_old`; mode, owner and attributes are kept.

    Raises InputError, with nothing changed, if the file changed meanwhile, is read-only, lies in a read-only directory,
    or is no plain file. `step` hears what is about to happen (`written`, `renamed`): for tests that stop there.
    """
    real = followed(path)
    found = _checked(real, path)
    if read_bytes(real, path) != expected_old:
        raise InputError(f"`{shown_path(path)}` was changed by somebody else meanwhile; run this again")
    aside = real.with_name(f".{real.name}.{os.urandom(8).hex()}.tmp")
    try:
        notes = _write_aside(aside, real, new, found)
        step("written")
        if _identity(real.lstat()) != _identity(found) or read_bytes(real, path) != expected_old:
            raise InputError(f"`{shown_path(path)}` was changed by somebody else meanwhile; run this again")
        aside.replace(real)
        step("renamed")
        _sync_directory(real.parent)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()
    if found.st_nlink > 1:
        notes = (
            *notes,
            f"`{shown_path(real)}` had {found.st_nlink - 1} more names (hard links): they keep the old text",
        )
    return Written(real, notes)


def followed(path: Path) -> Path:
    """The file at the end of all links."""
    try:
        return Path(os.path.realpath(path, strict=True))
    except OSError as error:
        raise unreadable(path, error) from None


def _checked(real: Path, path: Path) -> os.stat_result:
    try:
        found, directory = real.lstat(), real.parent.stat()
    except OSError as error:
        raise unreadable(path, error) from None
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"`{shown_path(path)}` is no plain file; nothing was changed")
    # The bits and not only our rights: renaming would replace a read-only file, and root may write everything.
    if not found.st_mode & stat.S_IWUSR or not os.access(real, os.W_OK):
        raise InputError(f"`{shown_path(path)}` is read-only; make it writable if it is yours; nothing was changed")
    if not directory.st_mode & stat.S_IWUSR or not os.access(real.parent, os.W_OK | os.X_OK):
        message = f"the directory `{shown_path(real.parent)}` is read-only"
        raise InputError(f"{message}; make it writable if it is yours; nothing was changed")
    return found


def _write_aside(aside: Path, real: Path, new: bytes, found: os.stat_result) -> tuple[str, ...]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(aside, flags, 0o600), "wb") as opened:
        opened.write(new)
        opened.flush()
        descriptor = opened.fileno()
        notes: tuple[str, ...] = ()
        if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
            try:
                os.fchown(descriptor, found.st_uid, found.st_gid)
            except OSError:
                notes = (f"the owner or group of `{shown_path(real)}` couldn't be kept: it is yours now",)
        _keep_attributes(real, descriptor)
        os.fchmod(descriptor, found.st_mode & 0o777)  # last: changing the owner takes bits away
        os.fsync(descriptor)
    return notes


def _keep_attributes(real: Path, descriptor: int) -> None:
    """Access lists and labels, where the system has them and lets us."""
    if not hasattr(os, "listxattr"):
        return
    with contextlib.suppress(OSError):
        for name in os.listxattr(real):
            with contextlib.suppress(OSError):
                os.setxattr(descriptor, name, os.getxattr(real, name))


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns


def _sync_directory(directory: Path) -> None:
    with contextlib.suppress(OSError):  # some file systems don't have it; the rename itself has happened
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> InputError:
    why = (error.strerror or "it failed").lower()
    return InputError(f"can't write `{shown_path(path)}`: {why}; nothing was changed")
