"""How far one limit was used, told from the values of calls: the ends of a range, a directory, hosts, lengths.

Core.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from mcp_guard.policy.constraints import Constraint, DomainIn, Each, HostIn, MaxItems, MaxLength, Range, Under, words

MOST = 5  # hosts or domains that are named


def how_far(limit: Constraint, values: Sequence[Any]) -> str:
    """In words, beside what is allowed; empty where it was used as far as it goes, or nothing can be said."""
    match limit:
        case Range():
            return _range(limit, values)
        case Under():
            return _directory(limit, values)
        case HostIn():
            return _names(limit, {_host(one) for one in values}, len(limit.places), "hosts")
        case DomainIn():
            return _names(limit, {str(one).rpartition("@")[2].lower() for one in values}, len(limit.domains), "domains")
        case MaxLength():
            most = max((len(one) for one in values if isinstance(one, str)), default=limit.limit)
            return "" if most >= limit.limit else f"at most {most} of {limit.limit} characters used"
        case MaxItems():
            most = max((len(one) for one in values if isinstance(one, list)), default=limit.limit)
            return "" if most >= limit.limit else f"at most {most} of {limit.limit} elements used"
        case Each():
            return how_far(limit.element, [one for each in values if isinstance(each, list) for one in each])
        case _:
            return ""


def _range(limit: Range, values: Sequence[Any]) -> str:
    numbers = [one for one in values if type(one) in (int, float)]
    if not numbers or {min(numbers), max(numbers)} == {limit.low, limit.high}:
        return ""
    return f"used from {min(numbers)} to {max(numbers)}; allowed: {words(limit)}"


def _directory(limit: Under, values: Sequence[Any]) -> str:
    paths = [one for one in values if isinstance(one, str) and one.startswith("/")]
    if len(paths) < len(values) or not paths:
        return ""
    common = posixpath.commonpath([posixpath.dirname(one) for one in paths])
    return f"used below {common} alone" if common.startswith(limit.root.rstrip("/") + "/") else ""


def _names(limit: Constraint, used: set[str], allowed: int, what: str) -> str:
    used.discard("")
    if not used:
        return ""
    named = ", ".join(sorted(used)[:MOST])
    more = f" and {len(used) - MOST} more" if len(used) > MOST else ""
    return f"{what} used: {named}{more}; allowed: {words(limit)}" if allowed > 1 or _opens(limit) else ""


def _opens(limit: Constraint) -> bool:
    """Does one entry stand for many names?"""
    if isinstance(limit, HostIn):
        return any(one.domain.subdomains for one in limit.places)
    return isinstance(limit, DomainIn) and any(one.subdomains for one in limit.domains)


def _host(url: Any) -> str:
    try:
        return urlsplit(str(url)).hostname or ""
    except ValueError:
        return ""
