"""Is this text read in one way only? Paths, hosts, mail addresses and URLs, split into parts or refused with a reason.

Core. Pure text: no file system, no DNS. What two readers could read differently is never repaired, it is `Unclear`:
the guard and the tool server are two readers. Reasons never quote the text, so that they may stand in a record.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

from mcp_guard.marks import without_long_marks


@dataclass(frozen=True, slots=True)
class Unclear:
    """The text could be read in more than one way, or isn't such a thing at all; `why` completes "it ..."."""

    why: str


class Origin(NamedTuple):
    """Where an http(s) URL leads. `host` is lower-case ASCII, an IPv6 address in its brackets."""

    scheme: str
    host: str
    port: int


DEFAULT_PORTS = {"https": 443, "http": 80}

_PERCENT = re.compile(r"%[0-9a-fA-F]{2}")
_SLASHES = re.compile("[\u2044\u2215\u2216\u29f5\u29f8\u29f9]")  # narrow character sets write these as `/`, `\`
_DOTS = re.compile(r"(?:^|/)[. ]+(?:/|\Z)")  # also `...` and `.. `, which some systems trim to `.` or `..`
# Characters that a reader may drop and that `str.isprintable` lets pass: joiners, fillers, variation selectors.
_IGNORABLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_ODD_SPACING = re.compile(r"\s+")

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")  # a last label like this is read as an IPv4 address
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_URL = re.compile(r"(https?)://([^/?#@%]+)(?:/.*)?", re.IGNORECASE | re.ASCII | re.DOTALL)  # ASCII: a long s is no s
# Narrower than RFC 5321 on purpose: `%` and `!` are routes, quotes and comments are read in several ways.
_LOCAL_PART = re.compile(r"[A-Za-z0-9_+'=~&#*][A-Za-z0-9_+'=~&#*-]*(?:\.[A-Za-z0-9_+'=~&#*-]+)*")

_NOT_ONE_URL = Unclear("is not one plain http or https URL")
_BAD_CHARACTERS = Unclear("has white space, control or non-ASCII characters, or a backslash")
_BAD_PORT = Unclear("has a port that is not a plain number from 1 to 65535")
_BAD_HOST = Unclear("has a host that is not plain ASCII labels without a trailing dot")
_BAD_ADDRESS = Unclear("has an IP address in an unusual spelling")
_BAD_MAIL = Unclear("is not one plain mail address or host")


def folded(text: str) -> str:
    """`text` as a reader sees it who ignores case and compatibility forms (NFKC, case-folded)."""
    if text.isascii():
        return text.lower()
    text = without_long_marks(text)
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def flattened(text: str) -> str:
    """`text` without invisible characters and compatibility forms, every run of white space one space; case kept."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()  # nearly every name and value: all of the below leaves it as it is
    if not text.isascii():
        text = _IGNORABLE.sub("", unicodedata.normalize("NFKC", without_long_marks(text)))
    text = _ODD_SPACING.sub(" ", text)
    if not text.isprintable():
        text = "".join(character for character in text if character.isprintable())
    return text.strip()


def loose(text: str) -> str:
    """What careless readers make of `text`: two texts with the same loose form may mean the same to a tool."""
    return folded(flattened(text))


def tidied(text: str) -> str:
    """The loose form once percent-encoding, backslashes, `.`, `..` and `//` are repaired, as a lenient server would."""
    return loose(posixpath.normpath(unquote(unquote(text)).replace("\\", "/")))


def why_not_canonical(text: str) -> str | None:
    """Why `text` isn't a canonical path, absolute or relative, or None if it is one; the text is never quoted.

    One trailing slash is canonical (many tools send `/srv/project/`); `~`, `.` and `..` segments, `//`, backslashes,
    percent-encoding, control, bidirectional and invisible characters, white space at an end and letters that NFKC
    would change (full-width, ligatures, decomposed) are not.
    """
    if not text:
        return "is empty"
    if not text.isprintable():
        return "has control, bidirectional, invisible or unassigned characters"
    if "\\" in text:
        return "has a backslash"
    if text[0] == "~":
        return "starts with `~`"
    if "//" in text:
        return "has an empty segment (`//`)"
    if text[0] == " " or text[-1] == " ":
        return "starts or ends with white space"
    if _DOTS.search(text):
        return "has a segment of dots (`.`, `..`)"
    if "%" in text and _PERCENT.search(text):
        return "has percent-encoded characters"
    if not text.isascii() and (_normal(text) != text or _IGNORABLE.search(text)):
        return "has letters that Unicode normalisation changes"
    if not text.isascii() and _SLASHES.search(text):
        return "has a character that looks like a slash or a backslash"
    return None


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", without_long_marks(text))


def why_not_absolute(text: str) -> str | None:
    """Why `text` isn't a canonical absolute path, or None if it is one."""
    return why_not_canonical(text) or (None if text[0] == "/" else "is not an absolute path")


