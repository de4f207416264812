"""What the scan finds in the corpus: recall by family, false positives among real servers' tools, with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from benchmarks.scan.corpus_files import Benign, Poisoned, benign, descriptor, poisoned
from mcp_guard.inspection.scan import Finding, Place, scan_descriptor, scan_result, scan_text, severe
from mcp_guard.inspection.scan.names import Named, near_names
from mcp_guard.inspection.scan.references import References
from mcp_guard.inspection.scan.texts import joined


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    count: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share."""
        if not self.of:
            return 0.0, 1.0
        z, p = 1.96, self.count / self.of
        middle = p + z * z / (2 * self.of)
        width = z * math.sqrt(p * (1 - p) / self.of + z * z / (4 * self.of * self.of))
        scale = 1 + z * z / self.of
        return max(0.0, (middle - width) / scale), min(1.0, (middle + width) / scale)

    def __str__(self) -> str:
        low, high = self.interval
        share = 100 * self.count / self.of if self.of else 0.0
        return f"{self.count}/{self.of} {share:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        return {"count": self.count, "of": self.of, "interval": list(self.interval)}


def findings_of(case: Poisoned) -> tuple[Finding, ...]:
    """What the scan finds in a poisoned case."""
    if case.place == "names":
        server, name, other, second = case.names
        return tuple(near_names([Named(server, name), Named(other, second)]).values())
    listed = descriptor(case)
    if listed is not None:
        return scan_descriptor(listed)
    if case.place == "text":
        return scan_result({"content": [{"type": "text", "text": case.text}]})
    return scan_text(case.text, Place.PROSE)


def recall(part: str, counts: Callable[[tuple[Finding, ...]], bool] = bool) -> dict[str, Share]:
    """By family, and of `all`: the cases in which something is found."""
    cases = [(case.family, counts(findings_of(case))) for case in poisoned(part)]
    families = sorted({family for family, _ in cases})
    shares = {name: _share(hit for family, hit in cases if family == name) for name in families}
    return {**shares, "all": _share(hit for _, hit in cases)}


def missed(part: str) -> list[str]:
    """The ids of cases in which nothing is found."""
    return [case.id for case in poisoned(part) if not findings_of(case)]


def false_positives(part: str, counts: Callable[[tuple[Finding, ...]], bool] = bool) -> Share:
    """Real servers' tools in which something is found."""
    return _share(counts(scan_descriptor(tool)) for server in _servers(part) for tool in server.tools)


def false_positives_elsewhere(part: str) -> Share:
    """Real servers' instructions and prompts in which something is found."""
    texts = [scan_text(server.instructions, Place.PROSE) for server in _servers(part) if server.instructions]
    return _share(bool(one) for one in [*texts, *(scan_descriptor(p) for s in _servers(part) for p in s.prompts)])


def false_positives_of_names() -> Share:
    """All real servers' tools beside each other: those whose name would be withheld as a trap."""
    tools = [Named(server.package, str(tool["name"])) for server in benign() for tool in server.tools]
    return Share(len(severe(near_names(tools).values())), len(tools))


def false_positives_of_references() -> Share:
    """All real servers beside each other: things of theirs whose text names another server's tool."""
    servers = list(benign())
    references = References(Named(server.package, str(tool["name"])) for server in servers for tool in server.tools)
    things = [(server.package, thing) for server in servers for thing in (*server.tools, *server.prompts)]
    things += [(server.package, {"instructions": server.instructions}) for server in servers if server.instructions]
    return _share(references.found("\n".join(joined(thing)), package) is not None for package, thing in things)


def is_withheld(findings: tuple[Finding, ...]) -> bool:
    """Would it be withheld, as the settings are by default?"""
    return bool(severe(findings))


def _servers(part: str) -> list[Benign]:
    return [server for server in benign() if server.part == part]


def _share(hits: Iterable[bool]) -> Share:
    listed = list(hits)
    return Share(sum(listed), len(listed))
