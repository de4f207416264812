"""One data file of the catalogue: which packages it is about, and what each of the server's tools can do.

Core. An entry binds twice: the command has to name one of the packages, and the server has to list the very descriptor
that was judged (`descriptors.py`). A tool for which either isn't so is as unknown as one that nobody ever judged.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mcp_guard.catalogue.packages import Package, Registry
from mcp_guard.descriptors import descriptor_digest
from mcp_guard.errors import InputError, Malformed
from mcp_guard.model import Described, EffectClass
from mcp_guard.wire import parse_arguments, serialize

LARGEST = 1 << 18
"""Bytes of a descriptor that is worth a digest: no judged one has half as many, and one of 16 MB would take seconds."""

LISTED, READ = "listed", "read from source"
_SERVER = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_DAY = re.compile(r"20[0-9][0-9]-[01][0-9]-[0-3][0-9]")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LABELS = frozenset({"untrusted"})


@dataclass(frozen=True, slots=True)
class Published:
    """One name under which the server is published."""

    registry: Registry
    name: str
    versions: tuple[str, ...]  # at which its descriptors were judged; none: by this name the server wasn't looked at
    programs: tuple[str, ...] = ()  # what `uvx --from` and `npx --package` may name beside it


@dataclass(frozen=True, slots=True)
class KnownTool:
    """What was judged of one tool."""

    described: Described
    digests: frozenset[str]
    varies: bool = False  # its descriptor says something of the machine or changes with each start: seldom bound


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of `data/`."""

    server: str
    checked: str  # the day
    obtained: str  # LISTED by the server itself, or READ in its source
    packages: tuple[Published, ...]
    tools: Mapping[str, KnownTool]


@dataclass(frozen=True, slots=True)
class Known:
    """A catalogued server that a command starts. Says what its tools can do, tool by tool, as they are listed."""

    server: str  # its id in the catalogue; says nothing of what a policy calls it
    package: Package  # as the command names it
    versions: tuple[str, ...]  # of this package, at which the descriptors were judged
    checked: str  # the day
    tools: Mapping[str, KnownTool]

    @property
    def source(self) -> str:
        """`filesystem 2026.8.31`: what `check` names as the origin of a tool's classes."""
        return f"{self.server} {', '.join(self.versions) or self.checked}"

    @property
    def other_version(self) -> bool:
        """May another version run than those judged? The descriptors are compared all the same."""
        return self.package.version not in self.versions

    def describe(self, descriptor: Mapping[str, Any]) -> Described | None:
        """What the tool with this descriptor can do; None if exactly this descriptor wasn't judged."""
        tool = self._tool(descriptor)
        return tool.described if tool is not None and self._bound(tool, descriptor) else None

    def why_not(self, descriptor: Mapping[str, Any]) -> str:
        """Why `describe` says nothing, in words; empty if it does."""
        tool = self._tool(descriptor)
        if tool is None:
            return f"`{self.server}` in the catalogue has no tool of this name"
        if not self._bound(tool, descriptor):
            seldom = "; it seldom is, as this server writes it anew at each start or place" if tool.varies else ""
            return f"its description or schema is not the one judged ({self.source}){seldom}"
        return ""

    def _tool(self, descriptor: Mapping[str, Any]) -> KnownTool | None:
        name = descriptor.get("name")
        return self.tools.get(name) if isinstance(name, str) else None

    def _bound(self, tool: KnownTool, descriptor: Mapping[str, Any]) -> bool:
        try:
            return len(serialize(descriptor)) <= LARGEST and descriptor_digest(descriptor) in tool.digests
        except Exception:  # what has no canonical bytes is nothing that was ever judged
            return False


def known(entry: Entry, package: Package) -> Known | None:
    """The entry for a package that a command names; None if it isn't about that, or not about that program of it."""
    for published in entry.packages:
        if (published.registry, published.name) != (package.registry, package.name):
            continue
        if package.program is not None and package.program not in published.programs:
            return None
        return Known(entry.server, package, published.versions, entry.checked, entry.tools)
    return None


def read_entry(data: bytes) -> Entry:
    """Read one data file. Raises `InputError` for what isn't exactly that. No pydantic: `wrap` waits for this."""
    try:
        value = parse_arguments(data.decode("utf-8"))
        _members(value, {"server", "checked", "obtained", "packages", "tools"})
        if value["obtained"] not in (LISTED, READ) or not value["packages"] or not value["tools"]:
            raise ValueError("`obtained`, `packages` or `tools`")
        packages = tuple(_published(one) for one in value["packages"])
        tools = {_text(name): _tool(one) for name, one in value["tools"].items()}
        server, checked = _text(value["server"], _SERVER), _text(value["checked"], _DAY)
        return Entry(server, checked, value["obtained"], packages, tools)
    except (Malformed, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"this is no entry of the effects catalogue: {error}") from None


def _published(value: Any) -> Published:
    _members(value, {"registry", "name", "versions"}, {"programs"})
    registry = Registry(value["registry"])
    return Published(registry, _text(value["name"]), _texts(value["versions"]), _texts(value.get("programs", [])))


def _tool(value: Any) -> KnownTool:
    _members(value, {"effects", "gives", "digests"}, {"authority", "varies"})
    effects, gives = _texts(value["effects"]), _texts(value["gives"])
    digests = frozenset(_texts(value["digests"], _DIGEST))
    if not effects or not digests or not set(gives) <= _LABELS:
        raise ValueError("`effects`, `gives` or `digests`")
    described = Described(frozenset(map(EffectClass, effects)), _texts(value.get("authority", [])), gives)
    if value.get("varies", True) is not True:
        raise ValueError("`varies`, which is true or absent")
    return KnownTool(described, digests, "varies" in value)


def _members(value: Any, needed: Collection[str], optional: Collection[str] = ()) -> None:
    if type(value) is not dict or not set(needed) <= value.keys() <= {*needed, *optional}:
        raise ValueError("its keys")


def _texts(value: Any, form: re.Pattern[str] | None = None) -> tuple[str, ...]:
    if type(value) is not list:
        raise ValueError("a list")
    texts = tuple(_text(one, form) for one in value)
    if len(set(texts)) != len(texts):
        raise ValueError("a list that says something twice")
    return texts


def _text(value: Any, form: re.Pattern[str] | None = None) -> str:
    if type(value) is not str or not 0 < len(value) <= 128 or (form is not None and not form.fullmatch(value)):
        raise ValueError(f"`{str(value)[:60]}`")
    return value
