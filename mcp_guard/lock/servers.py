"""One server as it was when a person looked: how it is started, who it says it is, what it offers.

Core.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mcp_guard.lock.pins import Pin, PinKind

Pins = Mapping[tuple[PinKind, str], Pin]


class Strength(StrEnum):
    """How much a server's identity proves, weakest first."""

    NOTHING = "nothing"  # a command of which nobody can tell what it starts
    NAME = "name"  # a package without a version: tomorrow it may be another one
    ADDRESS = "address"  # whoever answers at a URL
    VERSION = "version"  # one version of a package: as good as the registry that it comes from
    CONTENT = "content"  # a digest of the very program, though not of what it loads


@dataclass(frozen=True, slots=True)
class Identity:
    """What a server's command or URL says that it is: `npm:@scope/name@1.2.3`, or `server.py sha256:...`."""

    strength: Strength
    of: str


@dataclass(frozen=True, slots=True)
class ServerPin:
    """One server and all that it offers."""

    name: str  # as the documents call it
    command: tuple[str, ...] = ()  # without secrets, or
    url: str = ""  # without its query
    identity: Identity = field(default_factory=lambda: Identity(Strength.NOTHING, ""))
    says: tuple[str, str] = ("", "")  # its own word: name and version. It proves nothing
    protocol: str = ""
    instructions: str = ""  # digest
    instructions_seen: tuple[str, ...] = ()
    pins: Pins = field(default_factory=dict)

    @property
    def by_command(self) -> tuple[tuple[str, ...], str]:
        return self.command, self.url


@dataclass(frozen=True, slots=True)
class Lock:
    """All of `guard.lock`."""

    servers: Mapping[str, ServerPin] = field(default_factory=dict)
    file: str = ""

    def pins(self, server: str, kind: PinKind, name: str) -> bool:
        """Is this thing one that a person has looked at?"""
        found = self.servers.get(server)
        return found is not None and (kind, name) in found.pins
