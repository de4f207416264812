"""What of an entry may be shown: values of variables and headers never, arguments and addresses without what is secret.

Unclear means hidden: a value that nobody knows to be harmless is masked. References (`${TOKEN}`, `${input:key}`) are
names, no secrets, and stay readable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from mcp_guard.clients.model import Entry, Shape

MASK = "****"

# `${NAME:-default}` is none: the default may be the secret. Nor is `$ecret`: a bare name counts in capitals with a `_`.
_REFERENCE = re.compile(
    r"(?:(?:Bearer|Basic|Token|token) )?"
    r"(?:\$\{[A-Za-z_][\w.]*(?::[A-Za-z_][\w.-]*)?\}|\$[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"
)
_SECRET_WORD = re.compile(
    r"token|secret|passw|pwd|passphrase|api-?_?key|apikey|access-?_?key|private|credential|auth|bearer|cookie|session"
    r"|header|dsn|connection|signature|(?:^|[-_.])(?:key|pass|pat|sid|H|user)$",
    re.IGNORECASE,
)
_FLAG = re.compile(r"(?P<dashes>--?)(?P<name>[A-Za-z][\w.-]*)(?:(?P<sign>[=:])(?P<value>.*))?", re.DOTALL)
_ASSIGNED = re.compile(r"(?P<name>[A-Za-z_][\w.-]*)=(?P<value>.*)", re.DOTALL)
_PREFIXES = re.compile(
    r"(?:sk|pk|rk)[-_]|gh[opsur]_|github_pat_|glpat-|xox[abeoprs]-|xapp-|AKIA|ASIA|AIza|ya29\.|eyJ|hf_|npm_|pypi-|dop_v1_"
    r"|lin_api_|ntn_|secret_|shpat_|SG\.|Bearer |Basic |-----BEGIN"
)
_LONG = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_+=~-]{20,}|[0-9a-fA-F]{24,}|[A-Za-z0-9+_=-]{40,}")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SHOWN_MEMBERS = frozenset({"type", "source", "cwd", "description"})


def masked(entry: Entry, shape: Shape) -> dict[str, Any]:
    """The entry's members as they may be shown, in their own order."""
    return masked_members(entry.members, shape)


def masked_members(members: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """`masked`, of members as they stand in a file; what has a type that no client takes is masked as a whole."""
    return {name: _member(name, value, shape) for name, value in members.items()}


def _member(name: str, value: Any, shape: Shape) -> Any:
    if name == "command" and isinstance(value, Mapping):  # Zed's older form
        return {inner: _member("command" if inner == "path" else inner, one, shape) for inner, one in value.items()}
    if name == "command" and isinstance(value, str):
        return masked_arguments([value])[0]
    if name == "args" and isinstance(value, list):
        return masked_arguments(value)
    if name in shape.url and isinstance(value, str):
        return masked_address(value)
    if name in _SHOWN_MEMBERS and isinstance(value, str):
        return masked_arguments([value])[0]
    return hidden(value)


def hidden(value: Any) -> Any:
    """The value with every text in it masked, references excepted; names, numbers and flags stay."""
    if isinstance(value, str):
        return value if not value or _REFERENCE.fullmatch(value) else MASK
    if isinstance(value, Mapping):
        return {name: hidden(one) for name, one in value.items()}
    if isinstance(value, list):
        return [hidden(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float) else MASK


def masked_arguments(args: Sequence[Any]) -> list[Any]:
    """A command's arguments: what follows a flag that names a secret, what looks like one, and secrets in addresses."""
    shown: list[Any] = []
    secret_next = False
    for arg in args:
        if not isinstance(arg, str):
            shown.append(hidden(arg))
            continue
        flag = _FLAG.fullmatch(arg)
        if secret_next and not (flag and flag["dashes"] == "--"):
            shown.append(_assigned(arg) or hidden(arg))
            secret_next = False
            continue
        names_secret = flag is not None and _SECRET_WORD.search(flag["name"]) is not None
        secret_next = names_secret and flag is not None and flag["value"] is None
        shown.append(_argument(arg, flag, names_secret))
    return shown


def _argument(arg: str, flag: re.Match[str] | None, names_secret: bool) -> str:
    if _REFERENCE.fullmatch(arg):
        return arg
    if flag is not None and flag["value"] is not None:
        value = hidden(flag["value"]) if names_secret else _argument(flag["value"], None, False)
        return f"{flag['dashes']}{flag['name']}{flag['sign']}{value}"
    if flag is not None:
        return MASK if _looks_secret(flag["name"]) else arg
    if _ADDRESS.match(arg):
        return masked_address(arg)
    return _assigned(arg) or (MASK if _looks_secret(arg) else arg)


def _assigned(arg: str) -> str:
    """`NAME=****`; empty if `arg` is no assignment. A variable's value is masked whatever its name is."""
    found = _ASSIGNED.fullmatch(arg)
    return f"{found['name']}={hidden(found['value'])}" if found else ""


def _looks_secret(text: str) -> bool:
    if _PREFIXES.search(text) or re.search(r"(?i)(?:password|pwd|secret|token|key)=", text):
        return True
    return any(_LONG.fullmatch(part) for part in re.split(r"[/\\@:.,;\s]", text))


def masked_address(text: str) -> str:
    """An address without userinfo, values of its query, fragment, and parts of its path that look like a secret."""
    if _REFERENCE.fullmatch(text):
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        return MASK
    if not parts.scheme or not parts.netloc:
        return MASK
    host = parts.netloc.rpartition("@")
    netloc = f"{MASK}@{host[2]}" if host[1] else host[2]
    path = "/".join(MASK if _looks_secret(part) else part for part in parts.path.split("/"))
    query = "&".join(_queried(pair) for pair in parts.query.split("&")) if parts.query else ""
    return urlunsplit((parts.scheme, netloc, path, query, MASK if parts.fragment else ""))


def _queried(pair: str) -> str:
    name, sign, _ = pair.partition("=")
    return f"{name}={MASK}" if sign else MASK
