"""The words of this package: a client, its configuration files, the tables of servers in them, and one server's entry.

Plain data. What the clients are stands in `known.py`; who reads the files is `loading.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Scope(StrEnum):
    """For whom a server is configured."""

    USER = "user"  # every project of this user
    PROJECT = "project"  # who works in the project, by a file that lies in it and is often committed
    LOCAL = "local"  # this user in one project, by a part of the user's own file


class Format(StrEnum):
    """How a file is written."""

    JSON = "json"
    JSONC = "jsonc"  # JSON with comments, and with trailing commas where the client takes them
    TOML = "toml"


@dataclass(frozen=True, slots=True)
class Table:
    """Where in a file a table of servers stands: the keys that lead to it; `*` is any key of that level.

    `new`: may be made where the file lacks it. A place that a client has given up is read and never made.
    """

    path: tuple[str, ...]
    scope: Scope
    new: bool = True


@dataclass(frozen=True, slots=True)
class FilePlace:
    """One configuration file of a client: for each platform the templates of its path, the first that applies counts.

    A template starts with `~` (home), `$project`, or a variable of the environment (`$APPDATA`), which makes it
    apply only where that variable is set; one `*` is any name of that level.
    """

    id: str
    scope: Scope
    where: Mapping[str, tuple[str, ...]]  # by platform: linux, darwin, win32
    tables: tuple[Table, ...]
    format: Format
    trailing_commas: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """The keys of an entry, as one client calls them; the first of several is the one to write."""

    type: str | None = None  # the key that says how a server is reached
    stdio: str | None = None  # its value for a command, if that is to be written
    url: tuple[str, ...] = ("url",)
    headers: tuple[str, ...] = ("headers",)
    cwd: str | None = None
    disabled: str | None = None  # true: the client doesn't start it
    enabled: str | None = None  # false: the client doesn't start it
    nested_command: bool = False  # `command` may be {path, args, env}
    others: tuple[str, ...] = ()  # further keys that the client documents; nothing here reads them


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """Tools of the client itself, which no guard sees, and the setting that closes them."""

    tools: str  # what they are called
    reach: str  # shell, files, web, other
    setting: str  # the text to write; empty: nothing closes them
    where: str  # the file that it goes into, or the page of the settings
    note: str
    source: str  # the documentation's address


@dataclass(frozen=True, slots=True)
class Client:
    """One MCP client."""

    id: str
    title: str
    places: tuple[FilePlace, ...]
    shape: Shape
    built_in: tuple[BuiltIn, ...]
    sources: tuple[str, ...]  # addresses of the documentation that the above was read from
    unsure: tuple[str, ...] = ()  # what the documentation doesn't say, in words


@dataclass(frozen=True, slots=True)
class Places:
    """Where to look: all that finding files knows of the machine."""

    home: Path
    project: Path | None
    platform: str  # as `sys.platform`
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file that is there. `within` is the directory that it may not lead out of, by whatever links."""

    client: Client
    place: FilePlace
    path: Path
    within: Path

    @property
    def format(self) -> Format:
        return self.place.format

    @property
    def scope(self) -> Scope:
        return self.place.scope


@dataclass(frozen=True, slots=True)
class Entry:
    """One server as the file has it.

    `members` is the whole entry as it was read; `others` is the part of it that no other field says.
    """

    name: str
    program: str | None
    args: tuple[str, ...]
    env: Mapping[str, str | None]
    cwd: str | None
    url: str | None
    headers: Mapping[str, str]
    disabled: bool
    others: Mapping[str, Any]
    members: Mapping[str, Any] = field(repr=False)
    place: tuple[int, int] = (1, 1)  # line and column of its name, from 1

    @property
    def command(self) -> tuple[str, ...] | None:
        """Program and arguments; None for a server that is reached by address, or that an extension brings."""
        return None if self.program is None else (self.program, *self.args)


@dataclass(frozen=True, slots=True)
class Section:
    """One table of servers. `present` is false where the file doesn't have it, and it could be made."""

    path: tuple[str, ...]
    scope: Scope
    entries: Mapping[str, Entry]
    present: bool
    place: tuple[int, int] = (1, 1)

    @property
    def project(self) -> str | None:
        """The project that a local table is about, as the file names it."""
        return self.path[1] if self.scope is Scope.LOCAL else None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file as it was read: its bytes, and what they say."""

    file: ConfigFile
    data: bytes = field(repr=False)
    sections: tuple[Section, ...]

    def section(self, path: tuple[str, ...]) -> Section:
        """The table at `path`; KeyError if the file neither has it nor could."""
        for section in self.sections:
            if section.path == path:
                return section
        raise KeyError(path)
