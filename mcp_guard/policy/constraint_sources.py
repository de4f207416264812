"""Does a value come from one of these sources? Asked of the facts, unit by unit.

Core. YES only if the value is one whole unit that a named source has given (in a free text: every address in it). NO
only if it clearly comes from somewhere else that nobody else could have written. What is known of nowhere is UNSURE:
the model may have made it up, or put it together from what it has read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from mcp_guard.history.free_text import addresses_in
from mcp_guard.history.units import unit_of
from mcp_guard.model import Answer, Facts, Origin
from mcp_guard.policy.constraint_kinds import All, Constraint, Each, Fields, From, NotFrom, OrNull, Some, Source

YES, NO, UNSURE = Answer.YES, Answer.NO, Answer.UNSURE

_CLEAN = frozenset({"task", "policy", "trusted"})
FORGOTTEN = Origin("forgotten")
"""Something fell out of the history: whatever isn't known to come from a source may have been in what is gone."""


def check_from(constraint: From) -> Callable[[object, Facts], Answer]:
    """`from` as a function of a value and the facts."""
    sources = constraint.sources

    def whole(value: object, facts: Facts) -> Answer:
        unit = unit_of(value)
        return UNSURE if unit is None else comes_from(sources, facts.origins(unit))

    def free(value: object, facts: Facts) -> Answer:
        if type(value) is not str:
            return UNSURE
        found = addresses_in(value)
        if found is None:
            return UNSURE
        said = {comes_from(sources, facts.origins(unit)) for unit in found}
        return NO if NO in said else UNSURE if UNSURE in said else YES

    return free if constraint.free else whole


def comes_from(sources: Collection[Source], origins: Collection[Origin]) -> Answer:
    """What is said of one unit with these origins."""
    if any(is_meant(source, origin) for source in sources for origin in origins):
        return YES
    clean = any(origin.source in _CLEAN for origin in origins)
    return NO if clean and FORGOTTEN not in origins else UNSURE


def is_meant(source: Source, origin: Origin) -> bool:
    """Is this origin one of those that the item names?"""
    if source.kind == "tool":
        return source.tool == origin.tool and source.field == origin.field
    return source.kind == origin.source and not origin.field


def sources_in(constraint: Constraint) -> Iterator[tuple[Source, bool]]:
    """Every item of `from` and `not_from` in a constraint, with whether the text around it is free."""
    match constraint:
        case From(sources, free) | NotFrom(From(sources, free)):
            yield from ((source, free) for source in sources)
        case Each(element=inner) | Some(element=inner) | OrNull(other=inner):
            yield from sources_in(inner)
        case All(parts):
            for part in parts:
                yield from sources_in(part)
        case Fields(named):
            for _, part in named:
                yield from sources_in(part)
        case _:
            return
