"""The scan at work: each listed thing is looked at once, and what is found withholds it or is told.

Keeps findings by the digest of the whole thing, so that five conversations and a hundred listings cost one look.
Knows the settings, and neither clients nor servers; `listing` and `lifecycle` do what it says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import is_
from typing import Any

import orjson

from mcp_guard.aside import is_light
from mcp_guard.catalog import Listing, Tool, Withheld
from mcp_guard.inspection.scan import Finding, Place, rule_ids, scan_descriptor, scan_result, scan_text
from mcp_guard.inspection.scan.names import Named, near_names
from mcp_guard.inspection.scan.references import References
from mcp_guard.inspection.scan.scanning import MAX_RESULT, NOT_SCANNED
from mcp_guard.inspection.scan.settings import NOT_LOOKED_AT, Act, Inspect, key_of, looked_at
from mcp_guard.inspection.scan.texts import MAX_TEXTS, TooMuch, joined
from mcp_guard.inspection.walking import strings

MAX_KEPT = 20_000
"""Things whose findings are kept: two full listings."""
MAX_LINE = 8_000
"""Characters of a log message, a line of progress or a notice that are looked at: half a millisecond at most."""
MOST_NOTED = 8
INTRODUCTION = "(server)"
"""The same of what a server says that it is called."""
INSTRUCTIONS = "(instructions)"
"""The name under which a server's instructions are told of, and looked at."""


