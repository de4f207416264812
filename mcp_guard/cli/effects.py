"""Where a tool's effect classes come from, for `check` and `explain`: the operator, the catalogue, or nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp_guard.catalog import Tool
from mcp_guard.catalogue import Known, find, identify
from mcp_guard.guard import Guard
from mcp_guard.model import Call, Described, EffectClass, Facts
from mcp_guard.policy.document import Authority
from mcp_guard.policy.matching import effect_classes
from mcp_guard.server_spec import ServerSpec

OPERATOR, CATALOGUE, NOBODY = "operator", "catalogue", "unknown"


@dataclass(frozen=True, slots=True)
class Origin:
    """The classes that a tool is judged by, who says so, and the details."""

    classes: frozenset[EffectClass]
    source: str  # OPERATOR, CATALOGUE or NOBODY
    why: str  # NOBODY: why not the catalogue; CATALOGUE: which entry, and what it was judged at

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {"classes": _ordered(self.classes), "from": self.source, "why": self.why}

    @property
    def words(self) -> str:
        """`read, egress (catalogue: fetch 2026.10.24)`."""
        classes = "every class" if self.source == NOBODY else ", ".join(_ordered(self.classes))
        said = {OPERATOR: "`tools:`", CATALOGUE: f"catalogue: {self.why}", NOBODY: self.why}[self.source]
        return f"{classes} ({said})"


def origin(guard: Guard, spec: ServerSpec, tool: Tool, facts: Facts) -> Origin:
    """Of a listed tool. The classes are those that the judge goes by, with what the server's annotations add."""
    call = Call("", "tools/call", tool.server, tool.name, {})
    classes = effect_classes(guard.authority.tools, call, facts)
    if call.name in guard.authority.tools:
        return Origin(classes, OPERATOR, "")
    known = guard.known(spec)
    if tool.described is not None and known is not None:
        return Origin(classes, CATALOGUE, _judged(known))
    return Origin(classes, NOBODY, known.why_not(tool.descriptor) if known is not None else _unknown(spec))


def offline_origin(authority: Authority, specs: Iterable[ServerSpec], call: Call, facts: Facts) -> Origin:
    """Of a tool whose server isn't asked: for the catalogue, taken to be described as it was judged."""
    classes = effect_classes(authority.tools, call, facts)
    if call.name in authority.tools:
        return Origin(classes, OPERATOR, "")
    spec = next((spec for spec in specs if spec.name == call.server), None)
    known = find(spec.command, spec.given) if spec is not None else None
    if known is not None and call.target in known.tools:
        return Origin(classes, CATALOGUE, f"{_judged(known)}; if its server still describes it so: see `check`")
    if spec is None:
        return Origin(classes, NOBODY, "no `tools:` entry says what it does, and no command says what its server is")
    return Origin(classes, NOBODY, f"`{known.server}` in the catalogue has no such tool" if known else _unknown(spec))


def assumed(specs: Iterable[ServerSpec]) -> dict[tuple[str, str], Described]:
    """What the catalogue says of all tools of these servers, as long as their descriptors are the ones judged."""
    found: dict[tuple[str, str], Described] = {}
    for spec in specs:
        known = find(spec.command, spec.given)
        tools: Mapping[str, Any] = known.tools if known is not None else {}
        found.update({(spec.name, name): tool.described for name, tool in tools.items()})
    return found


def grouped(origins: Mapping[str, Origin]) -> list[tuple[Origin, list[str]]]:
    """The tools that share classes and origin, those that nobody knows last."""
    groups: dict[Origin, list[str]] = {}
    for name, one in origins.items():
        groups.setdefault(one, []).append(name)
    return sorted(groups.items(), key=lambda group: (group[0].source == NOBODY, _ordered(group[0].classes)))


def _judged(known: Known) -> str:
    version = known.package.version
    if not known.other_version:
        return known.source
    runs = f"the command names {version}" if version else "the command pins no version"
    return f"{known.source}; {runs}"


def _unknown(spec: ServerSpec) -> str:
    package, why = identify(spec.command, spec.given)
    return f"{package.key} is not in the effects catalogue" if package is not None else why


def _ordered(classes: frozenset[EffectClass]) -> list[str]:
    return [one.value for one in EffectClass if one in classes]
