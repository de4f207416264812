"""Does a call name the guard's own files or addresses? (law 7)

Edge: it looks at the file system, since a symbolic link can give a protected file any name. A text is tried as a path,
in every spelling that a server might read (`spellings.py`), from the guard's and the servers' directories, lexically
and resolved; and as a URL of a port that the guard, a console or another guard of its record listens on. What a shell
command or a program text does can't be covered that way; `check` flags such grants.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from mcp_guard.marks import without_long_marks
from mcp_guard.own_ports import listening
from mcp_guard.real_path import real_path
from mcp_guard.spellings import MAX_PATH, addresses, may_address, spellings

_MAX_STEPS = 50_000
"""Texts and path segments in one call: each costs a look at the file system, and the guard's loop waits for it."""
_MAX_ENTRIES = 10_000
_NO_NAME = "x" * (MAX_PATH + 1)
"""Stands for every name that is too long for a file: only the directory that it would be in counts."""
_PROC_LINK = re.compile(r"/+proc/+[^/]+/+(?:task/+[^/]+/+)?(cwd|root)(?=/|$)")

_SYSTEM = re.compile(r"/(?:proc|dev)(?=/)")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_ -]*[A-Za-z0-9_-])?")
"""No separator, escape, scheme, option or invisible character: nothing that `spellings` would read in another way."""


