"""What of a call's arguments can be a habit: hosts and directories, as keyed digests, and how much it is. Core.

No value comes out of here (law 8): a digest says that it was the same host again, and not which one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

MAX_LEAVES = 64
"""Texts of one call that are looked at; more than that are no list of places, but content."""
MAX_TEXT = 2048
"""Characters of a text that can be a URL or a path."""
MAX_DEPTH = 8
_AUTHORITY = re.compile(r"[/?#\\]")
_URL = re.compile(r"\s*https?:[/\\]", re.IGNORECASE)  # as browsers read it, whichever way it is written
_PATH = re.compile(r"\s*(?:/|~|\.\.?/|file:/)", re.IGNORECASE)


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
        if not text or len(text) > MAX_TEXT or text[0] not in "hH/~.fF \t\r\n":
            continue
        if _URL.match(text):
            hosts[_digest(key, _host(text.strip()))] = None
        elif _PATH.match(text):
            directories[_digest(key, _directory(text.strip()))] = None
    return Habits(tuple(hosts), tuple(directories), size)


def _texts(arguments: Mapping[str, Any]) -> list[str]:
    """The texts in it, level by level, as far as they are looked at."""
    found: list[str] = []
    level: list[Any] = list(arguments.values())[:MAX_LEAVES]
    for _ in range(MAX_DEPTH):
        deeper: list[Any] = []
        for value in level:
            if type(value) is str:
                found.append(value)
            elif isinstance(value, list):
                deeper.extend(value[:MAX_LEAVES])
            elif isinstance(value, Mapping):
                deeper.extend(list(value.values())[:MAX_LEAVES])
        if not deeper or len(found) >= MAX_LEAVES:
            break
        level = deeper[:MAX_LEAVES]
    return found[:MAX_LEAVES]


def _host(url: str) -> str:
    """Where it leads as far as a habit goes: what stands between the slashes, without a user."""
    return _AUTHORITY.split(url.partition(":")[2].lstrip("/\\"), maxsplit=1)[0].rpartition("@")[2].casefold()


def _directory(path: str) -> str:
    """The first levels of the directory: every file of a deep tree would be a new one."""
    parts = path.rpartition("/")[0].split("/")
    return "/".join(parts[:6])


@lru_cache(maxsize=1024)
def _digest(key: bytes, text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=key, digest_size=8).hexdigest()
