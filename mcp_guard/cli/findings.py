"""What `mcp-guard check` says of the scan's findings: which rule, where, what is done about it, and the way on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mcp_guard.downstream import Downstream
from mcp_guard.gateway import Gateway
from mcp_guard.inspection.scan import Finding, Severity
from mcp_guard.inspection.scan.settings import Act, looked_at
from mcp_guard.scans import INSTRUCTIONS, INTRODUCTION


@dataclass(frozen=True, slots=True)
class Scanned:
    """One finding in what a server says of itself."""

    name: str  # of the tool, or `(instructions)`
    finding: Finding
    act: Act
    key: str  # how a person says in guard.yaml that it is all right

    @property
    def colour(self) -> str:
        return "red" if self.finding.severity is Severity.SEVERE else "yellow"

    @property
    def words(self) -> str:
        """One line. The text itself isn't shown: it is where the attack would be, and `where` says how to find it."""
        done = {Act.WITHHOLD: "withheld", Act.MARK: "shown, and noted", Act.OFF: "shown"}[self.act]
        way_on = f"; if it is all right: inspect: {{looked_at: [{self.key!r}]}} in guard.yaml" if self._withheld else ""
        return f"{self.name}: {self.finding} ({self.finding.severity}): {self.finding.reason} {done}{way_on}"

    @property
    def _withheld(self) -> bool:
        return self.act is Act.WITHHOLD

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "name": self.name,
            "rule": self.finding.rule,
            "severity": self.finding.severity.value,
            "where": self.finding.where,
            "span": list(self.finding.span),
            "reason": self.finding.reason,
            "act": self.act.value,
            "key": self.key,
        }


def scanned(gateway: Gateway, server: Downstream) -> list[Scanned]:
    """Everything that the scan finds in a server's tools and instructions, withheld or not."""
    return [*_of_texts(gateway, server), *_of_names(gateway, server)]


def _of_texts(gateway: Gateway, server: Downstream) -> Iterator[Scanned]:
    scans = gateway.guard.scans
    for name, thing in _things(server):
        key = looked_at(server.name, name, thing)
        for finding in scans.findings(thing):
            yield Scanned(name, finding, scans.act_on(finding, server.name, name, thing), key)


def _of_names(gateway: Gateway, server: Downstream) -> Iterator[Scanned]:
    listings = [one.listing for one in gateway.session.servers if one.listing is not None]
    scans = gateway.guard.scans
    for named, finding in scans.near(listings).items():
        if named.server == server.name:
            descriptor = next(tool.descriptor for listing in listings for tool in listing.tools
                              if (tool.server, tool.name) == (named.server, named.name))  # fmt: skip
            key = looked_at(server.name, named.name, descriptor)
            yield Scanned(named.name, finding, scans.act_on(finding, server.name, named.name, descriptor), key)
    text = server.hello.get("instructions")
    if isinstance(text, str) and (said := scans.in_instructions(server.name, text)) is not None:
        key = looked_at(server.name, INSTRUCTIONS, text)
        yield Scanned(INSTRUCTIONS, said, scans.act_on(said, server.name, INSTRUCTIONS, text), key)


def _things(server: Downstream) -> Iterator[tuple[str, Mapping[str, Any] | str]]:
    if isinstance(text := server.hello.get("instructions"), str):
        yield INSTRUCTIONS, text
    if isinstance(info := server.hello.get("serverInfo"), dict):
        yield INTRODUCTION, info
    if server.listing is not None:
        for descriptor in server.listing.descriptors:
            name = descriptor.get("name")
            yield (name if isinstance(name, str) else "(no name)"), descriptor