class Protection:
    """The guard's own files, directories, process and port.

    `paths` are files and directories; a directory covers what is below it. `bases` are the directories that a relative
    path may start from. `port` is the one that the guard listens on, if it does. The directories between a protected
    file and the nearest base (or the home directory) are protected by name: who may rename `policies/` could put
    another policy in its place. Where neither is above it, all are but the topmost. `others` are many more paths that
    are protected like `paths`, but for one: a second mount of such a file isn't found, to save a look at each. `state`
    is the directory where processes say on which ports they listen (`own_ports.py`).
    """

    def __init__(
        self,
        paths: Iterable[str],
        bases: Iterable[str],
        port: int | None = None,
        others: Iterable[str] = (),
        state: str | None = None,
    ) -> None:
        paths, bases, others = tuple(paths), tuple(bases), tuple(others)
        self._given = (paths, bases, others)
        own, linked = _both(paths), _both(others)
        resolved = [real for _, real in own]
        starts = [os.path.abspath(base) for base in bases]
        tops = {_fold(top) for base in (*starts, os.path.expanduser("~")) for top in (base, os.path.realpath(base))}
        process = f"/proc/{os.getpid()}"  # its memory and environment, where there is such a directory
        self._paths = frozenset(_fold(path) for path in (process, *(form for both in (*own, *linked) for form in both)))
        self._below = tuple(path.rstrip("/") + "/" for path in self._paths)
        self._longest = max(map(len, self._below))
        self._ways = frozenset(way for path in self._paths for way in _ways(path, tops))
        self._resolved = tuple(dict.fromkeys(resolved))
        self._linked = tuple(dict.fromkeys(real for _, real in linked))
        self._bases = tuple(dict.fromkeys(starts))
        self._names = {base: self._names_below(_fold(base)) for base in self._bases}
        # The directories that no link leads to, as they were then: a link may stand in the place of one later.
        found = [(base, _identity(base)) for base in self._bases if os.path.realpath(base) == base]
        self._found = [(base, identity) for base, identity in found if identity is not None]
        self._plain: list[str] | None = None
        self._look_at_bases()
        self._is_inside = any(self._own_path(f"{base}/{_NO_NAME}") for base in self._bases)
        self._port = port
        self._state = state

    def with_more(self, paths: Iterable[str], bases: Iterable[str]) -> Protection:
        """The same with further files and bases: where the documents are others by now. Links are followed anew."""
        old, starts, others = self._given
        own, places = dict.fromkeys([*old, *paths]), dict.fromkeys([*starts, *bases])
        return Protection(own, places, self._port, others, self._state)

    def listen_on(self, port: int) -> None:
        """The guard's own port, once it is known: no call may be sent to it."""
        self._port = port

    def named_by(self, value: object) -> bool:
        """Is one of the guard's own things named anywhere in `value`, at any depth? Too many texts count as yes."""
        left = _MAX_STEPS
        self._look_at_bases()
        stack = [value]
        ports: frozenset[int] | None = None
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                if _NAME.fullmatch(item):  # most texts: a word or a few; every reader takes it for one name or for none
                    left -= 1
                    if left < 0 or self._is_name_of_own(item):
                        return True
                    continue  # it has nothing that an address has
                left -= 1 + (item.count("/") if len(item) <= MAX_PATH else 0)
                if left < 0 or self._named(item):
                    return True
                if may_address(item):
                    ports = self._ports() if ports is None else ports  # read once a call, and only if it has to be
                    if ports is None or any(addresses(item, port) for port in ports):
                        return True
            elif isinstance(item, (dict, Mapping)):  # a dict is told sooner than any other mapping
                stack.extend(item.values())
                stack.extend(item)
            elif isinstance(item, list):
                stack.extend(item)
        return False

    def _look_at_bases(self) -> None:
        """Which bases are the very directories that they were? Only below these there are short ways to an answer."""
        plain = [base for base, found in self._found if _identity(base) == found]
        if plain != self._plain:
            self._plain = plain
            self._plain_starts = [base.rstrip("/") + "/" for base in plain]
            self._starts = [(base, base in plain, self._names[base]) for base in self._bases]

    def _named(self, text: str) -> bool:
        for form in spellings(text):
            if len(form) > MAX_PATH and "/" not in form:  # one name, and none that a file can have
                if self._is_inside:
                    return True
            elif any(self._own_path(path) for path in self._places(form)):
                return True
        return False

    def _ports(self) -> frozenset[int] | None:
        """Those that are listened on now, by this process or another; None if that can't be told (law 4)."""
        there = frozenset[int]() if self._state is None else listening(self._state)
        return there if there is None or self._port is None else there | {self._port}

    def _places(self, form: str) -> Iterator[str]:
        if form.startswith("~"):
            yield os.path.expanduser(form)
        if form.startswith("/"):
            yield form
        else:
            for base in self._bases:
                yield f"{base}/{form}"

    def _is_name_of_own(self, name: str) -> bool:
        """Is a name, from any of the bases, one of ours? Asked for every text of a call, so it is flat."""
        for base, is_plain, names in self._starts:
            path = f"{base}/{name}"
            # Nothing there, and no link above it: only its own name can be ours.
            if is_plain and not _is_there(path):
                if names is None or name.lower() in names:
                    return True
            elif self._own_path(path):
                return True
        return False

    def _names_below(self, folded: str) -> frozenset[str] | None:
        """The names directly below a directory that are ours; None for all of them."""
        if f"{folded}/".startswith(self._below):
            return None
        own = (path.rpartition("/") for path in self._paths | self._ways)
        return frozenset(name for above, _, name in own if above == folded.rstrip("/"))

    def _own_path(self, path: str) -> bool:
        lexical = _normal(path)
        if self._covers(lexical):
            return True
        # Some servers open a path as it is written and some its normal form; with a link in it, the two may differ.
        written = (lexical, path) if path != lexical else (lexical,)
        if path != lexical and _climbs_out_of_a_process(path):
            return True
        for form in written:
            link = _PROC_LINK.match(form)
            if link and any(self._own_path(place) for place in self._process_places(link[1], form[link.end() :])):
                return True
            if len(form) <= MAX_PATH and self._leads_to_own(form, form == lexical):
                return True
        return False

    def _process_places(self, link: str, rest: str) -> Iterator[str]:
        """`/proc/self/cwd` is the server's, wherever it looks from; what the guard's own leads to says nothing."""
        if link == "root":
            yield rest or "/"
        else:
            for base in self._bases:
                yield base + rest

    def _leads_to_own(self, path: str, is_normal: bool) -> bool:
        try:
            if is_normal and self._leads_nowhere(path):
                return False
            found = os.lstat(path)
        except ValueError:
            return True  # a name that this file system has no bytes for: unclear
        except OSError:
            return self._covers(real_path(path))  # nothing there (yet): follow the links above it
        real = real_path(path)
        if self._covers(real):
            return True
        if stat.S_ISLNK(found.st_mode):
            try:
                found = os.stat(path)
            except OSError:
                return False  # it dangles, and where it leads isn't ours
        return self._is_own(found)

    def _leads_nowhere(self, path: str) -> bool:
        """Is nothing there by the first name below a plain directory? Then there is no link on the way, and the path
        leads where it says: `realpath` follows what is there. Of most texts with a slash that are no path, it is so.
        """
        for start in self._plain_starts:
            if path.startswith(start):
                end = path.find("/", len(start))
                if not _is_there(path if end < 0 else path[:end]):
                    return True
        return False

    def _is_own(self, found: os.stat_result) -> bool:
        """Is it one of our files under another name: a hard link, a mount?"""
        identity = found.st_dev, found.st_ino
        if any(_identity(path) == identity for path in self._resolved):
            return True
        if found.st_nlink < 2 or not stat.S_ISREG(found.st_mode):
            return False
        if any(_identity(path) == identity for path in self._linked):
            return True
        entries = 0
        for directory in self._resolved:  # looked at now: files come, go and are replaced
            for above, _, names in os.walk(directory):
                entries += len(names)
                if entries > _MAX_ENTRIES or any(_identity(f"{above}/{name}") == identity for name in names):
                    return True
        return False

    def _covers(self, path: str) -> bool:
        # Of a long text only the beginning can be ours, and letters of ASCII stay as many when they are folded.
        folded = path[: self._longest + 1].lower() if path.isascii() else _fold(path)
        return folded in self._paths or folded in self._ways or folded.startswith(self._below)


