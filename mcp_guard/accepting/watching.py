"""Whether the files of a guard that runs are others by now: looked at once a second, for some microseconds.

Knows paths, what `stat` says of them, and what the record says is accepted; reads no file. A file that is being written
isn't looked into until it has been left alone for one look: half of a policy may be a document of its own, that
grants less, and it would count.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

RESTLESS = 10
"""Looks after which files that change all the time are read all the same: nobody can hold off a change for ever."""

Sight = tuple[int, ...]
Sights = Mapping[Path, Sight]
_GONE: Sight = ()


def sight(path: Path) -> Sight:
    """What tells one content of a file from another without reading it, links followed.

    The time of the last change of the inode is among it: only that one can't be set back by who writes the file.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - once a second for each file
    except (OSError, ValueError):
        return _GONE
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@dataclass(slots=True)
class Watch:
    """Which change is due to be looked into."""

    paths: frozenset[Path]
    judged: tuple[Sights, object] = ({}, None)  # what the guard has last looked into, and what was accepted by then
    _before: Sights = field(default_factory=dict)
    _restless: int = 0

    def due(self, accepted: object) -> bool:
        """Is there something that nobody has looked into? `accepted` is whatever tells what the record accepts.

        If so, look into it now: `judged` is what was there before it was read.
        """
        now = {path: sight(path) for path in self.paths}
        if (now, accepted) == self.judged:
            self._before, self._restless = now, 0
            return False
        at_rest = now == self._before or now == self.judged[0]
        self._before, self._restless = now, self._restless + 1
        if not at_rest and self._restless < RESTLESS:
            return False
        self._restless = 0
        self.judged = (now, accepted)
        return True

    def forget(self) -> None:
        """It couldn't be looked into after all: once more at the next look."""
        self.judged = ({}, None)

    def on(self, paths: Iterable[Path]) -> None:
        """Look at these as well."""
        self.paths |= frozenset(paths)
