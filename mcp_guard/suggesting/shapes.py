"""Limits that fit the values of one argument, of a few named shapes, tightest first.

Core. A shape is the only way in which what was observed is generalised: a value that recurs is listed, a path stands
for its directory, an address for its host or domain, a number for a range in round steps, a text for its length. Each
is written beside what the document says already, never instead of what it doesn't replace.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from mcp_guard.suggesting import rounding

MOST_LISTED = 8  # different values
RECUR = 3  # calls for each different value, before it counts as one that recurs
ENOUGH = 5  # calls, before what they have in common may be listed
LONGEST = 200  # characters of a value that is listed
MOST_HOSTS = 20
_MAIL = re.compile(r"[^@\s]+@([A-Za-z0-9.-]+)")
_URL = ("https://", "http://")
_BOUNDS = ("min", "above", "max", "below")


@dataclass(frozen=True, slots=True)
class Shape:
    """A limit as a document writes it, and the name of what it generalises along."""

    limit: Any
    name: str


@dataclass(frozen=True, slots=True)
class Written:
    """How a document writes paths: its variables, and the directory that a present `under` means."""

    variables: Mapping[str, str]
    root_of: Callable[[Any], str]  # the directory of an `under` as it is written
    fits: Callable[[Any, Any], bool]  # is a value one of a listed value, as it is written?


def shapes(values: Sequence[Any], present: Any, written: Written) -> Iterator[Shape]:
    """Limits for these values (one for each call that gave it), where the document says `present` now."""
    if not values or not (present == "any" or isinstance(present, Mapping)):
        return  # a literal is as tight as can be
    base = {} if present == "any" else dict(present)
    if base.keys() & {"from", "not_from", "not_in", "matches", "fields", "some"}:
        return  # where values come from, or a pattern, is said closer than any shape can
    given = [one for one in values if one is not None]
    if present == "any" and len(given) < len(values):
        base["null"] = "ok"
    if not given:
        return
    if "in" in base:
        yield from _fewer(given, base, written)
        return
    yield from _listed(given, base)
    if all(isinstance(one, str) for one in given):
        yield from _texts(given, base, written)
    elif all(type(one) in (int, float) for one in given):
        yield from _range(given, base)
    elif all(isinstance(one, list) for one in given):
        yield from _lists(given, base, written)


def _fewer(given: Sequence[Any], base: dict[str, Any], written: Written) -> Iterator[Shape]:
    members = [one for one in base["in"] if any(written.fits(one, value) for value in given)]
    if len(members) < len(base["in"]):
        yield Shape({**base, "in": members}, "the listed values that were used")


def _listed(given: Sequence[Any], base: dict[str, Any]) -> Iterator[Shape]:
    different = list({(type(one), one): one for one in given if isinstance(one, str | int | float)}.values())
    enough = len(given) >= max(ENOUGH, RECUR * len(different))
    if not enough or len(different) > MOST_LISTED or not all(map(_can_be_listed, given)):
        return
    in_order = sorted(different, key=lambda one: (str(type(one)), one))
    yield Shape({**base, "in": [_literal(one) for one in in_order]}, "values that recur")


def _can_be_listed(value: Any) -> bool:
    if isinstance(value, str):
        return value.isprintable() and len(value) <= LONGEST
    return isinstance(value, bool | int | float)


def _texts(given: Sequence[str], base: dict[str, Any], written: Written) -> Iterator[Shape]:
    if "under" in base or (not base.keys() - {"null"} and all(one.startswith("/") for one in given)):
        yield from _directory(given, base, written)
    elif "host_in" in base or (not base.keys() - {"null"} and all(one.startswith(_URL) for one in given)):
        hosts = sorted({host for one in given if (host := _host(one))})
        if 0 < len(hosts) <= MOST_HOSTS:
            yield Shape({**base, "host_in": hosts}, "the hosts that were used")
    elif "domain_in" in base or (not base.keys() - {"null"} and all(_MAIL.fullmatch(one) for one in given)):
        domains = sorted({one.rpartition("@")[2].lower() for one in given})
        if len(domains) <= MOST_HOSTS:
            yield Shape({**base, "domain_in": domains}, "the domains that were used")
    elif not base.keys() - {"null", "max_length"}:
        longest = rounding.length(max(map(len, given)))
        if longest < base.get("max_length", longest + 1):
            yield Shape({**base, "max_length": longest}, "the longest text, rounded up")


def _directory(given: Sequence[str], base: dict[str, Any], written: Written) -> Iterator[Shape]:
    """The common directory; one that was named itself counts as one."""
    if not all(one.startswith("/") and posixpath.normpath(one) == one and one.isprintable() for one in given):
        return
    common = posixpath.commonpath(given)
    if len(set(given)) == 1 or common not in given:
        common = posixpath.commonpath([posixpath.dirname(one) for one in given])
    said = base.get("under")
    root = written.root_of(said) if said is not None else written.variables.get("project", "")
    text = _below(common, root, _root_text(said, root, written))
    if text is None and said is None and common.strip("/"):
        text = _dollars(common)
    if text is not None:
        yield Shape({"under": text, **{key: value for key, value in base.items() if key != "under"}}, "a directory")


def _root_text(said: Any, root: str, written: Written) -> str:
    """How a directory is written whose parts are named. From a variable, if it can be: a path below a variable has to
    lead below it, where one that is written out may be a link to anywhere, and so isn't proved narrower.
    """
    if said is not None and "$" in str(said):
        return str(said)
    return next((f"${name}" for name, value in written.variables.items() if value == root), str(said))


def _below(path: str, root: str, said: str) -> str | None:
    """`path` written from the directory that `said` stands for; None if it isn't below, or is the same."""
    if not root or not path.startswith(root.rstrip("/") + "/"):
        return None
    return f"{said.rstrip('/')}/{_dollars(path[len(root.rstrip('/')) + 1 :])}"


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if not host:
        return ""
    place = host if port is None else f"{host}:{port}"
    return place if parts.scheme == "https" else f"{parts.scheme}://{place}"


