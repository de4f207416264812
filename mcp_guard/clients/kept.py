"""What is kept of a changed file: one directory for each change, that appears whole or not at all.

`change.json` names the file and the digests, `before` has its bytes before the first of our writes, each `after.DIGEST`
those that one of them gave it. The bytes may hold secrets: the directory is 0700, the files 0600, both ours, outside of
any work tree.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mcp_guard.clients.faults import shown_path
from mcp_guard.clients.known import CLIENTS
from mcp_guard.clients.model import ConfigFile
from mcp_guard.errors import InputError

CHANGE, BEFORE = "change.json", "before"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Change:
    """One file that we changed, and how to find what it was."""

    directory: Path
    file: ConfigFile
    real: Path  # what the file led to, links followed
    mode: int
    before: str  # digest
    afters: tuple[str, ...]  # digests of all that we wrote, in order
    when: str  # ISO 8601, UTC

    def original(self) -> bytes:
        """The bytes before our first write."""
        return _checked(self.directory / BEFORE, self.before)

    def written(self) -> bytes:
        """The bytes of our last write."""
        return _checked(_after(self.directory, self.afters[-1]), self.afters[-1])


def _after(directory: Path, wrote: str) -> Path:
    return directory / f"after.{wrote[:16]}"


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def _checked(path: Path, expected: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"can't read the backup `{shown_path(path)}`: {(error.strerror or '').lower()}") from None
    if digest(data) != expected:
        raise InputError(f"the backup `{shown_path(path)}` is damaged; nothing was changed")
    return data


def prepare(directory: Path) -> None:
    """Make the directory, private from its first instant, or check that it is. Raises InputError if it isn't ours."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        why = (error.strerror or "it failed").lower()
        raise InputError(f"can't make the directory of backups `{shown_path(directory)}`: {why}") from None
    check_private(directory)
    _outside_work_trees(directory)
    try:
        write_new(directory / ".gitignore", b"*\n")
    except FileExistsError:
        pass
    except OSError as error:
        why = (error.strerror or "it failed").lower()
        raise InputError(f"can't write in the directory of backups `{shown_path(directory)}`: {why}") from None


def check_private(directory: Path) -> None:
    """Raises InputError for what isn't a directory of ours, closed to all others."""
    try:
        found = directory.lstat()
    except OSError as error:
        why = (error.strerror or "it failed").lower()
        raise InputError(f"can't look at the directory of backups `{shown_path(directory)}`: {why}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise InputError(f"`{shown_path(directory)}` is no directory of yours; move it away")
    if found.st_mode & 0o077:
        path = shown_path(directory)
        raise InputError(f"`{path}` is open to other users and holds backups; close it with `chmod 700 {path}`")


def _outside_work_trees(directory: Path) -> None:
    """Backups hold what was secret in the files: nobody is to commit them. A home that is one work tree is let be."""
    home = Path.home()
    for parent in directory.resolve().parents:
        if (parent / ".git").exists() and parent != home:
            message = f"the directory of backups `{shown_path(directory)}` is in the work tree `{shown_path(parent)}`"
            raise InputError(f"{message}; set MCP_GUARD_STATE to a directory outside of it")


def write_new(path: Path, data: bytes) -> None:
    """Write a new file, 0600, through to the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(descriptor)


def _rewrite(path: Path, data: bytes) -> None:
    aside = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    write_new(aside, data)
    aside.replace(path)
    sync(path.parent)


def sync(directory: Path) -> None:
    """See that the names in a directory are on the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def begin(directory: Path, change: Change, before: bytes, after: bytes) -> Change:
    """Keep a new change; once this returns, it can be undone, whether or not the file was written."""
    number = max((int(name.name) for name in _numbered(directory)), default=0) + 1
    aside = directory / f".new.{os.urandom(8).hex()}"
    aside.mkdir(mode=0o700)
    write_new(aside / BEFORE, before)
    write_new(_after(aside, change.afters[-1]), after)
    write_new(aside / CHANGE, _form(change))
    sync(aside)
    final = directory / f"{number:06}"
    aside.rename(final)
    sync(directory)
    return replace(change, directory=final)


def extend(change: Change, after: bytes) -> Change:
    """Note that we are about to write this too: what isn't noted would look like somebody else's change."""
    longer = replace(change, afters=(*change.afters, digest(after)))
    _rewrite(_after(change.directory, longer.afters[-1]), after)
    save(longer)
    return longer


def save(change: Change) -> None:
    """Write down a change that is kept already."""
    _rewrite(change.directory / CHANGE, _form(change))


def forget(change: Change) -> None:
    """Remove a change that is undone, and with it the secrets in it. Its name goes first, so that no half is left."""
    aside = change.directory.with_name(f".old.{os.urandom(8).hex()}")
    change.directory.rename(aside)
    sync(aside.parent)
    shutil.rmtree(aside)


def sweep(directory: Path) -> None:
    """Remove what a stopped run left half made or half removed."""
    for left in [*directory.glob(".new.*"), *directory.glob(".old.*")]:
        with contextlib.suppress(OSError):
            shutil.rmtree(left)


def changes(directory: Path) -> tuple[Change, ...]:
    """What is kept, the newest first. Raises InputError for a directory that can't be understood."""
    return tuple(_read(one) for one in reversed(_numbered(directory)))


def _numbered(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.name.isascii() and path.name.isdigit())


def _form(change: Change) -> bytes:
    form = {
        "version": _VERSION,
        "client": change.file.client.id,
        "place": change.file.place.id,
        "path": str(change.file.path),
        "within": str(change.file.within),
        "real": str(change.real),
        "mode": change.mode,
        "before": change.before,
        "afters": change.afters,
        "when": change.when,
    }
    return json.dumps(form, indent=2).encode("ascii") + b"\n"


def _read(directory: Path) -> Change:
    path = directory / CHANGE
    try:
        form: dict[str, Any] = json.loads(path.read_bytes())
        if form["version"] != _VERSION:
            raise InputError(f"`{shown_path(path)}` is of another version of mcp-guard; undo with that one")
        client = next(one for one in CLIENTS if one.id == form["client"])
        place = next(one for one in client.places if one.id == form["place"])
        return Change(
            directory=directory,
            file=ConfigFile(client, place, Path(form["path"]), Path(form["within"])),
            real=Path(form["real"]),
            mode=int(form["mode"]),
            before=str(form["before"]),
            afters=tuple(str(one) for one in form["afters"]),
            when=str(form["when"]),
        )
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        raise InputError(
            f"the backup `{shown_path(directory)}` can't be understood; its file `before` has the old bytes"
        ) from None
