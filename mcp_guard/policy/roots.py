"""The directories that a document's grants are about: what `under:` and listed paths name.

Where one of them leads is looked at once, when the documents are bound. A root that leads elsewhere later grants
nothing: who may rename or remove it could otherwise put a link in its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from mcp_guard.policy.constraints import (
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
)
from mcp_guard.policy.document import Document
from mcp_guard.policy.rules import Rule


def roots_of(document: Document) -> frozenset[str]:
    """Every path that a grant of `document` starts from, as it is written."""
    return frozenset(root for rule in document.rules if rule.is_grant for root in _of_rule(rule))


def _of_rule(rule: Rule) -> Iterator[str]:
    limits = [rule.uri] if rule.uri is not None else []
    if rule.arguments is not None:
        limits += [*rule.arguments.listed.values(), *rule.arguments.optional.values()]
    for limit in limits:
        yield from _of(limit.constraint)


def _of(constraint: Constraint) -> Iterator[str]:
    match constraint:
        case Under(root=root, start=start):
            yield root
            if start:
                yield start
        case OneOf(starts=starts):
            yield from (start for _, start in starts)
        case Each(element=inner) | Some(element=inner) | OrNull(other=inner):
            yield from _of(inner)
        case All(parts=parts):
            for part in parts:
                yield from _of(part)
        case Fields(named=named):
            for _, inner in named:
                yield from _of(inner)
        case Anything() | NoneOf() | Range() | MaxLength() | Matches() | Within() | NotName() | MaxItems():
            return
        case DomainIn() | HostIn() | From() | NotFrom():
            return
        case _:
            assert_never(constraint)
