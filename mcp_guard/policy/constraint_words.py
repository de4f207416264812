"""A constraint as a short English phrase, and the clause that a value fails; the value itself is never quoted.

Core. The words are for people and models: they say limits as the document has them (variables expanded), no more.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import assert_never

from mcp_guard.model import Answer, Facts
from mcp_guard.policy.canonical import (
    Unclear,
    parse_mail_host,
    parse_url,
    why_not_absolute,
    why_not_canonical,
    why_not_relative,
    why_odd_host,
)
from mcp_guard.policy.constraint_check import compile_check
from mcp_guard.policy.constraint_kinds import (
    All,
    Anything,
    Constraint,
    DomainIn,
    Each,
    Fields,
    From,
    HostIn,
    Matches,
    MaxItems,
    MaxLength,
    NoneOf,
    NotFrom,
    NotName,
    OneOf,
    OrNull,
    Range,
    Some,
    Source,
    Under,
    Within,
    json_types,
)
from mcp_guard.policy.constraint_paths import FILE_URI, path_of_uri

MAX_LISTED = 12  # entries of a list that a phrase names; the schema names them all

_KINDS = {"boolean": "true or false", "number": "a number", "string": "text", "array": "a list", "object": "an object"}
_SOURCES = {
    "task": "the task",
    "policy": "what the policy lists",
    "trusted": "a trusted result",
    "untrusted": "an untrusted result",
}
_TEXT = "text whose addresses, URLs and accounts come "
_PLAIN = re.compile(r"[\w./@:+~-]+")


def words(constraint: Constraint) -> str:
    """What `constraint` permits: `at most 100`, `an absolute path under /srv, no segment like *.env`."""
    match constraint:
        case Anything():
            return "anything"
        case OneOf():
            values = constraint.values
            return f"exactly {_said(values[0])}" if len(values) == 1 else f"one of {_listed(values)}"
        case NoneOf(listed):
            return f"none of {_listed(listed.values)}" if len(listed.values) > 1 else f"not {_said(listed.values[0])}"
        case Range():
            return _range(constraint)
        case MaxLength(limit):
            return f"text of at most {limit} characters"
        case Matches(pattern):
            return f"text that `{pattern}` matches as a whole"
        case Under(root, uri):
            return f"a file URI under {FILE_URI}{root}" if uri else f"an absolute path under {root}"
        case Within():
            return "a relative path that stays within the working directory"
        case NotName(globs):
            return f"no segment like {_listed(globs, 'or', quoted=False)}"
        case DomainIn(domains):
            return f"one mail address or host at {_listed(domains, 'or', quoted=False)}"
        case HostIn(places):
            return f"a URL at {_listed(places, 'or', quoted=False)}"
        case Each(element):
            return f"at least one element, each {words(element)}"
        case Some(element):
            return f"a list in which some element is {words(element)}"
        case MaxItems(limit):
            return f"at most {limit} elements"
        case Fields(named):
            return "an object with exactly " + "; ".join(f"{_said(name)}: {words(part)}" for name, part in named)
        case All(parts):
            return ", ".join(words(part) for part in parts)
        case OrNull(other):
            return f"{words(other)}, or null"
        case From(sources, free):
            return f"{_TEXT if free else ''}from {source_words(sources)}"
        case NotFrom(From(sources, free)):
            return f"{_TEXT if free else ''}not from {source_words(sources)}"
        case _:
            assert_never(constraint)


def source_words(sources: Iterable[Source]) -> str:
    """`the task or from bank/list_payees (iban)`."""
    return " or from ".join(_source(source) for source in sources)


def _source(source: Source) -> str:
    if source.kind == "tool":
        return f"{source.tool} ({source.field})" if source.field else source.tool
    return _SOURCES[source.kind]


def failure(constraint: Constraint, value: object, facts: Facts) -> str | None:
    """Which clause `value` doesn't clearly satisfy, in words, or None if all do. Never quotes the value."""
    if compile_check(constraint)(value, facts) is Answer.YES:
        return None
    match constraint:
        case All(parts):
            return _first(failure(part, value, facts) for part in parts)
        case OrNull(other):
            return failure(other, value, facts)
        case Each(element) if isinstance(value, list) and value:
            return _first(_at(f"element {i}", failure(element, one, facts)) for i, one in enumerate(value, 1))
        case Fields(named) if isinstance(value, dict):
            if missing := [name for name, _ in named if name not in value]:
                return f"the field {_said(missing[0])} is missing"
            if len(value) > len(named):
                return "there is a field that is not listed"
            return _first(_at(f"field {_said(name)}", failure(part, value[name], facts)) for name, part in named)
        case Range() if _kind(value) == "number":
            return _first(_failed(part, value, facts) for part in _ends(constraint))
        case _:
            return _failed(constraint, value, facts)


