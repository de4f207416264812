"""What the guard is told about one tool server before it is started or reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcp_guard.wire import keyed_digest

if TYPE_CHECKING:
    from mcp_guard.containment.cell import Cell
    from mcp_guard.containment.settings import Containment
    from mcp_guard.transports.http_link_remote import Remote


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """How to start or reach one server: a line of guard.yaml, or what stands behind `wrap … --`."""

    name: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] | None = None  # None: the guard's own environment (`wrap` is a drop-in)
    cwd: str | None = None
    timeout: float = 86400.0  # seconds for one call; by default the client's patience is what counts
    max_calls: int = 256  # requests of one client that may be at it at once; one more is refused
    given: tuple[str, ...] = ()  # the names of those variables that guard.yaml gives it beside the usual ones
    remote: Remote | None = None  # where it is reached by URL; then there is no command
    contain: Containment | None = None  # what of the machine it is to get, if that is bounded
    cell: Cell | None = None  # the same, bound to the documents and to this machine

    @property
    def shown(self) -> list[str]:
        """Its command, or its address without the query, which may hold a secret: for the person."""
        return list(self.command) if self.remote is None else [self.remote.url.partition("?")[0]]


def identity(spec: ServerSpec, key: bytes) -> str:
    """What first sight knows a server by: its name and a keyed digest of its command line or URL, which may hold
    secrets."""
    way: Any = list(spec.command) if spec.remote is None else {"url": spec.remote.url}
    return f"{spec.name}:{keyed_digest(key, way)[:32]}"