def why_not_relative(text: str) -> str | None:
    """Why `text` isn't a canonical relative path that stays below where it starts, or None; `.` alone is one."""
    if text == ".":
        return None
    if reason := why_not_canonical(text):
        return reason
    if text[0] == "/":
        return "is not a relative path"
    if text[0] in "-$":  # an option of a command; a variable that a server would expand
        return "starts with `-` or `$`"
    if ":" in text.partition("/")[0]:  # `host:path` of rsync and git, a drive letter, a URL scheme
        return "has a colon in its first segment"
    return None


def is_inside(path: str, root: str) -> bool:
    """Is `path` lexically `root` or below it? Both canonical and absolute, `root` without a trailing slash."""
    return path == root or path.startswith(root + "/") or (root == "/" and path.startswith("/"))


def without_trailing_slash(path: str) -> str:
    """`path` without its one trailing slash; the root stays."""
    return path[:-1] if len(path) > 1 and path[-1] == "/" else path


def why_odd_host(host: str) -> str | None:
    """Why `host` must be listed to the letter to be trusted (IP address, IDNA), or None: a plain name."""
    if host[0] == "[" or _NUMERIC.fullmatch(host):
        return "is an IP address that is not listed"
    if "xn--" in host:
        return "has an internationalised name that is not listed"
    return None


def parse_host(text: str) -> str | Unclear:
    """One host in lower case: a name, a plain IPv4 address or an IPv6 address in brackets."""
    if not text.isascii():  # before any `lower`: the Kelvin sign lower-cases to an ASCII k
        return _BAD_HOST
    host = text.lower()
    if host.startswith("["):
        return host if _is_plain_ipv6(host) else _BAD_ADDRESS
    if len(host) > 253 or not _HOST.fullmatch(host):
        return _BAD_HOST
    if _NUMERIC.fullmatch(host) and not _is_plain_ipv4(host):
        return _BAD_ADDRESS
    return host


def _is_plain_ipv4(host: str) -> bool:
    try:
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return False


def _is_plain_ipv6(host: str) -> bool:
    try:
        address = ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        return False
    return host[-1] == "]" and address.ipv4_mapped is None and str(address) == host[1:-1]


def parse_authority(text: str, scheme: str) -> Origin | Unclear:
    """`host` or `host:port` as the place that it names under `scheme`; no userinfo, no percent-encoding."""
    name, colon, port = text, "", ""
    if text[-1:] != "]":
        name, colon, port = text.rpartition(":")
        if not colon:
            name = text
    host = parse_host(name)
    if isinstance(host, Unclear):
        return host
    if not colon:
        return Origin(scheme, host, DEFAULT_PORTS[scheme])
    if not _PORT.fullmatch(port) or int(port) > 65535:
        return _BAD_PORT
    return Origin(scheme, host, int(port))


def parse_url(text: str) -> Origin | Unclear:
    """Where the http(s) URL `text` leads, if every reader agrees on that.

    Refused: userinfo, backslashes, white space, control characters, a host that is percent-encoded or not ASCII, an
    IPv4 address in an odd notation, a trailing dot, and a `?` or `#` right after the host (readers split there in
    different places). The path isn't looked at.
    """
    if " " in text or "\\" in text or not text.isprintable():
        return _BAD_CHARACTERS
    match = _URL.fullmatch(text)
    if match is None:
        return _NOT_ONE_URL
    return parse_authority(match[2], match[1].lower())


def parse_mail_host(text: str) -> str | Unclear:
    """The host of exactly one bare mail address, or `text` itself if it is a bare host; lower case.

    Refused: display names, several `@`, quotes, comments, routes (`%`, `!`), trailing dots and anything not ASCII.
    """
    local, at, host = text.rpartition("@")
    if not at:
        return parse_host(text)
    if len(local) > 64 or not _LOCAL_PART.fullmatch(local):
        return _BAD_MAIL
    parsed = parse_host(host)
    if isinstance(parsed, str) and why_odd_host(parsed) and "xn--" not in parsed:
        return _BAD_ADDRESS
    return parsed