def wants_absolute(constraint: Constraint) -> bool:
    """Does it want an absolute path (`under`)?"""
    if isinstance(constraint, All):
        return any(wants_absolute(part) for part in constraint.parts)
    if isinstance(constraint, OrNull):
        return wants_absolute(constraint.other)
    return isinstance(constraint, Under) and not constraint.uri


def _failed(constraint: Constraint, value: object, facts: Facts) -> str | None:
    answer = compile_check(constraint)(value, facts)
    if answer is Answer.YES:
        return None
    if answer is Answer.NO:
        return f"not satisfied: {words(constraint)}"
    return f"not clearly satisfied: {words(constraint)} (it {_why_unsure(constraint, value)})"


def _why_unsure(constraint: Constraint, value: object) -> str:
    kind = _kind(value)
    if kind not in json_types(constraint):
        return f"is {_KINDS.get(kind, kind)}"
    if isinstance(constraint, (From, NotFrom)):
        return "comes from nowhere that is known, or is written in a way that can be read as something else"
    reason: str | None = None
    if isinstance(value, str):
        match constraint:
            case Under(_, uri):
                path = path_of_uri(value) if uri else value
                reason = "is not a plain file URI" if path is None else why_not_absolute(path)
            case Within():
                reason = why_not_relative(value)
            case NotName():
                reason = why_not_canonical(value)
            case DomainIn():
                host = parse_mail_host(value)
                reason = host.why if isinstance(host, Unclear) else why_odd_host(host)
            case HostIn():
                origin = parse_url(value)
                reason = origin.why if isinstance(origin, Unclear) else why_odd_host(origin.host)
                reason = reason or "names a listed host in a way that is not listed"
        if reason is None and isinstance(constraint, (Under, Within, NotName)):
            reason = "leads elsewhere, or may, once links and letter case are looked at"
    return reason or "can be read in more than one way"


def _kind(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "no finite number"
    kinds = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


def _first(failures: Iterable[str | None]) -> str | None:
    return next((one for one in failures if one is not None), "can be read in more than one way")


def _at(place: str, failed: str | None) -> str | None:
    return None if failed is None else f"{place}: {failed}"


def _ends(constraint: Range) -> tuple[Range, ...]:
    low = Range(low=constraint.low, low_open=constraint.low_open)
    high = Range(high=constraint.high, high_open=constraint.high_open)
    return tuple(end for end in (low, high) if end != Range())


def _range(constraint: Range) -> str:
    said: list[str] = []
    if constraint.high is not None:
        said.append(f"{'less than' if constraint.high_open else 'at most'} {constraint.high}")
    if constraint.low is not None:
        said.append(f"{'more than' if constraint.low_open else 'at least'} {constraint.low}")
    return " and ".join(said)


def _listed(values: Iterable[object], last: str = "", *, quoted: bool = True) -> str:
    said = [_said(value) if quoted else str(value) for value in values]
    if len(said) > MAX_LISTED:
        return f"{', '.join(said[:MAX_LISTED])} and {len(said) - MAX_LISTED} more"
    if last and len(said) > 1:
        return f"{', '.join(said[:-1])} {last} {said[-1]}"
    return ", ".join(said)


def _said(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)