def _is_there(path: str) -> bool:
    """Is there anything by this name, be it a link that leads nowhere? A third of the time of a failing `lstat`."""
    return os.access(path, os.F_OK, follow_symlinks=False) if _CAN_ASK else os.path.lexists(path)


_CAN_ASK = os.access in os.supports_follow_symlinks and os.access("/", os.F_OK, follow_symlinks=False)
"""Some C libraries on some kernels can't, and say no to everything: then it isn't asked."""


def _both(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Each path, absolute, and where it leads."""
    absolute = [os.path.abspath(os.path.expanduser(path)) for path in paths]
    return [(path, os.path.realpath(path)) for path in absolute]


def _fold(path: str) -> str:
    """Some file systems fold case or compose letters, and no tool needs the other spelling."""
    if path.isascii():
        return path.lower()
    path = without_long_marks(path)
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _normal(path: str) -> str:
    """`path` without `.`, `..` and doubled separators; POSIX would keep exactly two leading ones."""
    if path[:1] == "/" and path[-1] != "/" and "//" not in path and "/." not in path:
        return path  # most are normal; a dot may begin a name, too, which the next line tells apart
    return "/" + os.path.normpath(path).lstrip("/")


def _climbs_out_of_a_process(path: str) -> bool:
    """`/dev/fd/..`, `/proc/net/..`: links to whoever reads them, so that `..` is another directory to each reader."""
    return any(
        _normal(path[: system.end()]) in ("/proc", "/dev") and "/../" in f"{path[system.end() :]}/"
        for system in _SYSTEM.finditer(path)
    )


def _ways(path: str, tops: set[str]) -> list[str]:
    """The directories above `path` up to the nearest of `tops`; without one, up to the second from the root."""
    above: list[str] = []
    parent = path.rpartition("/")[0]
    while parent.count("/") > 1 or parent in tops:
        if parent in tops:
            return above
        above.append(parent)
        parent = parent.rpartition("/")[0]
    return above


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def local_resolve(path: str, base: str | None = None) -> str | None:
    """Where a path leads once symbolic links are followed, as far as it exists; None if that can't be told.

    A relative path starts from `base`, the directory of the server that will read it.
    """
    try:
        return real_path(path if base is None else os.path.join(base, path))
    except (OSError, ValueError):
        return None