@dataclass(slots=True)
class Scans:
    """The scan of one guard process."""

    inspect: Inspect = field(default_factory=Inspect)
    _references: References | None = None  # by the names that were listed last, of several servers
    _near: tuple[tuple[Listing, ...], dict[Named, Finding]] = field(
        default_factory=lambda: ((), {})
    )  # of the listings that were asked about last
    _kept: dict[bytes, tuple[Finding, ...]] = field(default_factory=dict)

    def findings(self, thing: Mapping[str, Any] | str) -> tuple[Finding, ...]:
        """What a descriptor, or a server's instructions, have in them."""
        key = _kept_as(thing)
        if key not in self._kept:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[key] = scan_text(thing, Place.PROSE) if isinstance(thing, str) else scan_descriptor(thing)
        return self._kept[key]

    def why_withheld(self, server: str, name: str, thing: Mapping[str, Any] | str) -> str:
        """Why no client is shown this; empty if the scan doesn't mind. Unclear means no (law 4)."""
        if self._is_off:
            return ""
        try:
            found = self.inspect.those(self.findings(thing), Act.WITHHOLD)
        except Exception as error:
            return f"scan: it could not be looked at ({type(error).__name__})"
        if not found or looked_at(server, name, thing) in self.inspect.looked_at:
            return ""
        return f"scan: {found[0]}: {found[0].reason}"

    def marked(self, things: Iterable[tuple[str, Mapping[str, Any] | str]]) -> list[dict[str, Any]]:
        """What the record is told of things, by name, that are shown all the same: rules, no text."""
        if self._is_off:
            return []
        told = []
        for name, thing in things:
            found = [one for one in self.findings(thing) if self.inspect.act(one.severity) is not Act.OFF]
            if found:
                told.append({"name": name, "rules": list(rule_ids(found))})
        return told

    def alike(self, listings: Sequence[Listing]) -> tuple[Withheld, ...]:
        """Tools that are withheld since their names look like those of an earlier server's tools."""
        return tuple(
            Withheld(named.server, named.name, f"scan: {finding}: {finding.reason}")
            for named, finding in self.near(listings).items()
            if self.inspect.act(finding.severity) is Act.WITHHOLD and not self._is_looked_at(listings, named)
        )

    def near(self, listings: Sequence[Listing]) -> dict[Named, Finding]:
        """What is found only where several servers are beside each other, whatever is done about it: names that are
        nearly an earlier server's, and texts that name another server's tool.
        """
        if len(listings) < 2 or self._is_off:
            return {}
        before, found = self._near
        if len(before) == len(listings) and all(map(is_, before, listings)):
            return found
        named = [Named(tool.server, tool.name) for listing in listings for tool in listing.tools]
        self._references = references = References(named)
        found = near_names(named)
        for tool in (tool for listing in listings for tool in listing.tools):
            key = Named(tool.server, tool.name)
            if key not in found and (said := self._refers(references, tool)) is not None:
                found[key] = said
        self._near = tuple(listings), found
        return found

    def expect(self, tools: Callable[[], Iterable[Named]]) -> None:
        """Names by what was listed before: instructions come before this conversation's listings."""
        if self._references is None and not self._is_off:
            self._references = References(tools())

    def in_instructions(self, server: str, text: str) -> Finding | None:
        """Another server's tool that these instructions name, as far as those are known by now."""
        if self._is_off or self._references is None:
            return None
        return self._references.found(text[:MAX_RESULT], server, "its text")

    def act_on(self, finding: Finding, server: str, name: str, thing: Mapping[str, Any] | str) -> Act:
        """What is done about a finding in this very thing, which a person may have looked at."""
        act = self.inspect.act(finding.severity)
        seen = act is Act.WITHHOLD and looked_at(server, name, thing) in self.inspect.looked_at
        return Act.MARK if seen else act

    def _refers(self, references: References, tool: Tool) -> Finding | None:
        try:
            return references.found("\n".join(joined(tool.descriptor)), tool.server, "its text")
        except TooMuch:
            return None  # found by the scan of the thing itself

    def _is_looked_at(self, listings: Sequence[Listing], named: Named) -> bool:
        return bool(self.inspect.looked_at) and any(
            looked_at(tool.server, tool.name, tool.descriptor) in self.inspect.looked_at
            for listing in listings
            for tool in listing.tools
            if (tool.server, tool.name) == (named.server, named.name)
        )

    def in_answer(self, answer: Mapping[str, Any], server: str = "") -> tuple[str, ...]:
        """The rules that find something in what a server says (a result, an error, a question), and no text of it."""
        if self._is_off:
            return ()
        try:
            said = scan_result(answer)
            if server and self._references is not None:
                said = (*said, *self._named_in(answer, self._references, server))
            found = [one for one in said if self.inspect.act(one.severity) is not Act.OFF]
        except Exception as error:
            return (f"it could not be looked at ({type(error).__name__})",)
        return rule_ids(found)

    def _named_in(self, answer: Mapping[str, Any], references: References, server: str) -> Iterator[Finding]:
        """Another server's tool, if its text names one; of a text that is too long, its beginning is looked at."""
        text = "\n".join(islice(strings(answer), MAX_TEXTS))[:MAX_RESULT]
        if (found := references.found(text, server)) is not None:
            yield found

    def in_passing(self, told: Mapping[str, Any], server: str = "") -> tuple[str, ...]:
        """The same of one line of many, which is looked at where it comes: of a long one, only that it is."""
        return self.in_answer(told, server) if self._is_off or is_light(told, MAX_LINE) else (NOT_SCANNED.id,)

    @property
    def _is_off(self) -> bool:
        return self.inspect.severe is Act.OFF and self.inspect.minor is Act.OFF


def _kept_as(thing: Mapping[str, Any] | str) -> bytes:
    """A digest of all texts of a thing, in the server's own order: ten times as quick as the canonical one."""
    seen = thing if isinstance(thing, str) else {name: one for name, one in thing.items() if name not in NOT_LOOKED_AT}
    try:
        return hashlib.sha256(orjson.dumps(seen)).digest()
    except TypeError:  # numbers that it doesn't know, text that isn't Unicode
        return key_of(thing).encode()


def noted(rules: Collection[str]) -> str:
    """What the record notes of them; empty if there are none."""
    return f"scan: {', '.join(list(rules)[:MOST_NOTED])}" if rules else ""
