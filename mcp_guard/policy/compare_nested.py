"""Can a list, or an object, satisfy these wishes? Proved through what their elements and fields would have to be.

Core. The question for one element is the question for any value again, passed in as `impossible`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from mcp_guard.policy.canonical import loose
from mcp_guard.policy.compare_literals import Literal, Want
from mcp_guard.policy.compare_numbers import fits_all
from mcp_guard.policy.constraint_kinds import Constraint, Each, Fields, MaxItems, Some

Impossible = Callable[[Sequence[Literal]], bool]

MAX_CHOICES = 64


def no_list(literals: Sequence[Literal], impossible: Impossible) -> bool:
    """Proved: no list satisfies all of these, which are about lists."""
    if fits_all([], literals):
        return False
    fewest, most = 1, None
    every: list[Literal] = []
    one_of: list[Literal] = []
    for literal in literals:
        constraint, want = literal.constraint, literal.want
        if isinstance(constraint, MaxItems):
            if want in (Want.YES, Want.NOT_NO):
                most = constraint.limit if most is None else min(most, constraint.limit)
            else:
                fewest = max(fewest, constraint.limit + 1)
        elif isinstance(constraint, (Each, Some)):
            for_all = (want in (Want.YES, Want.NOT_NO)) == isinstance(constraint, Each)
            (every if for_all else one_of).append(Literal(constraint.element, want))
    if most is not None and fewest > most:
        return True
    return any(impossible([*every, element]) for element in one_of) or (bool(every) and impossible(every))


def no_object(literals: Sequence[Literal], impossible: Impossible) -> bool:
    """Proved: no object satisfies all of these, which are about objects."""
    kept = [(one.constraint, one.want) for one in literals if isinstance(one.constraint, Fields)]
    if any(a == b and _never_both(want, other) for a, want in kept for b, other in kept):
        return True
    shape = next((fields for fields, want in kept if want is Want.YES), None)
    if shape is None:
        return False
    names = dict(shape.named)
    choices = [_choices(fields, want, names) for fields, want in kept]
    total = 1
    for ways in choices:
        total *= len(ways)
    if total > MAX_CHOICES:
        return False
    return all(_no_fields(way, impossible) for way in product(*choices))


def _never_both(want: Want, other: Want) -> bool:
    return (want, other) in {(Want.YES, Want.NOT_YES), (Want.YES, Want.NO), (Want.NO, Want.NOT_NO)}


Way = tuple[tuple[str, Literal], ...]


def _choices(fields: Fields, want: Want, names: dict[str, Constraint]) -> list[Way]:
    """The ways in which an object with exactly the fields `names` satisfies one wish, each as wishes for fields."""
    wanted = dict(fields.named)
    shared = [(name, Literal(part, want)) for name, part in fields.named if name in names]
    if want is Want.YES:
        return [tuple(shared)] if wanted.keys() == names.keys() else []
    if want is Want.NOT_YES:
        return [(one,) for one in shared] if wanted.keys() == names.keys() else [()]
    others = [name for name in names if name not in wanted]
    lookalikes = {loose(name) for name in wanted}
    if any(loose(name) in lookalikes for name in others):  # unclear: never a no
        return [] if want is Want.NO else [()]
    return [(one,) for one in shared] if want is Want.NO else [tuple(shared)]


def _no_fields(way: tuple[Way, ...], impossible: Impossible) -> bool:
    by_name: dict[str, list[Literal]] = {}
    for name, literal in (pair for wishes in way for pair in wishes):
        by_name.setdefault(name, []).append(literal)
    return any(impossible(literals) for literals in by_name.values())
