"""The closed union of argument constraints: what each one holds, nothing of what it does.

Core. Each way of knowing a constraint (check, narrow, say in words) is one `match` over `Constraint` that ends in
`assert_never`, so a kind that is added here and forgotten there doesn't type-check.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias, assert_never

from mcp_guard.errors import InputError
from mcp_guard.policy.canonical import DEFAULT_PORTS

Number: TypeAlias = int | float


class ConstraintError(InputError):
    """A constraint in a document is wrong.

    `path` leads from the constraint's own data to the offending place (keys and list positions), so that the loader
    can say file, line and column; `hint` is the way out, empty if there is none.
    """

    def __init__(self, message: str, path: tuple[str | int, ...] = (), hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.message = message
        self.path = path
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Anything:
    """`any`: every value, null too."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """A bare scalar or `in`. Kept by JSON type, since Python holds `1 == True`."""

    texts: tuple[str, ...] = ()
    numbers: tuple[Number, ...] = ()
    flags: tuple[bool, ...] = ()
    starts: tuple[tuple[str, str], ...] = ()
    """Of texts that are paths below a variable's: the text, and the variable's path (see `Under.start`)."""

    @property
    def values(self) -> tuple[str | Number | bool, ...]:
        return (*self.texts, *self.numbers, *self.flags)


@dataclass(frozen=True, slots=True)
class NoneOf:
    """`not_in`: of the same JSON type as what is listed, and clearly none of it."""

    listed: OneOf


@dataclass(frozen=True, slots=True)
class Range:
    """`min`, `max`, `above`, `below`: a number; an open end leaves its limit out."""

    low: Number | None = None
    high: Number | None = None
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True, slots=True)
class MaxLength:
    """`max_length`: text of at most this many code points."""

    limit: int


@dataclass(frozen=True, slots=True)
class Matches:
    """`matches`: text that the pattern matches from its first to its last character."""

    pattern: str

    @property
    def anchored(self) -> str:
        return f"^(?:{self.pattern})$"


@dataclass(frozen=True, slots=True)
class Under:
    """`under`: a canonical absolute path that is `root` or below it, links followed."""

    root: str  # canonical, absolute, no trailing slash
    uri: bool = False  # the value is a `file:` URI
    start: str = ""
    """The path of the variable that `root` lies below; empty if a document wrote `root` itself.

    Who names a directory vouches for where it leads, but not for what lies in it: in a project from somewhere else,
    `$project/notes` may be a link to the keys of the person who unpacked it.
    """


@dataclass(frozen=True, slots=True)
class Within:
    """`within: .`: a canonical relative path that stays below the directory it starts from, links followed."""


@dataclass(frozen=True, slots=True)
class NotName:
    """`not_name`: a canonical path with no segment like one of these globs (`*`, `?`), letter case ignored."""

    globs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Domain:
    """One entry of `domain_in`. `subdomains`: written with a leading dot, the name itself is not meant."""

    host: str
    subdomains: bool = False

    def __str__(self) -> str:
        return f"{'.' if self.subdomains else ''}{self.host}"


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of `host_in`: a host under one scheme and one port."""

    domain: Domain
    scheme: str = "https"
    port: int = 443

    def __str__(self) -> str:
        scheme = "" if self.scheme == "https" else f"{self.scheme}://"
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{scheme}{self.domain}{port}"


@dataclass(frozen=True, slots=True)
class DomainIn:
    """`domain_in`: one mail address, or a bare host, at one of these."""

    domains: tuple[Domain, ...]


@dataclass(frozen=True, slots=True)
class HostIn:
    """`host_in`: an http(s) URL at one of these. Binds the first URL, not where the server is redirected."""

    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Each:
    """`each`: a list of at least one element, all of which satisfy `element`."""

    element: Constraint


@dataclass(frozen=True, slots=True)
class Some:
    """`some`: a list with an element that satisfies `element`; in asks and denies only."""

    element: Constraint


@dataclass(frozen=True, slots=True)
class MaxItems:
    """`max_items`: a list of at most this many elements."""

    limit: int


@dataclass(frozen=True, slots=True)
class Fields:
    """`fields`: an object with exactly these fields, each satisfying its constraint."""

    named: tuple[tuple[str, Constraint], ...]


@dataclass(frozen=True, slots=True)
class All:
    """Several keys in one mapping: every part holds."""

    parts: tuple[Constraint, ...]


@dataclass(frozen=True, slots=True)
class OrNull:
    """`null: ok` beside other keys."""

    other: Constraint


@dataclass(frozen=True, slots=True)
class Source:
    """One item of `from`: the task, the policy's literals, trusted or untrusted results, or one tool's (`field`)."""

    kind: str  # "task", "policy", "trusted", "untrusted", "tool"
    tool: str = ""  # `server/tool`
    field: str = ""  # `iban`, or with the fields around it `payee.iban`
    world: str = ""  # comparing only: what else decides what this means (the task's text, what tools give)


@dataclass(frozen=True, slots=True)
class From:
    """`from`: a text or a number that one of these has given as a whole. `free`: a text, for the addresses in it."""

    sources: tuple[Source, ...]
    free: bool = False


@dataclass(frozen=True, slots=True)
class NotFrom:
    """`not_from`: the opposite."""

    of: From


Constraint: TypeAlias = (
    Anything
    | OneOf
    | NoneOf
    | Range
    | MaxLength
    | Matches
    | Under
    | Within
    | NotName
    | DomainIn
    | HostIn
    | Each
    | Some
    | MaxItems
    | Fields
    | All
    | OrNull
    | From
    | NotFrom
)


def json_types(constraint: Constraint) -> frozenset[str]:
    """The JSON types (JSON Schema's names) that a value satisfying `constraint` can have."""
    match constraint:
        case Anything():
            return frozenset({"string", "number", "boolean", "array", "object", "null"})
        case OneOf() as listed:
            named = (("string", listed.texts), ("number", listed.numbers), ("boolean", listed.flags))
            return frozenset(name for name, values in named if values)
        case NoneOf(listed):
            return json_types(listed)
        case Range():
            return frozenset({"number"})
        case Each() | Some() | MaxItems():
            return frozenset({"array"})
        case Fields():
            return frozenset({"object"})
        case All(parts):
            return frozenset.intersection(*(json_types(part) for part in parts))
        case OrNull(other):
            return json_types(other) | {"null"}
        case MaxLength() | Matches() | Under() | Within() | NotName() | DomainIn() | HostIn():
            return frozenset({"string"})
        case From(free=free) | NotFrom(From(free=free)):
            return frozenset({"string"} if free else {"string", "number"})
        case _:
            assert_never(constraint)


def exact(value: Number) -> int | Decimal:
    """The number that the JSON text of `value` says: what is sent, not the binary fraction behind it. Finite only."""
    return Decimal(repr(value)) if isinstance(value, float) else value
