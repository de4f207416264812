"""What the tests of documents and decisions share: facts that stand still, calls in one line, documents from text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mcp_guard.model import Admitted, Call, Described, EffectClass, Kind, Usage
from mcp_guard.policy.document import Authority, Document, load_text

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)  # a Friday


@dataclass
class Still:
    """Facts that don't change: nothing used, no links, every tool known, it is noon."""

    now: datetime = NOON
    usage: Mapping[str, Usage] = field(default_factory=dict)
    added: Mapping[str, frozenset[EffectClass]] = field(default_factory=dict)
    new: frozenset[str] = frozenset()
    catalogued: Mapping[str, Described] = field(default_factory=dict)
    exposed: frozenset[str] = frozenset()
    done: Admitted = field(default_factory=Admitted)

    def used(self, rule: str) -> Usage:
        return self.usage.get(rule, Usage())

    def resolve(self, path: str) -> str | None:
        return path

    def added_effects(self, server: str, tool: str) -> frozenset[EffectClass]:
        return self.added.get(f"{server}/{tool}", frozenset())

    def described(self, server: str, tool: str) -> Described | None:
        return self.catalogued.get(f"{server}/{tool}")

    def known_at_first_sight(self, server: str, tool: str) -> bool:
        return f"{server}/{tool}" not in self.new

    def labels(self) -> frozenset[str]:
        return self.exposed

    def admitted(self) -> Admitted:
        return self.done


class Broken:
    """Facts of which none can be had."""

    @property
    def now(self) -> datetime:
        raise OSError("no clock")

    def used(self, rule: str) -> Usage:
        raise OSError("no record")

    def resolve(self, path: str) -> str | None:
        raise OSError("no disk")

    def added_effects(self, server: str, tool: str) -> frozenset[EffectClass]:
        raise OSError("no lock")

    def described(self, server: str, tool: str) -> Described | None:
        raise OSError("no lock")

    def known_at_first_sight(self, server: str, tool: str) -> bool:
        raise OSError("no lock")

    def labels(self) -> frozenset[str]:
        raise OSError("no record")

    def admitted(self) -> Admitted:
        raise OSError("no record")


def policy(text: str, **variables: str) -> Document:
    """A policy from YAML text without its `version`."""
    known = {"project": "/srv/project", **variables}
    return load_text(f"version: 1\n{text}".encode(), file="policy.yaml", kind="policy", variables=known, home="/home/u")


def mandate(text: str, expires: str = "2026-12-01T00:00:00Z") -> Document:
    """A mandate from YAML text without its head."""
    head = f"version: 1\ntask: a task\nexpires: {expires}\n"
    return load_text((head + text).encode(), file="mandate.yaml", kind="mandate", variables={}, home="/home/u")


def under(text: str) -> Authority:
    """The authority of one policy."""
    return Authority((policy(text),))


def call(name: str, /, principal: str = "local", **arguments: Any) -> Call:
    """A tool call."""
    server, _, target = name.partition("/")
    return Call(principal, "tools/call", server, target, {"name": target, "arguments": arguments})


def prompt(name: str, **arguments: str) -> Call:
    """A prompt request."""
    server, _, target = name.partition("/")
    return Call("local", "prompts/get", server, target, {"name": target, "arguments": arguments}, Kind.PROMPT)


def resource(server: str, uri: str) -> Call:
    """A resource read."""
    return Call("local", "resources/read", server, uri, {"uri": uri}, Kind.RESOURCE)
