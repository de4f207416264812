"""A constraint as a document writes it, turned into the closed union or refused with the way out.

Core. Knows the data (dicts, lists, scalars) but neither YAML nor positions: an error carries the path to the offending
place. `$name` variables and `~` are expanded here, once, so that nothing later knows them.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from mcp_guard.policy.canonical import Unclear, parse_authority, parse_host, why_odd_host
from mcp_guard.policy.constraint_kinds import (
    All,
    Anything,
    Constraint,
    ConstraintError,
    Domain,
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
    Number,
    OneOf,
    OrNull,
    Place,
    Range,
    Some,
    Source,
    Under,
    Within,
    exact,
    json_types,
)
from mcp_guard.policy.constraint_paths import FILE_URI
from mcp_guard.policy.constraint_pattern import why_not_glob, why_not_pattern
from mcp_guard.policy.constraint_variables import Path, Scope, absolute, expand, plain, start_of

_T = TypeVar("_T")

MAX_DEPTH = 40  # keys and positions from the argument down; deeper is a slip, and would cost the stack

_PLACE = re.compile(r"(?:(https?)://)?(\.?)(.+)")
_RANGE_KEYS = ("min", "above", "max", "below")
_SOURCES = ("task", "policy", "trusted", "untrusted")
_OTHER_WORDS = {  # what people write who know another language
    "enum": "in", "one_of": "in", "equals": "in", "eq": "in", "const": "in", "not": "not_in", "none_of": "not_in",
    "minimum": "min", "gte": "min", "ge": "min", "maximum": "max", "lte": "max", "le": "max", "gt": "above",
    "lt": "below", "exclusiveMinimum": "above", "exclusiveMaximum": "below", "maxLength": "max_length",
    "pattern": "matches", "regex": "matches", "like": "matches", "not_like": "not_name", "prefix": "under",
    "path": "under", "domain": "domain_in", "host": "host_in", "url": "host_in", "items": "each", "all": "each",
    "any_of": "some", "contains": "some", "properties": "fields", "maxItems": "max_items",
}  # fmt: skip
_SAID_OTHERWISE = {  # words whose nearest key means something else, or the opposite
    **dict.fromkeys(
        ("name", "ends_with", "suffix", "extension", "glob"),
        "`matches: '.*[.]md'` is a text that ends in .md, `not_name` the names that aren't meant",
    ),
    **{
        word: f"no limit says what isn't meant: a grant with `{key}` says what is, a deny with `{key}` what isn't"
        for word, key in (
            *(("not_under", "under"), ("outside", "under"), ("not_matches", "matches"), ("not_regex", "matches")),
            *(("not_domain_in", "domain_in"), ("not_host_in", "host_in")),
        )
    },
    **dict.fromkeys(("or", "anyOf", "oneOf"), "write a grant for each alternative"),
    **dict.fromkeys(("between", "range"), "write `min` and `max`"),
}


def parse_constraint(data: object, *, in_grant: bool, variables: Mapping[str, str], home: str) -> Constraint:
    """The constraint that `data` writes; raises ConstraintError with the path to the offending place inside `data`.

    Variables are expanded in literals, `in`, `not_in`, `under`, `domain_in` and `host_in`; in these `$$` is a dollar.
    `home` is what `~` means: an absolute path, used only if `~` is. `in_grant` refuses what only narrows a deny.
    """
    return _parse(data, Scope(in_grant, variables, home), ())


def _parse(data: object, scope: Scope, path: Path) -> Constraint:
    if len(path) > MAX_DEPTH:
        raise ConstraintError("the constraint is nested too deeply", path, "flatten it")
    if isinstance(data, Mapping):
        return _mapping(data, scope, path)
    if data is None:
        raise ConstraintError("the constraint is empty", path, "write `any` to permit every value")
    if isinstance(data, (list, tuple)):
        limits = any(isinstance(one, Mapping) for one in data)
        hint = "write a grant for each alternative" if limits else "write `in: [...]` for one of several values"
        raise ConstraintError("a list is no constraint", path, hint)
    if data == "any":
        return Anything()
    return _one_of([data], scope, path, listed=False)


def _mapping(data: Mapping[object, object], scope: Scope, path: Path) -> Constraint:
    entries = {_key(key, path): value for key, value in data.items()}
    nullable = _null(entries.pop("null"), path) if "null" in entries else False
    free = _free(entries, path)
    if not entries:
        raise ConstraintError("the constraint says nothing", path, "write `any` to permit every value, null too")
    parts: list[Constraint] = []
    bounds = {key: value for key, value in entries.items() if key in _RANGE_KEYS}
    for key, value in entries.items():
        if key not in bounds:
            part = _PARSERS[key](value, scope, (*path, key))
            parts.append(_freed(part) if free else part)
        elif key == next(iter(bounds)):
            parts.append(_range(bounds, path))
    constraint: Constraint = parts[0] if len(parts) == 1 else All(tuple(parts))
    if not json_types(constraint):
        keys = ", ".join(f"`{key}`" for key in entries)
        said = f"no value satisfies {keys} together: they are about different types"
        raise ConstraintError(said, path, "keep those that are about the argument's own type")
    return OrNull(constraint) if nullable else constraint


def _key(key: object, path: Path) -> str:
    if key is None:  # an unquoted `null:` is null in YAML
        return "null"
    if not isinstance(key, str):
        raise ConstraintError(f"the key `{key}` of a constraint is not text", path, "put it in quotes")
    if key == "any":
        raise ConstraintError("`any` stands alone", (*path, key), "write `any` instead of the mapping")
    if key not in _PARSERS and key not in _RANGE_KEYS and key not in ("null", "text"):
        close = difflib.get_close_matches(key, [*_PARSERS, *_RANGE_KEYS, "null"], n=1)
        meant = _OTHER_WORDS.get(key) or (close[0] if close else "")
        said = f"did you mean `{meant}`?" if meant else f"known are {', '.join([*_PARSERS, *_RANGE_KEYS, 'null'])}"
        raise ConstraintError(f"unknown constraint `{key}`", (*path, key), _SAID_OTHERWISE.get(key, said))
    return key


def _free(entries: dict[str, object], path: Path) -> bool:
    """`text: free` beside `from` or `not_from`: the value is prose, and the addresses in it are judged."""
    if "text" not in entries:
        return False
    if entries.pop("text") != "free":
        raise ConstraintError("`text` takes only `free`", (*path, "text"), "leave it out where the value is one whole")
    if not {"from", "not_from"} & entries.keys():
        raise ConstraintError("`text: free` says nothing alone", (*path, "text"), "it stands beside `from`")
    return True


def _freed(constraint: Constraint) -> Constraint:
    match constraint:
        case From(sources):
            return From(sources, free=True)
        case NotFrom(From(sources)):
            return NotFrom(From(sources, free=True))
        case _:
            return constraint


def _null(value: object, path: Path) -> bool:
    if value != "ok":
        raise ConstraintError("`null` takes only `ok`", (*path, "null"), "leave it out to refuse null")
    return True


def _one_of(values: Sequence[object], scope: Scope, path: Path, *, listed: bool = True) -> OneOf:
    texts: list[str] = []
    numbers: list[Number] = []
    flags: list[bool] = []
    starts: list[tuple[str, str]] = []
    for index, value in enumerate(values):
        place = (*path, index) if listed else path
        if isinstance(value, bool):
            flags.append(value)
        elif isinstance(value, (int, float)):
            numbers.append(_number(value, place))
        elif isinstance(value, str):
            literals = _literal(value, scope, place)
            texts.extend(literals)
            if literals[0].startswith("/") and (start := start_of(value, scope, place)):
                starts.append((literals[0], start))
        elif value is None:
            raise ConstraintError("null is not a value to list", place, "add `null: ok` beside the other keys")
        else:
            raise ConstraintError("only text, numbers, true and false can be listed", place, "use `each` or `fields`")
    return OneOf(_unique(texts), _unique(numbers), _unique(flags), _unique(starts))


def _literal(text: str, scope: Scope, path: Path) -> tuple[str, ...]:
    """The texts that `text` stands for: itself, and under `~` the path that it means as well."""
    expanded = expand(text, scope, path)
    if expanded == "~" or expanded.startswith("~/"):
        return expanded, absolute(expanded, scope, path)
    if expanded != text and expanded.startswith("/"):
        return (absolute(expanded, scope, path),)
    return (expanded,)


def _in(value: object, scope: Scope, path: Path) -> OneOf:
    return _one_of(_list(value, path), scope, path)


def _not_in(value: object, scope: Scope, path: Path) -> NoneOf:
    return NoneOf(_in(value, scope, path))


def _range(bounds: Mapping[str, object], path: Path) -> Range:
    limits = {key: _number(value, (*path, key)) for key, value in bounds.items()}
    for pair in (("min", "above"), ("max", "below")):
        if pair[0] in limits and pair[1] in limits:
            raise ConstraintError(f"`{pair[0]}` and `{pair[1]}` both", (*path, pair[1]), "keep the one you mean")
    low, high = limits.get("min", limits.get("above")), limits.get("max", limits.get("below"))
    constraint = Range(low, high, low_open="above" in limits, high_open="below" in limits)
    if low is not None and high is not None:
        is_open = constraint.low_open or constraint.high_open
        if exact(low) > exact(high) or (exact(low) == exact(high) and is_open):
            raise ConstraintError(
                "no number satisfies these limits", path, "the lower one comes first: {min: 1, max: 5}"
            )
    return constraint


def _number(value: object, path: Path) -> Number:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConstraintError("this must be a number", path, "write it without quotes or unit")
    if isinstance(value, float) and not math.isfinite(value):
        raise ConstraintError("this must be a finite number", path, "leave the limit out to have none")
    return value


def _count(value: object, path: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConstraintError("this must be a whole number, zero or more", path, "write it without quotes or unit")
    return value


def _text(value: object, path: Path) -> str:
    if not isinstance(value, str):
        raise ConstraintError("this must be text", path, "put it in quotes")
    return value


def _list(value: object, path: Path) -> Sequence[object]:
    if not isinstance(value, (list, tuple)):
        raise ConstraintError("this must be a list", path, "write `[...]` around it")
    if not value:
        raise ConstraintError("the list is empty", path, "name at least one, or leave the key out")
    return value


def _unique(values: Sequence[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(values))


def _max_length(value: object, scope: Scope, path: Path) -> MaxLength:
    return MaxLength(_count(value, path))


def _max_items(value: object, scope: Scope, path: Path) -> MaxItems:
    return MaxItems(_count(value, path))


def _matches(value: object, scope: Scope, path: Path) -> Matches:
    pattern = _text(value, path)
    if reason := why_not_pattern(pattern):
        hint = "`in: [...]` lists texts, `not_name` names of files"
        if pattern.startswith("*"):
            hint = "it is a regular expression: '.*[.]md' is any text that ends in .md"
        raise ConstraintError(f"the pattern {reason}", path, hint)
    return Matches(pattern)


def _under(value: object, scope: Scope, path: Path) -> Under:
    if isinstance(value, (list, tuple)):
        raise ConstraintError("this must be one directory, as text", path, "write a grant for each directory")
    text = _text(value, path)
    uri = expand(text, scope, path).startswith(FILE_URI)
    plain_path = text.removeprefix(FILE_URI) if uri else text
    root = absolute(expand(plain_path, scope, path).removeprefix(FILE_URI), scope, path)
    return Under(root, uri, start_of(plain_path, scope, path))


def _within(value: object, scope: Scope, path: Path) -> Within:
    if value != ".":
        raise ConstraintError("`within` takes only `.`", path, "write `under: ...` for a directory of your choice")
    return Within()


def _not_name(value: object, scope: Scope, path: Path) -> NotName:
    globs: list[str] = []
    for index, entry in enumerate(_list(value, path)):
        place = (*path, index)
        glob = _text(entry, place)
        if reason := why_not_glob(glob):
            raise ConstraintError(f"the name pattern {reason}", place, 'write one name, such as ".git" or "*.env"')
        globs.append(plain(glob, place))
    return NotName(_unique(globs))


def _domain_in(value: object, scope: Scope, path: Path) -> DomainIn:
    entries = enumerate(_list(value, path))
    return DomainIn(_unique([_domain(_text(e, (*path, i)), scope, (*path, i)) for i, e in entries]))


def _domain(text: str, scope: Scope, path: Path) -> Domain:
    expanded = expand(text, scope, path)
    subdomains = expanded.startswith(".")
    host = parse_host(expanded[1:] if subdomains else expanded)
    if isinstance(host, Unclear):
        raise _bad_host(expanded, host, path)
    return _checked(Domain(host, subdomains), path)


def _host_in(value: object, scope: Scope, path: Path) -> HostIn:
    entries = enumerate(_list(value, path))
    return HostIn(_unique([_place(_text(e, (*path, i)), scope, (*path, i)) for i, e in entries]))


def _place(text: str, scope: Scope, path: Path) -> Place:
    expanded = expand(text, scope, path)
    match = _PLACE.fullmatch(expanded)
    if match is None:
        raise ConstraintError("this is no host", path, "write it as `example.com` or `.example.com`")
    origin = parse_authority(match[3], match[1] or "https")
    if isinstance(origin, Unclear):
        raise _bad_host(expanded, origin, path)
    return Place(_checked(Domain(origin.host, bool(match[2])), path), origin.scheme, origin.port)


def _checked(domain: Domain, path: Path) -> Domain:
    if domain.subdomains and why_odd_host(domain.host) is not None:
        raise ConstraintError("sub-domains need a plain name, no address and no `xn--`", path, "list each host")
    return domain


def _bad_host(text: str, unclear: Unclear, path: Path) -> ConstraintError:
    if "*" in text:
        hint = "write `.example.com` for every sub-domain"
    elif "@" in text:
        hint = "write the domain alone; `in` lists whole addresses"
    elif "/" in text:
        alone = _PLACE.fullmatch(text)
        host = alone[3].partition("/")[0] if alone is not None else ""
        named = "" if not host or isinstance(parse_host(host), Unclear) else f": `{host}`"
        hint = f"write the host alone, without a path{named}"
    else:
        hint = "write it as plain ASCII, such as `example.com` or `.example.com`"
    return ConstraintError(f"the host `{text}` {unclear.why}", path, hint)


def _each(value: object, scope: Scope, path: Path) -> Each:
    return Each(_parse(value, scope, path))


def _some(value: object, scope: Scope, path: Path) -> Some:
    if scope.in_grant:
        raise ConstraintError(
            "`some` can't stand in a grant: it would let the other elements be anything", path, "use `each`"
        )
    return Some(_parse(value, scope, path))


def _fields(value: object, scope: Scope, path: Path) -> Fields:
    if not isinstance(value, Mapping) or not value:
        raise ConstraintError("`fields` takes a mapping of field names to constraints", path, "write {name: any}")
    return Fields(tuple((_text(name, path), _parse(part, scope, (*path, str(name)))) for name, part in value.items()))


def _from(value: object, scope: Scope, path: Path) -> From:
    entries = enumerate(_list(value, path))
    return From(_unique([_source(entry, scope, (*path, index)) for index, entry in entries]))


def _not_from(value: object, scope: Scope, path: Path) -> NotFrom:
    return NotFrom(_from(value, scope, path))


def _source(entry: object, scope: Scope, path: Path) -> Source:
    if isinstance(entry, Mapping):
        if extra := sorted(str(key) for key in entry.keys() - {"tool", "field"}):
            raise ConstraintError(
                f"unknown key `{extra[0]}` of a source", path, "write {tool: server/tool, field: name}"
            )
        if "tool" not in entry:
            raise ConstraintError("the source names no tool", path, "write {tool: server/tool, field: name}")
        field = _text(entry["field"], (*path, "field")) if "field" in entry else ""
        if "field" in entry and not all(field.split(".")):
            raise ConstraintError("the field has no name", (*path, "field"), "write `iban`, or `payee.iban`")
        return Source("tool", _tool(_text(entry["tool"], (*path, "tool")), (*path, "tool")), field)
    text = _text(entry, path)
    return Source(text) if text in _SOURCES else Source("tool", _tool(text, path))


def _tool(text: str, path: Path) -> str:
    server, slash, tool = text.partition("/")
    if not (server and slash and tool) or "*" in text or not text.isprintable() or text != text.strip():
        close = difflib.get_close_matches(text, _SOURCES, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"write {', '.join(_SOURCES)} or one tool: `server/tool`"
        raise ConstraintError(f"`{text}` is no source", path, hint)
    return text


_PARSERS: dict[str, Callable[[object, Scope, Path], Constraint]] = {
    "in": _in,
    "not_in": _not_in,
    "max_length": _max_length,
    "matches": _matches,
    "under": _under,
    "within": _within,
    "not_name": _not_name,
    "domain_in": _domain_in,
    "host_in": _host_in,
    "each": _each,
    "some": _some,
    "fields": _fields,
    "max_items": _max_items,
    "from": _from,
    "not_from": _not_from,
}


def known_keys() -> set[str]:
    """The keys that a limit may have."""
    return {*_PARSERS, *_RANGE_KEYS, "null", "text"}
