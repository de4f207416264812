"""Can a tool's name, or a principal, fit some patterns and not others? Proved pattern by pattern.

Core. To the letter for grants, loosely (case, look-alikes) for asks and denies.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

from mcp_guard.policy.canonical import loose
from mcp_guard.policy.names import NamePattern, fits

NameWish: TypeAlias = tuple[NamePattern, bool, bool]
"""A pattern, whether it is meant loosely, whether it is to fit."""
WhoWish: TypeAlias = tuple[tuple[str, ...], bool, bool]

_PLAIN = re.compile(r"[A-Za-z0-9_./-]*")


def no_name(wishes: Sequence[NameWish]) -> bool:
    """Proved: no `server/target` satisfies all of these."""
    for pattern, loosely, _ in (wish for wish in wishes if wish[2]):
        for other, other_loosely, holds in wishes:
            if holds and not loosely and other_loosely and _apart(pattern, other):
                return True
            if not holds and _covers(other, other_loosely, pattern, loosely):
                return True
    return False


def _covers(outer: NamePattern, outer_loosely: bool, inner: NamePattern, inner_loosely: bool) -> bool:
    """Every name that `inner` means is one that `outer` means. A `*` of `inner` is a character that only `*` fits."""
    if outer_loosely and inner_loosely:
        return outer.covers(inner.loose_server, inner.loose_target)
    if not outer_loosely and not inner_loosely:
        return outer.matches(inner.server, inner.target)
    if inner_loosely:
        return False
    # What stands beside a `*` may melt into a character that is added, so only a half without `*` is looked at.
    halves = ((outer.loose_server, inner.server), (outer.loose_target, inner.target))
    return all(there == "*" or ("*" not in here and fits(there, loose(here))) for there, here in halves)


def _apart(exact: NamePattern, denied: NamePattern) -> bool:
    """No name that is `exact` to the letter is loosely one that is denied."""
    halves = ((exact.server, denied.loose_server), (exact.target, denied.loose_target))
    return any(_halves_apart(here, there) for here, there in halves)


def _halves_apart(here: str, there: str) -> bool:
    if "*" not in here:
        return not fits(there, loose(here))
    head = here.partition("*")[0]
    start = head[:-1].lower()  # the last character may melt with one that follows
    if not _PLAIN.fullmatch(head) or not start:
        return False
    known, star, _ = there.partition("*")
    return not known.startswith(start) and not (star and start.startswith(known))


def no_principal(wishes: Sequence[WhoWish]) -> bool:
    """Proved: nobody satisfies all of these."""
    for patterns, loosely, holds in wishes:
        if holds and all(_is_refused(pattern, loosely, wishes) for pattern in patterns):
            return True
    return False


def _is_refused(pattern: str, loosely: bool, wishes: Sequence[WhoWish]) -> bool:
    """Whoever fits this pattern fails one of the wishes."""
    return any(_fails(pattern, loosely, *wish) for wish in wishes)


def _fails(pattern: str, loosely: bool, others: tuple[str, ...], others_loosely: bool, holds: bool) -> bool:
    if holds:  # only a principal without `*` is known well enough
        return "*" not in pattern and not loosely and not _is_one_of(pattern, others, others_loosely)
    if loosely == others_loosely:
        same = (lambda text: loose(text)) if loosely else (lambda text: text)
        return any(fits(same(other), same(pattern)) for other in others)
    return not loosely and "*" not in pattern and _is_one_of(pattern, others, others_loosely)


def _is_one_of(principal: str, patterns: tuple[str, ...], loosely: bool) -> bool:
    if loosely:
        return any(fits(loose(pattern), loose(principal)) for pattern in patterns)
    return any(fits(pattern, principal) for pattern in patterns)
