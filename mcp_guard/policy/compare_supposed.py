"""Facts that a comparison supposes: under which circumstances does the difference show?

Core. Invented, so that a witness can be judged; a witness says what had to be supposed.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from mcp_guard.model import EVERY_EFFECT, Admitted, Described, EffectClass, Usage

ANY_DAY = datetime(2026, 6, 3, 12, 0, tzinfo=UTC)  # a Wednesday


@dataclass(frozen=True, slots=True)
class Supposed:
    """A moment, symbolic links, used budgets, what a server says of its tools."""

    now: datetime = ANY_DAY
    usage: Mapping[str, Usage] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    classes: frozenset[EffectClass] = frozenset()
    catalogued: frozenset[EffectClass] = EVERY_EFFECT  # every one: the catalogue doesn't know the tool
    first_seen: bool = True
    cwd: str = "/work"
    exposed: frozenset[str] = frozenset()  # the labels of the session
    done: Admitted = field(default_factory=Admitted)  # what it has called

    def used(self, rule: str) -> Usage:
        return self.usage.get(rule, Usage())

    def resolve(self, path: str) -> str | None:
        """As `realpath`: the outermost link first, then once more, up to a bound."""
        full = _absolute(self.cwd, path)
        if not self.links:
            return full
        for _ in range(8):
            parts = full.split("/")
            heads = ("/".join(parts[:end]) for end in range(2, len(parts) + 1))
            link = next((head for head in heads if head in self.links), None)
            if link is None:
                return full
            full = _absolute("/", self.links[link] + full[len(link) :])
        return None

    def added_effects(self, server: str, tool: str) -> frozenset[EffectClass]:
        return self.classes

    def described(self, server: str, tool: str) -> Described | None:
        return None if self.catalogued == EVERY_EFFECT else Described(self.catalogued)

    def labels(self) -> frozenset[str]:
        return self.exposed

    def admitted(self) -> Admitted:
        return self.done

    def known_at_first_sight(self, server: str, tool: str) -> bool:
        return self.first_seen


@lru_cache(maxsize=4096)
def _absolute(cwd: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(cwd, path))


PLAIN = Supposed()
"""Nothing special: no links, nothing used, every tool known."""
