"""Changing a client's file so that it can be undone: kept first, then written; undone byte for byte, or not at all.

The order makes a crash harmless: what was and what will be is on the disk under a name before the file is touched.
Which of the two the file has is then read from the file itself, never from a note that could be behind it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from mcp_guard.clients import kept
from mcp_guard.clients.faults import shown_path
from mcp_guard.clients.kept import Change, digest
from mcp_guard.clients.loading import read_bytes, real_path
from mcp_guard.clients.model import ConfigFile
from mcp_guard.clients.replacing import Written, replace_file
from mcp_guard.clients.reversing import reversed_edit
from mcp_guard.clients.showing import masked_diff
from mcp_guard.errors import InputError

Step = Callable[[str], None]


class IfChanged(StrEnum):
    """What to do with a file that somebody changed after us."""

    STOP = "stop"  # leave it, say what differs
    REVERSE = "reverse"  # take our edit out of what it is now, if that can be told apart
    FORCE = "force"  # give it the old bytes; what was changed since is lost


class How(StrEnum):
    """What became of one change."""

    RESTORED = "restored"  # the file has the bytes from before
    REVERSED = "reversed"  # our edit is out, somebody's later edits are in
    ALREADY = "already"  # the file had the bytes from before
    CHANGED = "changed"  # somebody changed the file since: left alone
    GONE = "gone"  # there is no such file any more: left alone


@dataclass(frozen=True, slots=True)
class Undone:
    """What undoing did to one file. `why` and `diff` (masked) are for the person, where something is left to do."""

    change: Change
    how: How
    why: str = ""
    diff: str = ""
    notes: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        return self.how not in (How.CHANGED, How.GONE)


def _silent(_: str) -> None:
    pass


class Backups:
    """The originals of the files that we changed, in a directory of ours. One process at a time changes it."""

    def __init__(self, directory: Path) -> None:
        self._directory = Path(os.path.abspath(directory))  # noqa: PTH100 - keeps links, so that one can be refused

    def kept(self) -> tuple[Change, ...]:
        """The changes that can be undone, the newest first. Raises InputError for a directory that isn't ours alone."""
        if not os.path.lexists(self._directory):
            return ()
        kept.check_private(self._directory)  # before it is read: whoever made it would say what is to be written where
        return kept.changes(self._directory)

    def change(self, file: ConfigFile, old: bytes, new: bytes, when: datetime, step: Step = _silent) -> Written:
        """Give `file` the bytes `new` if it still has `old`, and keep `old`. Raises InputError with nothing changed.

        A second change of a file that is as we left it belongs to the first: undoing restores what was before both.
        `when` is aware, UTC. `step` hears what was just done: for tests that stop there.
        """
        kept.prepare(self._directory)
        with self._lock():
            kept.sweep(self._directory)
            real = real_path(file)
            if read_bytes(real, file.path) != old:
                raise InputError(f"`{shown_path(file.path)}` was changed by somebody else meanwhile; run this again")
            if old == new:
                return Written(real)
            last, change = self._noted(file, real, old, new, when)
            step("kept")
            try:
                return replace_file(file.path, new, old, step=step)
            except InputError:  # after a crash the note stays, and the next `undo` sees that nothing was written
                _unnote(last, change)
                raise

    def _noted(
        self, file: ConfigFile, real: Path, old: bytes, new: bytes, when: datetime
    ) -> tuple[Change | None, Change]:
        """The change that this one extends, if it does, and the one that is kept now."""
        last = next((one for one in self.kept() if one.real == real), None)
        if last is not None and digest(old) == last.before:  # it was never written, or somebody put it back
            kept.forget(last)
        elif last is not None and digest(old) in last.afters:
            return last, kept.extend(last, new)
        mode, at = real.stat().st_mode & 0o777, when.isoformat(timespec="seconds")
        change = Change(self._directory, file, real, mode, digest(old), (digest(new),), at)
        return None, kept.begin(self._directory, change, old, new)

    def undo(self, change: Change, if_changed: IfChanged = IfChanged.STOP, step: Step = _silent) -> Undone:
        """Give the file back its bytes from before, if it is as we left it; else as `if_changed` says.

        A change that is undone is forgotten, its backup with it. To undo all, go through `kept()` in order.
        """
        kept.prepare(self._directory)
        with self._lock():
            kept.sweep(self._directory)
            undone = self._undo(change, if_changed, step)
            if undone.done:
                kept.forget(change)
            return undone

    def _undo(self, change: Change, if_changed: IfChanged, step: Step) -> Undone:
        original, written = change.original(), change.written()
        if if_changed is IfChanged.FORCE and not _leads_to(change.real, change.real):
            # The old bytes may be a repository's, and so may the link: together they would write a file of the person.
            why = f"`{shown_path(change.real)}` is a link by now, or lies behind one, and leads elsewhere"
            return Undone(change, How.CHANGED, f"{why}; mend it by hand")
        if not os.path.lexists(change.real):
            return self._gone(change, original, if_changed)
        if not _leads_to(change.file.path, change.real) and if_changed is not IfChanged.FORCE:
            why = f"`{shown_path(change.file.path)}` doesn't lead to `{shown_path(change.real)}` any more"
            return Undone(change, How.CHANGED, f"{why}; {_WAY_OUT}")
        current = read_bytes(change.real, change.file.path)
        if current == original:
            return Undone(change, How.ALREADY)
        if digest(current) in change.afters or if_changed is IfChanged.FORCE:
            done = replace_file(change.real, original, current, step=step)
            return Undone(change, How.RESTORED, notes=done.notes)
        if if_changed is IfChanged.REVERSE:
            return _reversed(change, original, written, current, step)
        why = f"`{shown_path(change.file.path)}` was changed after the guard was put in; {_WAY_OUT}"
        return Undone(change, How.CHANGED, why, masked_diff(change.file, written, current))

    def _gone(self, change: Change, original: bytes, if_changed: IfChanged) -> Undone:
        if if_changed is not IfChanged.FORCE:
            why = f"`{shown_path(change.real)}` is gone; its old bytes are in `{shown_path(change.directory)}`"
            return Undone(change, How.GONE, f"{why}; restore it by force, or leave it")
        try:
            kept.write_new(change.real, original)
            change.real.chmod(change.mode)
        except OSError as error:
            why = (error.strerror or "it failed").lower()
            raise InputError(f"can't write `{shown_path(change.real)}`: {why}") from None
        return Undone(change, How.RESTORED)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        descriptor = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise InputError(
                "another mcp-guard is changing configuration files; wait for it, then run this again"
            ) from None
        try:
            yield
        except OSError as error:  # of the backups; what concerns the file itself was said where it happened
            why, where = (error.strerror or "it failed").lower(), shown_path(self._directory)
            raise InputError(f"can't keep backups in `{where}`: {why}; make room there, then run this again") from None
        finally:
            os.close(descriptor)


_WAY_OUT = "take the guard's edit out of it as it is now, restore the old bytes by force, or mend it by hand"


def _reversed(change: Change, original: bytes, written: bytes, current: bytes, step: Step) -> Undone:
    try:
        new = reversed_edit(change.file, original, written, current)
    except InputError as error:
        return Undone(change, How.CHANGED, str(error), masked_diff(change.file, written, current))
    done = replace_file(change.real, new, current, step=step)
    return Undone(change, How.REVERSED, notes=done.notes)


def _unnote(last: Change | None, change: Change) -> None:
    """Nothing was written: keep what was kept before."""
    if last is None:
        kept.forget(change)
    else:
        kept.save(last)


def _leads_to(path: Path, real: Path) -> bool:
    return Path(os.path.realpath(path)) == real
