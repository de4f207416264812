"""Writes guard.yaml and policies: private, whole or not at all, and so that it can be taken back while others fail."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from mcp_guard.errors import InputError
from mcp_guard.starting.plan import FileChange, GuardFile


def write_guard_files(changes: Sequence[FileChange], home: Path, undo: ExitStack) -> list[str]:
    """Write guard.yaml and policy of every change; `undo` takes them back. Returns what a person should know."""
    notes: list[str] = []
    for file in _guard_files(changes):
        if file.new == file.old:
            continue
        private_directory(file.path.parent, home)
        if _read(file.path) != file.old:
            raise InputError(f"{file.path} was changed meanwhile; run `init` again")
        if file.aside:
            kept = _free(file.path)
            file.path.rename(kept)
            undo.callback(_restore, kept, file.path)
            notes.append(f"the {file.path.name} of an earlier `init` is kept as {kept}")
        elif file.old is None:
            undo.callback(_remove, file.path)
        else:
            undo.callback(_write, file.path, file.old)
        _write(file.path, file.new)
    return notes


def _guard_files(changes: Sequence[FileChange]) -> Iterator[GuardFile]:
    for change in changes:
        for one in change.changes:
            yield from one.files


def private_directory(path: Path, home: Path) -> None:
    """Make the directory and those below `home`, for nobody else. Raises InputError if others may write into one."""
    between = [one for one in (path, *path.parents) if one.is_relative_to(home)]
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        for one in reversed(between):
            one.mkdir(mode=0o700, exist_ok=True)
            found = one.stat()
            if found.st_uid != os.geteuid() or found.st_mode & 0o022:
                raise InputError(f"{one} can be written by others, who could put another policy there; `chmod go-w` it")
    except OSError as error:
        raise InputError(f"can't make {path}: {error.strerror}; nothing was changed") from None


def _write(path: Path, data: bytes) -> None:
    """All of it or nothing. A new file is for nobody else; one that is there keeps its mode, and a link stays one."""
    path = path.resolve()
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    aside = path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        aside.replace(path)
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror}; nothing was changed") from None
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _free(path: Path) -> Path:
    return next(one for n in range(1, 10_000) if not (one := path.with_name(f"{path.stem}.{n}{path.suffix}")).exists())


def _restore(kept: Path, path: Path) -> None:
    kept.replace(path)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
