"""What the servers offer, under the names a client sees: exposed names, what is withheld, schemas that check arguments.

Core. Reads raw descriptors as `tools/list` gave them and never changes one; what a client may see of them is decided by
the judge (`policy.decide`), not here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

from mcp_guard.model import Described, EffectClass

SEPARATOR = "__"
SERVER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_PREFIXED = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What language-model interfaces accept as a tool's name; one outside it breaks a whole session of some clients."""
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,128}")
"""What the MCP specification asks of a name; used by `wrap`, which leaves names as they are."""

MAX_VISITS = 10_000
"""Subschemas that one value of the arguments may be checked against."""
_MAX_SCHEMA_DEPTH = 200
_MAX_OTHER_REFERENCES = 16
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")

Validator = Callable[[Any], str | None]
"""Why the server's own inputSchema refuses the arguments; None if it takes them."""

Describe = Callable[[Mapping[str, Any]], Described | None]
"""What is known of the tool with this descriptor, whoever knows it."""

Look = Callable[[str, Mapping[str, Any]], str]
"""Why no client may be shown this descriptor, by its server's name for it; empty if it may."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool of one server, as it was listed."""

    server: str
    name: str  # the server's own
    exposed: str  # the client's
    descriptor: Mapping[str, Any]
    check: Validator
    described: Described | None = None  # by the effects catalogue, for exactly this descriptor
    # what follows from the descriptor, since every call asks for it
    schema: Mapping[str, Any] = field(init=False, repr=False, compare=False)
    argument_names: Mapping[str, Any] = field(init=False, repr=False, compare=False)
    added_effects: frozenset[EffectClass] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        schema = self.descriptor.get("inputSchema")
        schema = schema if isinstance(schema, Mapping) else {}
        names = schema.get("properties")
        object.__setattr__(self, "schema", schema)
        object.__setattr__(self, "argument_names", names if isinstance(names, Mapping) else {})
        object.__setattr__(self, "added_effects", self._added_effects())

    def _added_effects(self) -> frozenset[EffectClass]:
        """Classes that the server's annotations admit to. They are its own claim, so they can only add."""
        annotations = self.descriptor.get("annotations")
        if not isinstance(annotations, Mapping):
            return frozenset()
        added = set()
        if annotations.get("destructiveHint") is True and annotations.get("readOnlyHint") is not True:
            added.add(EffectClass.DESTRUCTIVE)
        if annotations.get("readOnlyHint") is False:
            added.add(EffectClass.WRITE)
        if annotations.get("openWorldHint") is True:
            added.add(EffectClass.EGRESS)
        return frozenset(added)


FOUND = "found"


@dataclass(frozen=True, slots=True)
class Withheld:
    """A listed thing that no client sees, whatever is granted, and why."""

    server: str
    name: str
    why: str
    code: str = ""  # stable; of what has drifted: `lock.drift.Sort`, or `server`; of what the scan withholds: `found`


