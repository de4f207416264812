"""Can one JSON value satisfy several wishes at once? Proves that none can; otherwise nobody knows.

Core. Takes constraints apart, JSON type by JSON type; a value of another type than a constraint is about is unclear.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import assert_never

from mcp_guard.policy.compare_literals import Literal, Want
from mcp_guard.policy.compare_nested import no_list, no_object
from mcp_guard.policy.compare_numbers import fits_all, no_number
from mcp_guard.policy.compare_sources import no_source, without_sources
from mcp_guard.policy.compare_texts import no_text
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
    Under,
    Within,
    json_types,
)

MAX_BRANCHES = 400  # ways to satisfy the wishes that are looked at, of one type
_CROSSED = ({Want.YES, Want.NOT_YES}, {Want.YES, Want.NO}, {Want.NO, Want.NOT_NO})
_KINDS = ("other", "null", "boolean", "number", "string", "array", "object")


@lru_cache(maxsize=16384)
def impossible(literals: tuple[Literal, ...]) -> bool:
    """Proved: no value satisfies all of these, whatever the facts."""
    return _crossed(literals) or all(_no_value(kind, literals) for kind in _KINDS)


def _crossed(literals: Sequence[Literal]) -> bool:
    """One constraint is to give two answers."""
    wants: dict[Constraint, set[Want]] = {}
    for literal in literals:
        wants.setdefault(literal.constraint, set()).add(literal.want)
    return any(pair <= found for found in wants.values() for pair in _CROSSED)


def _impossible(literals: Sequence[Literal]) -> bool:
    return impossible(tuple(dict.fromkeys(literals)))


def _no_value(kind: str, literals: Sequence[Literal]) -> bool:
    return all(leaves is not None and _refuted(kind, leaves) for leaves in _branches(kind, literals, [MAX_BRANCHES]))


def _refuted(kind: str, leaves: Sequence[Literal]) -> bool:
    match kind:
        case "boolean":
            return not any(fits_all(value, leaves) for value in (True, False))
        case "number":
            return no_source(leaves) or no_number(without_sources(leaves))
        case "string":
            return no_source(leaves) or no_text(without_sources(leaves))
        case "array":
            return no_list(leaves, _impossible)
        case "object":
            return no_object(leaves, _impossible)
        case _:
            return False  # null, or no finite number: what is left is about other types, and satisfied


def _branches(kind: str, literals: Sequence[Literal], left: list[int]) -> Iterator[tuple[Literal, ...] | None]:
    """The ways in which a value of this type can satisfy all wishes, each as wishes about single constraints.

    None ends it where there are more than are `left`: dead ends count as well.
    """
    left[0] -= 1
    if left[0] < 0:
        yield None
        return
    todo, leaves, choices = list(literals), list[Literal](), list[Literal]()
    while todo:
        literal = todo.pop()
        constraint, want = literal.constraint, literal.want
        match constraint:
            case Anything():
                if want in (Want.NO, Want.NOT_YES):
                    return
            case OrNull(other):
                if kind == "null":
                    if want in (Want.NO, Want.NOT_YES):
                        return
                else:
                    todo.append(Literal(other, want))
            case NoneOf(listed):
                todo.append(Literal(listed, want.flipped))
            case NotFrom(of):
                todo.append(Literal(of, want.flipped))
            case All(parts):
                if want in (Want.YES, Want.NOT_NO):
                    todo.extend(Literal(part, want) for part in parts)
                else:
                    choices.append(literal)
            case OneOf() | Range() | MaxLength() | Matches() | Under() | Within() | NotName():
                if not _keep(kind, literal, leaves):
                    return
            case From() | DomainIn() | HostIn() | Each() | Some() | MaxItems() | Fields():
                if not _keep(kind, literal, leaves):
                    return
            case _:
                assert_never(constraint)
    if not choices:
        yield tuple(dict.fromkeys(leaves))
        return
    chosen = choices.pop()
    for part in chosen.constraint.parts if isinstance(chosen.constraint, All) else ():
        yield from _branches(kind, [*leaves, *choices, Literal(part, chosen.want)], left)
        if left[0] < 0:
            return


def _keep(kind: str, literal: Literal, leaves: list[Literal]) -> bool:
    """Keep a wish that is about this type. Of another type the answer is "can't say": False if that won't do."""
    if kind in json_types(literal.constraint):
        leaves.append(literal)
        return True
    return not literal.clear
