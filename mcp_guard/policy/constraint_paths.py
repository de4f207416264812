"""Checks on paths: `under`, `within`, `not_name`, and a listed path as a literal.

Core: the file system is known through `Facts.resolve` only. A path counts by both of its readings, as it is written
and where it leads once links are followed: YES needs both inside, NO needs both outside, everything else is UNSURE.
So a link in the project that leads out of it grants nothing, and a link from elsewhere into a denied directory
doesn't slip by. Letter case is ignored for NO and kept for YES: both kinds of file system are out there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from mcp_guard.model import Answer, Facts
from mcp_guard.policy.canonical import (
    folded,
    is_inside,
    why_not_absolute,
    why_not_canonical,
    why_not_relative,
    without_trailing_slash,
)
from mcp_guard.policy.constraint_kinds import Under
from mcp_guard.policy.constraint_pattern import glob_expression

Check: TypeAlias = Callable[[object, Facts], Answer]

YES, NO, UNSURE = Answer.YES, Answer.NO, Answer.UNSURE
FILE_URI = "file://"

_TRIMMED = re.compile(r"[. ](?:/|\Z)|:")


def path_of_uri(text: str) -> str | None:
    """The path in a `file:///path` URI without a host, escapes, query or fragment; else None."""
    if not text.startswith(FILE_URI) or "%" in text or "?" in text or "#" in text:
        return None
    return text[len(FILE_URI) :]


def check_under(constraint: Under) -> Check:
    root, uri, start = constraint.root, constraint.uri, constraint.start
    folded_root = folded(root)

    def check(value: object, facts: Facts) -> Answer:
        if type(value) is not str:
            return UNSURE
        text = path_of_uri(value) if uri else value
        if text is None or why_not_absolute(text) is not None:
            return UNSURE
        path = without_trailing_slash(text)
        real = facts.resolve(path)
        if real is None:
            return UNSURE
        inside = is_inside(path, root)
        if inside and is_inside(real, root):
            return YES  # what is resolved has no links in it, so neither has the root above it: it leads to itself
        real_root = facts.resolve(root)
        if real_root is None:
            return UNSURE
        if inside and is_inside(real, real_root) and leads_straight(root, start, facts):
            return YES
        apart = not is_inside(folded(path), folded_root) and not is_inside(folded(real), folded(real_root))
        return NO if apart else UNSURE

    return check


def leads_straight(path: str, start: str, facts: Facts) -> bool:
    """Does `path` lead where it says, seen from the directory `start` above it: no link in what lies between?"""
    real_start = facts.resolve(start) if start else None
    return not start or (real_start is not None and facts.resolve(path) == real_start + path[len(start) :])


def check_within(value: object, facts: Facts) -> Answer:
    """`within: .`; `Facts.resolve` tells where `.` is. An absolute path is a clear NO only if it leads elsewhere."""
    if type(value) is not str:
        return UNSURE
    relative = why_not_relative(value) is None
    if not relative and why_not_absolute(value) is not None:
        return UNSURE
    real, start = facts.resolve(without_trailing_slash(value)), facts.resolve(".")
    if real is None or start is None:
        return UNSURE
    if relative:
        return YES if is_inside(real, start) else UNSURE
    return UNSURE if is_inside(folded(real), folded(start)) else NO


def check_not_name(globs: tuple[str, ...]) -> Check:
    names = "|".join(glob_expression(folded(glob)) for glob in globs)
    find = re.compile(rf"(?:\A|/)(?:{names})(?=/|\Z)").search

    def has_name(path: str) -> bool:
        return find(folded(path)) is not None

    def has_trimmed_name(path: str) -> bool:
        """Some file systems drop dots and spaces at the end of a name, and read what follows a colon as a stream."""
        if _TRIMMED.search(path) is None:
            return False
        trimmed = (segment.partition(":")[0].rstrip(". ") for segment in path.split("/"))
        return any(has_name(name) for name in trimmed if name)

    def check(value: object, facts: Facts) -> Answer:
        if type(value) is not str or why_not_canonical(value) is not None:
            return UNSURE
        path = without_trailing_slash(value)
        real = facts.resolve(path)
        if real is None:
            return UNSURE
        written = has_name(path)
        if real != path and written != has_name(real):
            return UNSURE
        if written:
            return NO
        return UNSURE if has_trimmed_name(path) or (real != path and has_trimmed_name(real)) else YES

    return check


def leads_to_none_of(text: str, paths: tuple[str, ...], facts: Facts) -> Answer:
    """NO if `text` clearly leads to none of `paths`, else UNSURE: a listed path is a file, however it is reached."""
    if why_not_absolute(text) is not None:
        return UNSURE
    real = facts.resolve(without_trailing_slash(text))
    if real is None:
        return UNSURE
    for path in paths:
        listed = facts.resolve(path)
        if listed is None or folded(listed) == folded(real):
            return UNSURE
    return NO
