"""One data file of the catalogue: which packages it is about, and what each of the server's tools can do.

Core. An entry binds twice: the command has to name one of the packages, and the server has to list the very descriptor
that was judged (`descriptors.py`). A tool for which either isn't so is as unknown as one that nobody ever judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mcp_guard.catalogue.packages import Package, Registry
from mcp_guard.descriptors import descriptor_digest
from mcp_guard.model import Described, EffectClass

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class PackageForm(_Form):
    """One name under which the server is published."""

    registry: Registry
    name: Text
    versions: list[Text]  # at which its descriptors were judged; empty: the name is the same server's, not looked at
    programs: list[Text] = []  # what `uvx --from` and `npx --package` may name beside it


class ToolForm(_Form):
    """What one tool can do, and the descriptors for which that was judged."""

    effects: Annotated[list[EffectClass], Field(min_length=1)]
    authority: list[Text] = []
    gives: list[Literal["untrusted"]]
    digests: Annotated[list[Digest], Field(min_length=1)]


class ServerForm(_Form):
    """One file of `data/`."""

    server: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    packages: Annotated[list[PackageForm], Field(min_length=1)]
    checked: Annotated[str, StringConstraints(pattern=r"^20\d\d-[01]\d-[0-3]\d$")]
    obtained: Literal["listed", "read from source"]
    tools: Annotated[dict[Text, ToolForm], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class KnownTool:
    """What was judged of one tool."""

    described: Described
    digests: frozenset[str]


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
            return f"its description or schema is not the one judged ({self.source})"
        return ""

    def _tool(self, descriptor: Mapping[str, Any]) -> KnownTool | None:
        name = descriptor.get("name")
        return self.tools.get(name) if isinstance(name, str) else None

    def _bound(self, tool: KnownTool, descriptor: Mapping[str, Any]) -> bool:
        try:
            return descriptor_digest(descriptor) in tool.digests
        except Exception:  # what has no canonical bytes is nothing that was ever judged
            return False


def read_entry(data: bytes) -> ServerForm:
    """The form of one data file. Raises pydantic's ValidationError for whatever isn't exactly that."""
    return ServerForm.model_validate_json(data)


def known(form: ServerForm, package: Package) -> Known | None:
    """The entry for a package that a command names; None if it isn't about that, or not about that program of it."""
    for published in form.packages:
        if (published.registry, published.name) != (package.registry, package.name):
            continue
        if package.program is not None and package.program not in published.programs:
            return None
        tools = {name: _tool(tool) for name, tool in form.tools.items()}
        return Known(form.server, package, tuple(published.versions), form.checked, tools)
    return None


def _tool(form: ToolForm) -> KnownTool:
    described = Described(frozenset(form.effects), tuple(form.authority), tuple(form.gives))
    return KnownTool(described, frozenset(form.digests))