def _range(given: Sequence[Any], base: dict[str, Any]) -> Iterator[Shape]:
    if base.keys() - {*_BOUNDS, "null"}:
        return
    low = rounding.down(min(_exact(one) for one in given))
    high = rounding.up(max(_exact(one) for one in given))
    bounds = {key: value for key, value in base.items() if key in _BOUNDS}
    said_low = bounds.get("min", bounds.get("above"))
    said_high = bounds.get("max", bounds.get("below"))
    tight = dict(bounds)
    if said_low is None or low > _exact(said_low):
        tight.pop("above", None)
        tight["min"] = number(low)
    if said_high is None or high < _exact(said_high):
        tight.pop("below", None)
        tight["max"] = number(high)
    if tight != bounds:
        rest = {key: value for key, value in base.items() if key not in _BOUNDS}
        yield Shape({**rest, **tight}, "a range, rounded outwards")


def _lists(given: Sequence[list[Any]], base: dict[str, Any], written: Written) -> Iterator[Shape]:
    if base.keys() - {"each", "max_items", "null"}:
        return
    most = rounding.calls(max(map(len, given)))
    sized = {**base, "max_items": min(most, base.get("max_items", most))}
    if all(given):  # `each` wants one element at least
        inner = [one for each in given for one in each]
        for shape in shapes(inner, base.get("each", "any"), written):
            yield Shape({**sized, "each": shape.limit}, f"elements: {shape.name}")
    if sized != base:
        yield Shape(sized, "the longest list, rounded up")


def _exact(number: Any) -> Decimal:
    return Decimal(repr(number))


def number(exact: Decimal) -> int | float:
    """As a document writes it."""
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def _literal(value: Any) -> Any:
    return _dollars(value) if isinstance(value, str) else value


def _dollars(text: str) -> str:
    return text.replace("$", "$$")  # a `$` alone would be a variable
