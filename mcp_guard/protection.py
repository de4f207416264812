"""Does a call name the guard's own files or addresses? (law 7)

Edge: it looks at the file system, since a symbolic link can give a protected file any name. A text is tried as a path
(absolute, `~`, `file:`, relative to the guard's and the servers' directories), lexically and resolved, and as a URL of
the guard's own port. What a shell command or a program text does can't be covered that way; `check` flags such grants.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

MAX_PATH = 4096
_MAX_TEXTS = 100_000
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Protection:
    """The guard's own files, directories and port.

    `paths` are files and directories; a directory covers what is below it. `bases` are the directories that a relative
    path may start from. `port` is the one that the guard listens on, if it does. The directories between a protected
    file and the nearest base (or the home directory) are protected by name: who may rename `policies/` could put
    another policy in its place.
    """

    def __init__(self, paths: Iterable[str], bases: Iterable[str], port: int | None = None) -> None:
        own = [os.path.abspath(os.path.expanduser(path)) for path in paths]
        resolved = [os.path.realpath(path) for path in own]
        starts = [os.path.abspath(base) for base in bases]
        tops = {top.casefold() for base in (*starts, os.path.expanduser("~")) for top in (base, os.path.realpath(base))}
        self._paths = frozenset(path.casefold() for path in (*own, *resolved))
        self._ways = frozenset(way for path in self._paths for way in _ways(path, tops))
        self._identities = frozenset(filter(None, map(_identity, resolved)))
        self._bases = tuple(dict.fromkeys(starts))
        self._plain_bases = frozenset(base for base in starts if os.path.realpath(base) == base)
        self._port = port

    def listen_on(self, port: int) -> None:
        """The guard's own port, once it is known: no call may be sent to it."""
        self._port = port

    def named_by(self, value: object) -> bool:
        """Is one of the guard's own things named anywhere in `value`, at any depth? Too many texts count as yes."""
        left = _MAX_TEXTS
        stack = [value]
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                left -= 1
                if left < 0 or self._named(item):
                    return True
            elif isinstance(item, Mapping):
                stack.extend(item.values())
                stack.extend(item.keys())
            elif isinstance(item, list):
                stack.extend(item)
        return False

    def _named(self, text: str) -> bool:
        if not text or len(text) > MAX_PATH or "\n" in text:
            return False  # no file system takes it as a path
        scheme = _URL.match(text)
        if scheme and scheme[0].casefold() != "file://":
            return self._own_address(text)
        return any(self._own_path(candidate) for candidate in self._candidates(text))

    def _own_address(self, url: str) -> bool:
        if self._port is None:
            return False
        try:
            port = urlsplit(url).port
        except ValueError:
            return True  # a port that isn't one: unclear
        return port == self._port  # whatever the host: a name can lead to this machine

    def _candidates(self, text: str) -> Iterable[str]:
        for form in _spellings(text):
            if "\0" in form:
                continue
            if form.startswith("~"):
                yield os.path.expanduser(form)
            if os.path.isabs(form):
                yield form
            else:
                for base in self._bases:
                    yield os.path.join(base, form)

    def _own_path(self, path: str) -> bool:
        lexical = os.path.normpath(path)
        if self._covers(lexical):
            return True
        try:
            found = os.lstat(path)
        except (OSError, ValueError):
            # Nothing there (yet). Directly below a plain directory no link can lead elsewhere; else follow them.
            return os.path.dirname(lexical) not in self._plain_bases and self._covers(os.path.realpath(path))
        if (found.st_dev, found.st_ino) in self._identities:  # hard links
            return True
        return self._covers(os.path.realpath(path))

    def _covers(self, path: str) -> bool:
        folded = path.casefold()  # some file systems fold case, and no tool needs the other spelling
        if folded in self._ways:
            return True
        while True:
            if folded in self._paths:
                return True
            parent = os.path.dirname(folded)
            if parent == folded:
                return False
            folded = parent


def _ways(path: str, tops: set[str]) -> Iterable[str]:
    """The directories above `path`, up to the nearest of `tops`; none if there is no such directory above it."""
    above: list[str] = []
    parent = os.path.dirname(path)
    while parent != os.path.dirname(parent):
        if parent in tops:
            return above
        above.append(parent)
        parent = os.path.dirname(parent)
    return []


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _spellings(text: str) -> Iterable[str]:
    """The text as a path, and as a path inside a `file:` URL or percent-encoding."""
    yield text
    if text[:5].casefold() == "file:":
        rest = text[5:]
        if rest.startswith("//"):
            rest = rest[2:]
            rest = rest[rest.find("/") :] if "/" in rest else rest
        yield rest
        yield unquote(rest)
    elif "%" in text:
        yield unquote(text)


def local_resolve(path: str, base: str | None = None) -> str | None:
    """Where a path leads once symbolic links are followed, as far as it exists; None if that can't be told.

    A relative path starts from `base`, the directory of the server that will read it.
    """
    try:
        return os.path.realpath(path if base is None else os.path.join(base, path))
    except (OSError, ValueError):
        return None
