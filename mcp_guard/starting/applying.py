"""Puts a plan into effect: all of it, or nothing.

First the guards' own files, which no client looks at yet; then the clients' files, one by one, each kept before it is
changed and only if it is still what was read. If one can't be written, what was written before it is taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from mcp_guard.clients import Backups, IfChanged
from mcp_guard.starting.own_files import private_directory, write_guard_files
from mcp_guard.starting.plan import FileChange


def backups_in(state: Path) -> Backups:
    """The originals of all files that `init` changed: beside the record, outside of any project."""
    return Backups(state / "clients")


def apply(changes: Sequence[FileChange], guards: Path, state: Path, when: datetime) -> list[str]:
    """Write everything. Returns what a person should know beyond the plan. Raises InputError with nothing changed."""
    private_directory(state, state)  # the record's, too, which takes none that is open to others
    backups = backups_in(state)
    with ExitStack() as undo:
        notes = write_guard_files(changes, guards, undo)
        for change in changes:
            before = {kept.directory for kept in backups.kept()}
            written = backups.change(change.file, change.loaded.data, change.new, when)
            undo.callback(_back, change, backups, before, when)
            notes += written.notes
        undo.pop_all()
    return notes


def _back(change: FileChange, backups: Backups, before: set[Path], when: datetime) -> None:
    """The file as it was a moment ago, which isn't as it was at first if an earlier `init` had changed it."""
    kept = next((one for one in backups.kept() if one.file.path == change.file.path), None)
    if kept is not None and kept.directory not in before:
        backups.undo(kept, IfChanged.STOP)
    else:
        backups.change(change.file, change.new, change.loaded.data, when)