@dataclass(frozen=True, slots=True)
class Listing:
    """What one server offers. `frame` is the rest of its `tools/list` result (`_meta`, `ttlMs`, unknown members)."""

    tools: tuple[Tool, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    frame: Mapping[str, Any] = field(default_factory=dict)
    names: frozenset[str] = frozenset()  # every name listed, withheld ones too
    descriptors: tuple[Mapping[str, Any], ...] = ()  # as they were listed, withheld ones too: for `check`


def _undescribed(_: Mapping[str, Any]) -> Described | None:
    return None


def _unlooked(_: str, __: Mapping[str, Any]) -> str:
    return ""


def list_tools(
    server: str,
    descriptors: Iterable[Any],
    *,
    prefixed: bool,
    frame: Mapping[str, Any],
    describe: Describe = _undescribed,
    look: Look = _unlooked,
) -> Listing:
    """A server's descriptors as tools; what has no usable name or schema is withheld and the rest goes on."""
    descriptors = list(descriptors)
    folded = Counter(name.casefold() for name in map(_name, descriptors) if name)
    tools: list[Tool] = []
    withheld: list[Withheld] = []
    for descriptor in descriptors:
        name = _name(descriptor)
        exposed = f"{server}{SEPARATOR}{name}" if prefixed else name
        why = _why_withheld(name, exposed, folded, prefixed=prefixed)
        check, code = None, ""
        if not why:
            check, why = compile_schema(descriptor.get("inputSchema"))
            if not why and (why := look(name, descriptor)):
                code = FOUND
        if why or check is None:
            withheld.append(Withheld(server, name[:128] or "(no name)", why, code))
        else:
            tools.append(Tool(server, name, exposed, descriptor, check, describe(descriptor)))
    names = frozenset(name for name in map(_name, descriptors) if name)
    listed = tuple(descriptor for descriptor in descriptors if isinstance(descriptor, Mapping))
    return Listing(tuple(tools), tuple(withheld), frame, names, listed)


def _name(descriptor: Any) -> str:
    name = descriptor.get("name") if isinstance(descriptor, Mapping) else None
    return name if isinstance(name, str) else ""


def _why_withheld(name: str, exposed: str, folded: Mapping[str, int], *, prefixed: bool) -> str:
    if not name:
        return "it has no name"
    if folded[name.casefold()] > 1:
        return "its server lists that name twice (or once more in other case), so a call could mean either"
    if not (_PREFIXED if prefixed else _PLAIN).fullmatch(exposed):
        limit = 64 if prefixed else 128
        kind = "letters, digits, `_` and `-`" if prefixed else "letters, digits, `_`, `-` and `.`"
        return f"its name as the client would see it isn't 1 to {limit} of {kind}"
    return ""


def index(listings: Iterable[Listing]) -> tuple[dict[str, Tool], tuple[Withheld, ...]]:
    """Tools by the name that a client uses, and those whose name several servers share (`a` + `b__c`, `a__b` + `c`).

    A shared name means neither: which server a call reaches must not depend on an order.
    """
    seen: dict[str, list[Tool]] = {}
    for listing in listings:
        for tool in listing.tools:
            seen.setdefault(tool.exposed.casefold(), []).append(tool)
    unique = {tools[0].exposed: tools[0] for tools in seen.values() if len(tools) == 1}
    shared = tuple(
        Withheld(tool.server, tool.name, f"`{tool.exposed}` is what another server's tool would be called too")
        for tools in seen.values()
        if len(tools) > 1
        for tool in tools
    )
    return unique, shared


def _refuse_retrieval(uri: str) -> Any:
    raise ValueError(f"a schema may not refer to `{uri[:100]}`")  # a server must not make us fetch or read anything


def compile_schema(schema: Any) -> tuple[Validator | None, str]:
    """A validator for a server's inputSchema, or why there is none. References are never fetched."""
    if not isinstance(schema, Mapping):
        return None, "it has no inputSchema"
    if _visits(schema) > MAX_VISITS:
        return None, "its inputSchema repeats references so often that checking against it could take for ever"
    try:
        validator = jsonschema_rs.validator_for(
            dict(schema),
            retriever=_refuse_retrieval,
            pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=10_000),
        )
    except Exception as error:
        why = (str(error).splitlines() or [type(error).__name__])[0][:200]
        return None, f"its inputSchema can't be used: {why}"

    def misfit(arguments: Any) -> Any:
        return next(validator.iter_errors(arguments), None) if not validator.is_valid(arguments) else None

    def check(arguments: Any) -> str | None:
        try:
            error = misfit(arguments)
            if error is not None and (given := _without_nulls(arguments)) is not None and misfit(given) is None:
                return None
        except Exception:
            return "the arguments can't be checked against the tool's inputSchema"  # unclear means no
        return None if error is None else _in_words(error)

    return check, ""


def _without_nulls(arguments: Any) -> dict[str, Any] | None:
    """The arguments less those that are null; None if none is.

    Clients write null for an optional argument that they don't give, and servers take it so: it is sent as it is. What
    a rule says of the null isn't touched by this, and a required argument stays required.
    """
    if not isinstance(arguments, Mapping) or None not in arguments.values():
        return None
    return {name: value for name, value in arguments.items() if value is not None}


def _in_words(error: Any) -> str:
    """Where and which keyword of the schema says no; never a value, nor a name that only the caller chose (law 8)."""
    known = set(error.schema_path)
    place = ".".join(str(step) if isinstance(step, int) or step in known else "*" for step in error.instance_path)
    keyword = str(error.schema_path[-1]) if error.schema_path else "schema"
    return f"`{place or 'arguments'}` does not fit the tool's inputSchema (`{keyword}`)"


def _visits(root: Mapping[str, Any]) -> int:
    """How many subschemas one value could meet in place, at the worst place: 30 lines of schema can make it 2^30.

    Counts what `$ref` within the document and the logical keywords lead to. What refers in another way isn't followed;
    more than a few of those count as too many.
    """
    counts: dict[int, int] = {}
    others = 0

    def count(schema: Any, depth: int = 0) -> int:
        if not isinstance(schema, Mapping):
            return 1
        if id(schema) in counts:  # known, or met on the way to itself, where the validator stops too
            return counts[id(schema)]
        if depth > _MAX_SCHEMA_DEPTH:
            return MAX_VISITS + 1
        counts[id(schema)] = 1
        total = 1 + sum(count(inner, depth + 1) for inner in _in_place(schema))
        if isinstance(schema.get("$ref"), str):
            total += count(_pointed(root, schema["$ref"]), depth + 1)
        counts[id(schema)] = min(total, MAX_VISITS + 1)
        return counts[id(schema)]

    worst, stack = 0, [root]
    while stack:
        item: Any = stack.pop()
        if isinstance(item, Mapping):
            worst = max(worst, count(item))
            others += sum(1 for key in _REFERENCES if isinstance(item.get(key), str) and not _is_pointer(item[key]))
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return MAX_VISITS + 1 if others > _MAX_OTHER_REFERENCES else worst


def _in_place(schema: Mapping[str, Any]) -> Iterable[Any]:
    for key in ("allOf", "anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            yield from schema[key]
    yield from (schema[key] for key in ("not", "if", "then", "else") if key in schema)
    for key in ("dependentSchemas", "dependencies"):
        if isinstance(schema.get(key), Mapping):
            yield from schema[key].values()


def _is_pointer(reference: str) -> bool:
    return reference == "#" or reference.startswith("#/")


def _pointed(root: Any, reference: str) -> Any:
    if not _is_pointer(reference):
        return None
    found = root
    for step in reference.split("/")[1:]:
        step = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found
