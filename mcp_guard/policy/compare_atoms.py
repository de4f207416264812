"""The single wishes that a rule makes of a call and its circumstances, and which of them can't hold together.

Core. An atom belongs to one facet of a call (an argument, the principal, the time, ...), and only atoms of one facet
are compared with each other. Everything here proves that atoms exclude each other, or says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias, assert_never

from mcp_guard.policy.compare_literals import Literal
from mcp_guard.policy.compare_names import no_name, no_principal
from mcp_guard.policy.compare_past import Came, Carried, Exposed, Often, PastAtom, Unused, no_past
from mcp_guard.policy.compare_times import no_moment
from mcp_guard.policy.compare_values import impossible
from mcp_guard.policy.names import NamePattern
from mcp_guard.policy.times import Window


@dataclass(frozen=True, slots=True)
class Given:
    """The argument is given, and satisfies the wish if there is one."""

    name: str
    literal: Literal | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """The argument isn't given."""

    name: str


@dataclass(frozen=True, slots=True)
class Rest:
    """Some argument that no rule names is given, or none is; `like`: one that reads like this name."""

    given: bool
    like: str = ""


@dataclass(frozen=True, slots=True)
class Uri:
    """The resource satisfies the wish."""

    literal: Literal


@dataclass(frozen=True, slots=True)
class Who:
    """The principal fits one of the patterns, to the letter or loosely, or none."""

    patterns: tuple[str, ...]
    loosely: bool
    holds: bool


@dataclass(frozen=True, slots=True)
class Within:
    """The moment is in the weekly window, or isn't."""

    window: Window
    holds: bool


@dataclass(frozen=True, slots=True)
class Before:
    """It is before this moment, or before this much time has passed since the mandate was given; or it isn't."""

    end: datetime | timedelta
    holds: bool


@dataclass(frozen=True, slots=True)
class Room:
    """The budget that is counted under `key` has room for the call, or not. `more` is what isn't known here."""

    key: str
    calls: int | None
    sums: tuple[tuple[str, Decimal], ...]
    holds: bool
    more: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """The tool's name fits the pattern, to the letter or loosely, or doesn't."""

    pattern: NamePattern
    loosely: bool
    holds: bool


@dataclass(frozen=True, slots=True)
class Other:
    """What a rule says beyond what is known here holds, or doesn't."""

    content: str
    holds: bool


Atom: TypeAlias = Given | Missing | Rest | Uri | Who | Within | Before | Room | Named | Other | PastAtom
Facet: TypeAlias = tuple[str, str]


def facet(atom: Atom) -> Facet:
    """What of a call the atom is about."""
    match atom:
        case Given(name=name) | Missing(name=name):
            return "argument", name
        case Rest():
            return "rest", ""
        case Uri():
            return "uri", ""
        case Who():
            return "who", ""
        case Within() | Before():
            return "time", ""
        case Room():
            return "room", ""
        case Named():
            return "name", ""
        case Other():
            return "other", ""
        case Exposed() | Came() | Carried() | Often() | Unused():
            return "past", ""
        case _:
            assert_never(atom)


@lru_cache(maxsize=65536)
def exclude_each_other(atoms: tuple[Atom, ...]) -> bool:
    """Proved: no call and no circumstances satisfy all of these atoms of one facet."""
    match atoms[0]:
        case Given() | Missing():
            return _no_argument(atoms)
        case Rest():
            return _no_rest([atom for atom in atoms if isinstance(atom, Rest)])
        case Uri():
            return impossible(tuple(atom.literal for atom in atoms if isinstance(atom, Uri)))
        case Who():
            return no_principal([(one.patterns, one.loosely, one.holds) for one in atoms if isinstance(one, Who)])
        case Within() | Before():
            windows = [(one.window, one.holds) for one in atoms if isinstance(one, Within)]
            return no_moment(windows, [(one.end, one.holds) for one in atoms if isinstance(one, Before)])
        case Room():
            return _no_room([atom for atom in atoms if isinstance(atom, Room)])
        case Named():
            return no_name([(one.pattern, one.loosely, one.holds) for one in atoms if isinstance(one, Named)])
        case Other():
            held = [one.content for one in atoms if isinstance(one, Other) and one.holds]
            return any(one.content in held for one in atoms if isinstance(one, Other) and not one.holds)
        case Exposed() | Came() | Carried() | Often() | Unused():
            return no_past(one for one in atoms if isinstance(one, PastAtom))
        case _:
            assert_never(atoms[0])


def _no_argument(atoms: Iterable[Atom]) -> bool:
    given = [atom for atom in atoms if isinstance(atom, Given)]
    if given and any(isinstance(atom, Missing) for atom in atoms):
        return True
    literals = tuple(dict.fromkeys(atom.literal for atom in given if atom.literal is not None))
    return bool(literals) and impossible(literals)


def _no_rest(atoms: Sequence[Rest]) -> bool:
    none_given = any(not atom.given and not atom.like for atom in atoms)
    unlike = {atom.like for atom in atoms if not atom.given and atom.like}
    return any(atom.given and (none_given or atom.like in unlike) for atom in atoms)


def _no_room(atoms: Sequence[Room]) -> bool:
    """A budget is full while a smaller one under the same name has room."""
    roomy = [atom for atom in atoms if atom.holds]
    return any(_is_smaller(room, full) for full in atoms if not full.holds for room in roomy)


def _is_smaller(first: Room, second: Room) -> bool:
    """Both budgets count under one name, and room in the first is room in the second."""
    if first.key != second.key or first.more != second.more:
        return False
    if second.calls is not None and (first.calls is None or first.calls > second.calls):
        return False
    limits = dict(first.sums)
    return all(name in limits and limits[name] <= limit for name, limit in second.sums)
