"""Stand-ins for what is known at a moment, as far as constraints ask: where a path leads."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mcp_guard.model import Admitted, Described, EffectClass, Usage


@dataclass
class FakeFiles:
    """A file system of nothing but symbolic links, `cwd` its working directory; a path in `lost` can't be told."""

    links: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/srv/project"
    lost: frozenset[str] = frozenset()

    @property
    def now(self) -> datetime:
        return datetime(2026, 11, 20, tzinfo=UTC)

    def used(self, rule: str) -> Usage:
        return Usage()

    def added_effects(self, server: str, tool: str) -> frozenset[EffectClass]:
        return frozenset()

    def described(self, server: str, tool: str) -> Described | None:
        return None

    def known_at_first_sight(self, server: str, tool: str) -> bool:
        return True

    def labels(self) -> frozenset[str]:
        return frozenset()

    def admitted(self) -> Admitted:
        return Admitted()

    def resolve(self, path: str) -> str | None:
        if path in self.lost:
            return None
        real = posixpath.normpath(posixpath.join(self.cwd, path))
        for link, target in self.links.items():
            if real == link or real.startswith(link + "/"):
                return posixpath.normpath(target + real[len(link) :])
        return real


PLAIN = FakeFiles()
