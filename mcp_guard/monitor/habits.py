"""What of a call's arguments can be a habit: hosts and directories, as keyed digests, and how much it is. Core.

No value comes out of here (law 8): a digest says that it was the same host again, and not which one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MAX_LEAVES = 64
"""Texts of one call that are looked at; more than that are no list of places, but content."""
MAX_TEXT = 2048
"""Characters of a text that can be a URL or a path."""
MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Habits:
    """Of one call."""

    hosts: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    size: int = 0  # characters of all texts that were looked at, and one for anything else

    def told(self) -> dict[str, Any]:
        """As an entry keeps them."""
        found: dict[str, Any] = {"size": self.size}
        if self.hosts:
            found["hosts"] = list(self.hosts)
        if self.directories:
            found["directories"] = list(self.directories)
        return found


def habits_of(arguments: Mapping[str, Any], key: bytes) -> Habits:
    """Read them out of a call's arguments. `key` is the record's, 32 bytes."""
    hosts: dict[str, None] = {}
    directories: dict[str, None] = {}
    size = 0
    for text in _texts(arguments):
        size += len(text)
        if len(text) > MAX_TEXT:
            continue
        if text.startswith(("http://", "https://", "HTTP://", "HTTPS://")):
            hosts[_digest(key, _host(text))] = None
        elif text.startswith(("/", "~/", "./", "../", "file:/")):
            directories[_digest(key, _directory(text))] = None
    return Habits(tuple(hosts), tuple(directories), size)


def _texts(arguments: Mapping[str, Any]) -> Iterator[str]:
    stack: list[tuple[Any, int]] = [(arguments, 0)]
    seen = 0
    while stack and seen < MAX_LEAVES:
        value, depth = stack.pop()
        if type(value) is str:
            seen += 1
            yield value
        elif depth >= MAX_DEPTH:
            continue
        elif isinstance(value, Mapping):
            stack.extend((inner, depth + 1) for inner in list(value.values())[:MAX_LEAVES])
        elif isinstance(value, list):
            stack.extend((inner, depth + 1) for inner in value[:MAX_LEAVES])


def _host(url: str) -> str:
    """Where it leads as far as a habit goes: what stands between the slashes, without a user."""
    rest = url.partition("//")[2]
    for end in "/?#\\":
        rest = rest.partition(end)[0]
    return rest.rpartition("@")[2].casefold()


def _directory(path: str) -> str:
    """The first levels of the directory: every file of a deep tree would be a new one."""
    parts = path.rpartition("/")[0].split("/")
    return "/".join(parts[:6])


def _digest(key: bytes, text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=key, digest_size=8).hexdigest()
