"""How else might somebody read this text: the paths that it spells, and the port that it addresses.

Pure: it looks at no file. Readers differ in what they trim, decode, expand or cut off, and a tool server may be any of
them. What one of them would take for a path is a spelling; `protection.py` then looks where it leads. A spelling too
many costs a few microseconds, one too few is a way around law 7.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

MAX_PATH = 4096
"""Characters. No file system takes more, but a server that normalises a path first makes a long one short."""

_INVISIBLE = "".join(map(chr, range(33)))
_UNQUOTED = str.maketrans("\\", "/", "\t\n\r")  # as the WHATWG URL standard reads a URL: these three vanish
_GAP = re.compile(r"\s")  # a text of several words is for a person or a model; `check` flags the tools that run one
_BETWEEN = re.compile(r"[=@:,;!?#&|<>()\[\]{}'\"`]+")
_OPTION = re.compile(r"-[A-Za-z]")
_MAX_NAMES = 32
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_MAX_SCHEMES = 4  # one before another: `view-source:http://...`
_PORT = re.compile(r":([0-9]+)")
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443, "ftp": 21}
_LOCAL = re.compile(r"\[?[0-9a-fA-Fx.:]+\]?|[^.]+\.?|.*\.localhost\.?|.*\.local\.?")
"""Hosts that may well be this machine: an address, a name without a dot, a local name."""


def spellings(text: str) -> Iterator[str]:
    """`text` as the paths that some reader would take it for, without NUL; the plain reading comes first."""
    seen: set[str] = set()
    for read in _read(text):
        if read and read not in seen and "\0" not in read:
            seen.add(read)
            yield read


def _read(text: str) -> Iterator[str]:
    yield text
    if "\0" in text:  # where a C library stops
        text = text.partition("\0")[0]
        yield text
    bare = text.strip(_INVISIBLE)
    if bare != text:
        yield bare
    if len(bare) <= MAX_PATH:
        if "%" in bare:
            yield unquote(bare)
        if "$" in bare:
            yield os.path.expandvars(bare)
        if not _GAP.search(bare):
            yield from _parts(unquote(bare))
    if bare[:8].translate(_UNQUOTED)[:5].casefold() == "file:":
        yield from _of_file_url(bare.translate(_UNQUOTED)[5:])


def _parts(word: str) -> Iterator[str]:
    """The paths inside of one word: an option's value, another scheme's URL, a quoted name, one of a list."""
    if option := _OPTION.match(word):
        yield word[option.end() :]
    others = 0
    for part in _BETWEEN.split(word):
        others += "/" not in part  # those with a slash are counted against the steps of a call
        if part and part != word and ("/" in part or others <= _MAX_NAMES):
            yield part


def _of_file_url(rest: str) -> Iterator[str]:
    """The paths of `file:` and `rest`: with and without a host, cut or not at a query or a fragment, decoded or not."""
    for part in dict.fromkeys((rest, re.split(r"[?#]", rest, maxsplit=1)[0])):
        for form in dict.fromkeys((part, unquote(part))):
            path = form.lstrip("/")
            slashes = len(form) - len(path)
            yield f"/{path}"
            if slashes in (0, 2):
                yield path  # a reader that only takes `file:` or `file://` away
            if slashes == 2:
                yield "/" + path.partition("/")[2]


def may_address(text: str) -> bool:
    """Could `text` be an address with some port?"""
    return ":" in text or "%" in text or not text.isascii()


def addresses(text: str, port: int) -> bool:
    """Could `text` be a URL or a `host:port` with this port? The host doesn't count: any name can lead here."""
    if not may_address(text):
        return False
    cleaned = text[:MAX_PATH].translate(_UNQUOTED).strip(_INVISIBLE)
    if not cleaned.isascii():
        cleaned = unicodedata.normalize("NFKC", cleaned)  # full-width digits and colons
    bare = _authority(cleaned)
    if _has_port(bare, port) and not re.search(r"\s", bare):
        return True
    for _ in range(_MAX_SCHEMES):
        scheme = _SCHEME.match(cleaned)
        if scheme is None:
            break
        cleaned = cleaned[scheme.end() :]
        authority = _authority(cleaned)
        host = authority.rpartition("@")[2]
        default = _DEFAULT_PORTS.get(scheme[1].casefold())
        if _has_port(authority, port) or (default == port and _LOCAL.fullmatch(host) is not None):
            return True
    return False


def _authority(text: str) -> str:
    return unquote(re.split(r"[/?#]", text.lstrip("/"), maxsplit=1)[0])


def _has_port(authority: str, port: int) -> bool:
    # Some readers keep the lower 16 bits of a number that is too high.
    return any(len(digits) < 64 and int(digits) % 65536 == port for digits in _PORT.findall(authority))
