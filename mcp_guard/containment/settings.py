"""What guard.yaml asks for under `contain`, as `form.py` has read it. Knows no documents and no mechanism."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Files = Literal["grants", "any", "none"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a contained process may use, each limit the kernel's own. None: not limited by us."""

    memory: int | None = 4 * 10**9  # bytes that one process may write to
    cpu: int | None = None  # seconds of one process
    processes: int | None = None  # processes and threads of the whole server
    open_files: int | None = 4096  # of one process


@dataclass(frozen=True, slots=True)
class Containment:
    """How one server is to be contained. `read` and `write` are absolute, beside what `files` says."""

    files: Files = "grants"
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    network: bool = False
    bounds: Bounds = field(default_factory=Bounds)

    @property
    def bounds_only(self) -> bool:
        """Nothing of the machine is hidden, so that nothing but the limits has to be there."""
        return self.files == "any" and self.network
