"""One server's cell: how it is contained, and the words that start it so.

Bound once, when the documents are; looked at again at every start, since the file system may have changed meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from mcp_guard.containment import bubblewrap, landlock
from mcp_guard.containment.possible import Mechanism
from mcp_guard.containment.trees import Shape
from mcp_guard.errors import GuardError
from mcp_guard.real_path import real_path


@dataclass(frozen=True, slots=True)
class Start:
    """What is run for a server, and the directory of its own that is made before and removed after, if there is one."""

    command: tuple[str, ...]
    temporary: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """How one server is contained. With `refused`, it can't be, and so it isn't started either."""

    mechanism: Mechanism
    shape: Shape = field(default_factory=Shape)
    program: str = ""  # bubblewrap's
    refused: str = ""
    notes: tuple[str, ...] = ()  # for the person: what is missing or weaker than it could be

    def start(self, command: Sequence[str]) -> Start:
        """The words that start `command` in this cell. Raises GuardError if it can't be contained as it was said."""
        why = self.refused or self._moved()
        if why:
            raise GuardError(f"it can't be contained, so it isn't started: {why}")
        limits = landlock.limit_words(self.shape.bounds)
        match self.mechanism:
            case Mechanism.BUBBLEWRAP:
                return Start(bubblewrap.words(self.shape, self.program, limits, command))
            case Mechanism.LANDLOCK:
                temporary = f"/tmp/mcp-guard-{os.urandom(8).hex()}"  # noqa: S108 - made anew, 0700, by the warden
                return Start(landlock.words(self.shape, limits, command, temporary), temporary)
            case Mechanism.NONE:
                return Start(landlock.confined(limits, command))

    def _moved(self) -> str:
        """A tree that another program has replaced by a link would let the server out."""
        for tree in self.shape.trees:
            if real_path(tree.real) != tree.real:
                return f"`{tree.path}` leads elsewhere than when the guard started; start the guard again"
        return ""

    @property
    def short(self) -> str:
        """For the record: how it is contained, in a few words, without a path."""
        if self.mechanism is Mechanism.NONE:
            return "limits only"
        return f"contained by {self.mechanism}, network {'on' if self.shape.network else 'off'}"
