"""A catalogue of one server that nobody publishes, for tests that need a descriptor to be the one that was judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mcp_guard.catalogue import Known, KnownTool, Registry, identify
from mcp_guard.catalogue.entries import LISTED, Entry, Published, known
from mcp_guard.descriptors import descriptor_digest
from mcp_guard.model import Described, EffectClass

COMMAND = ("npx", "-y", "@example/files@1.0.0", ".")
READ = frozenset({EffectClass.READ})


def entry(*descriptors: Mapping[str, Any], effects: frozenset[EffectClass] = READ) -> Entry:
    """A data file's content: each of these tools has these effects."""
    tools = {
        str(one["name"]): KnownTool(Described(effects, ("path",), ("untrusted",)), frozenset({descriptor_digest(one)}))
        for one in descriptors
    }
    packages = (Published(Registry.NPM, "@example/files", ("1.0.0",), ("example-files",)),)
    return Entry("example", "2026-11-21", LISTED, packages, tools)


class Catalogue:
    """Knows that one server."""

    def __init__(self, content: Entry) -> None:
        self.content = content

    def find(self, command: Sequence[str]) -> Known | None:
        package, _ = identify(command)
        return known(self.content, package) if package is not None else None
