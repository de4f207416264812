"""The ports on which processes of one state directory listen: a console's, a guard's over HTTP (law 7).

Each is a file in `listening/`, named by its port, from before anybody is answered there to the process's end. A guard
reads the names when a call has a text that could be an address, so that it knows of a console that was started later.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcp_guard.errors import GuardError
from mcp_guard.record import place

FOLDER = "listening"


@contextmanager
def announced(state: Path, port: int) -> Iterator[None]:
    """Let every guard of this state directory refuse calls that name `port`. Raises GuardError if they can't know."""
    folder = state / FOLDER
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.check(state)
        folder.mkdir(mode=0o700, exist_ok=True)
        _forget_the_dead(folder)
        path, descriptor = _entered(folder, port)
    except OSError as error:
        raise GuardError(f"guards can't be told of this port in `{folder}`, so it isn't served") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(descriptor)


def listening(state: str) -> frozenset[int] | None:
    """The ports of this moment; None if that can't be told. One that a process left behind when it was killed counts
    until the next one begins to listen.
    """
    try:
        names = os.listdir(f"{state}/{FOLDER}")  # noqa: PTH208 - half the time of a Path's, and calls wait for it
    except FileNotFoundError:
        return frozenset()
    except OSError:
        return None
    return frozenset(int(digits) for name in names if (digits := name.partition("-")[0]).isdecimal())


def _entered(folder: Path, port: int) -> tuple[Path, int]:
    """A file of this port, locked for as long as this process lives; it appears when it is."""
    mark = os.urandom(8).hex()
    aside, path = folder / f".{mark}", folder / f"{port}-{mark}"
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        aside.rename(path)
    except OSError:
        os.close(descriptor)
        aside.unlink(missing_ok=True)
        raise
    return path, descriptor


def _forget_the_dead(folder: Path) -> None:
    """Remove what killed processes left: nobody holds its lock."""
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)
