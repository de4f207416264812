"""What is known of a tool when the starter policy is written: from the effects catalogue, from a listing, or nothing.

Core. Says what a tool may do and which of its arguments choose a path; grants nothing (`policy_text.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_guard.model import EffectClass

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_PATHS = {"path", "dir", "directory", "folder", "file", "filename", "filepath", "root", "cwd", "workspace", "vault"}
_SEVERAL = {"paths", "dirs", "directories", "folders", "files", "filenames", "filepaths", "roots"}
_ENDS = {"source", "destination", "src", "dst"}
"""Where something is moved from and to: places only where they are part of a tool's judged authority."""
_ADDRESSES = {"uri", "url", "uris", "urls", "href", "link"}
_REPOSITORIES = {"repo", "repository"}


@dataclass(frozen=True, slots=True)
class ToolView:
    """One tool. `effects` is None for a tool that nobody judged, `why` says why; it counts as doing everything."""

    name: str
    effects: frozenset[EffectClass] | None = None
    why: str = ""
    authority: tuple[str, ...] = ()
    required: tuple[str, ...] | None = None  # None: its schema wasn't looked at
    optional: tuple[str, ...] = ()
    lists: frozenset[str] = frozenset()  # arguments that the schema has as lists

    @property
    def only_reads(self) -> bool:
        return self.effects is not None and self.effects <= {EffectClass.READ}

    @property
    def paths(self) -> tuple[str, ...]:
        """The arguments that choose a file or directory: by what was judged, and by their names in the schema."""
        names = dict.fromkeys((*self.authority, *(self.required or ()), *self.optional))
        return tuple(name for name in names if names_a_path(name) or (name in self.authority and _last(name) in _ENDS))

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those arguments of its authority that may name anything, a file among it."""
        return tuple(name for name in self.authority if _last(name) in _ADDRESSES)

    def is_list(self, argument: str) -> bool:
        """By the schema; without one, by the name."""
        return argument in self.lists if self.required is not None else _last(argument) in _SEVERAL


@dataclass(frozen=True, slots=True)
class ServerView:
    """One server: what it is, in words, and its tools as far as they are known."""

    name: str
    about: str
    tools: tuple[ToolView, ...] = ()


def view_of(descriptor: Mapping[str, Any], effects: frozenset[EffectClass] | None, authority: tuple[str, ...], why: str
            ) -> ToolView:  # fmt: skip
    """A tool as its server lists it."""
    schema = descriptor.get("inputSchema")
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    properties = properties if isinstance(properties, Mapping) else {}
    wanted = schema.get("required") if isinstance(schema, Mapping) else None
    required = tuple(str(name) for name in wanted) if isinstance(wanted, list) else ()
    return ToolView(
        name=str(descriptor.get("name")),
        effects=effects,
        why=why,
        authority=authority,
        required=required,
        optional=tuple(str(name) for name in properties if name not in required),
        lists=frozenset(
            str(name) for name, one in properties.items() if isinstance(one, Mapping) and one.get("type") == "array"
        ),
    )


def names_a_path(argument: str) -> bool:
    """`path`, `repo_path`, `filePath`, `directories`: does the name say that the value is a place in a file system?"""
    return _last(argument) in _PATHS | _SEVERAL


def names_a_repository(argument: str) -> bool:
    """`repo_path`: a directory whose settings may make its reader run commands."""
    words = [word.lower() for word in _WORDS.findall(argument)]
    return names_a_path(argument) and not _REPOSITORIES.isdisjoint(words)


def _last(argument: str) -> str:
    words = _WORDS.findall(argument)
    return words[-1].lower() if words else ""
