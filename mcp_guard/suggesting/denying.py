"""What a reported call suggests to deny more widely: lines for a person to judge, never put in force by themselves.

The call itself is denied already, exactly. Wider than that, a report says only that something was wrong with it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from mcp_guard.suggesting.writing import flow

_MOST = 3  # lines for one reported call


def wider_denies(name: str, known: Mapping[str, Any], entry: str) -> list[str]:
    """Denies of one argument's directory, host or domain each, as a document writes them."""
    found = []
    for number, (argument, limit) in enumerate(_limits(known)):
        rule = {"id": f"like-{entry}-{number + 1}", "tool": name, "args": {argument: limit}}
        found.append(f"- {flow(rule)}")
    return found[:_MOST]


def _limits(known: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for argument, value in known.items():
        limit = _limit(value) if isinstance(value, str) and value.isprintable() else None
        if limit is not None:
            yield argument, limit


def _limit(value: str) -> Any:
    if value.startswith(("https://", "http://")):
        try:
            host = urlsplit(value).hostname
        except ValueError:
            return None
        return {"host_in": [host]} if host else None
    if value.startswith("/") and posixpath.normpath(value) == value and posixpath.dirname(value) != "/":
        return {"under": posixpath.dirname(value).replace("$", "$$")}
    name, at, domain = value.rpartition("@")
    if at and name and " " not in value and "." in domain:
        return {"domain_in": [domain.lower()]}
    return None
