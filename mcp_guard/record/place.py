"""Where the record lives, and that nobody else can read or replace it.

The record is evidence and holds what people did: its directory is 0700, its files 0600, all owned by us and no link.
What is found otherwise is refused with the command that mends it, never repaired: it may be an attacker's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from mcp_guard.errors import InputError, RecordFailed

ENVIRONMENT = "MCP_GUARD_STATE"
DATABASE = "guard.db"
KEY = "digest.key"
SIGNING_KEY = "signing.key"
LOCK = "guard.db.lock"
INDEX = "index.db"  # a reader's, made from the record at any time
SIDES = ("guard.db-wal", "guard.db-shm")  # made by SQLite with the mode of `guard.db`


def state_directory(directory: Path | None = None) -> Path:
    """The record's directory, absolute: as given, else by `MCP_GUARD_STATE`, else the platform's state directory."""
    if directory is None:
        named = os.environ.get(ENVIRONMENT, "")
        directory = Path(named) if named else _platform_directory()
    return Path(os.path.abspath(directory.expanduser()))  # noqa: PTH100 - keeps links, so that one can be refused


def _platform_directory() -> Path:
    from platformdirs import user_state_dir  # a slow import that a given directory doesn't need

    return Path(user_state_dir("mcp-guard", appauthor=False))


def is_there(directory: Path) -> bool:
    """Has anything been recorded in this directory?"""
    return os.path.lexists(directory / DATABASE)


def prepare(directory: Path) -> None:
    """Make the directory, private from its first instant; check what is already there. `fresh` makes the record."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        try:
            directory.mkdir(mode=0o700)
            directory.chmod(0o700)  # the umask may have taken even our own bits
        except FileExistsError:
            pass
        check(directory)
    except OSError as error:
        raise not_made(directory, error) from error


def not_made(directory: Path, error: OSError) -> RecordFailed:
    """Why there is no record, and the way out."""
    return RecordFailed(
        f"can't make the record in `{directory}`: {_why(error)}; set {ENVIRONMENT} to a directory of your own"
    )


def check(directory: Path) -> None:
    """Refuse a directory, or a file of the record in it, that is a link, somebody else's, or open to others.

    Raises InputError for what a person can mend (`chmod`, another directory), RecordFailed if it can't be told.
    """
    found = _look(directory)
    if found is None:
        raise RecordFailed(f"the record's directory `{directory}` is not there")
    _refuse_unless_private(directory, found, stat.S_ISDIR, "directory", "700")
    for name in (DATABASE, KEY, SIGNING_KEY, LOCK, INDEX, *SIDES):
        path = directory / name
        if (found := _look(path)) is not None:
            _refuse_unless_private(path, found, stat.S_ISREG, "plain file", "600")


def check_file(path: Path) -> None:
    """The same for one more private file of the directory, if it is there."""
    if (found := _look(path)) is not None:
        _refuse_unless_private(path, found, stat.S_ISREG, "plain file", "600")


def exists(path: Path) -> bool:
    """Is there anything under this name, a link too?"""
    return os.path.lexists(path)


def _look(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RecordFailed(f"can't look at `{path}`: {_why(error)}") from error


def _refuse_unless_private(
    path: Path, found: os.stat_result, is_kind: Callable[[int], bool], kind: str, mode: str
) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise InputError(f"`{path}` is a symbolic link; name the place that it leads to")
    if not is_kind(found.st_mode):
        raise InputError(f"`{path}` is no {kind}; move it away")
    if found.st_uid != os.geteuid():
        raise InputError(
            f"`{path}` belongs to user {found.st_uid}, not to you; set {ENVIRONMENT} to a directory of your own"
        )
    if found.st_mode & 0o077:
        raise InputError(f"`{path}` is open to other users; close it with `chmod {mode} {path}`")


def publish(path: Path, content: bytes) -> bool:
    """Let a 0600 file appear whole under `path`, or not at all; False if somebody was first.

    Written aside and linked: a reader never sees half of it, and no descriptor of the visible file is ever closed here
    (closing one would drop the POSIX locks that SQLite holds on that file for another connection of this process).
    """
    aside = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.fchmod(descriptor, 0o600)  # the umask may have taken even our own bits
            if os.write(descriptor, content) != len(content):
                raise OSError("short write")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.link(aside, path, follow_symlinks=False)
    except FileExistsError:
        return False
    finally:
        aside.unlink()
    return True


class Watch:
    """Remembers which files the record is, to notice when one was removed or replaced while it is open.

    SQLite would go on writing into a deleted file: the entries would be gone with the process, and a second process
    would start another record beside it. One system call a file, before each judgement.
    """

    def __init__(self, directory: Path, names: Iterable[str] = (DATABASE, *SIDES)) -> None:
        self._paths = [str(directory / name) for name in names]
        self._seen = self._look()

    def check(self) -> None:
        """Raises RecordFailed if a file isn't the one that was opened."""
        if self._look() != self._seen:
            raise RecordFailed(
                "the record's files were replaced while it was in use; nothing more is let through: restart the guard"
            )

    def _look(self) -> list[tuple[int, int]]:
        try:
            return [(found.st_dev, found.st_ino) for found in map(os.stat, self._paths)]
        except OSError as error:
            raise RecordFailed(
                f"a file of the record is gone ({_why(error)}); nothing more is let through: restart the guard"
            ) from error


def _why(error: OSError) -> str:
    return (error.strerror or "it failed").lower()
